"""Sessions as a regression sees them: friction, and what is known that may explain it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facets.logistic import WEAK_RIDGE, Design, Matrix, Outcome, Vector

SESSIONS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "user_id": pl.String(),
    "project": pl.String(),
    "agent": pl.String(),
    "by_rules": pl.Boolean(),
    "friction_turns": pl.Int64(),
    "turns": pl.Int64(),
    "steps": pl.Int64(),
}
"""A judged session with a person: `friction_turns` of its `turns` have a moment of friction,
`by_rules` says whether rules judged it and not a model. A null user counts as one user.
"""
LENGTHS = ("turns", "steps")
"""How long a session is: adjusted for by a curve, for friction need not grow evenly with it."""

_KNOTS = (0.05, 0.35, 0.65, 0.95)
"""Quantiles of the curve's knots (Harrell, Regression Modeling Strategies, 2015, table 2.3)."""
_SMALLEST_LEVEL = 5
_FEW_CLUSTERS = 20
"""With fewer groups than this, counted as if they were of one size, the variance between groups
cannot be estimated: a few large ones would decide alone.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known already, by column of the sessions' frame."""

    counts: Sequence[str] = ()
    """Count facets of the current schema, and evidence of the judge. Null: not known."""
    categories: Sequence[str] = ("agent", "project", "user_id", "by_rules")
    """Each level that is not rare has its own: what differs between them is known."""
    lengths: Sequence[str] = LENGTHS


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows of sessions: whether and how often there was friction, and the covariates."""

    friction: Outcome
    """Any friction, of one trial."""
    rate: Outcome
    """Turns with friction, of the turns."""
    design: Design
    groups: NDArray[np.intp]
    """Of users, else of projects: what belongs together."""
    clusters: NDArray[np.intp] = field(repr=False)
    """The groups; each row for itself where they are few, and their levels covariates alone."""

    @property
    def outcomes(self) -> tuple[Outcome, Outcome]:
        """Any friction, and the rate."""
        return self.friction, self.rate

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Problem":
        """The same for some of the rows."""
        return Problem(
            Outcome(self.friction.successes[chosen], self.friction.trials[chosen]),
            Outcome(self.rate.successes[chosen], self.rate.trials[chosen]),
            self.design.rows(chosen),
            self.groups[chosen],
            self.clusters[chosen],
        )

    def knowing(self, column: Vector) -> "Problem":
        """The same with one more covariate."""
        design = self.design.with_column(column, WEAK_RIDGE)
        return Problem(self.friction, self.rate, design, self.groups, self.clusters)


def state_problem(sessions: pl.DataFrame, known: Known) -> Problem:
    """The regression without a candidate; `sessions` has SESSIONS_SCHEMA and the known columns."""
    turns = sessions["turns"].to_numpy().astype(np.float64)
    hits = np.minimum(sessions["friction_turns"].to_numpy().astype(np.float64), turns)
    groups = _groups(sessions)
    return Problem(
        friction=Outcome((hits > 0).astype(np.float64), np.ones(len(hits))),
        rate=Outcome(hits, turns),
        design=_design(sessions, known),
        groups=groups,
        clusters=groups if _effective_number(groups) >= _FEW_CLUSTERS else np.arange(len(groups)),
    )


def scaled(values: Vector) -> Vector:
    """log(1 + value) with mean 0 and standard deviation 1 over what is known; NaN stays NaN.

    Zero throughout where all are the same.
    """
    logged = np.log1p(values)
    if np.isnan(logged).all():
        return logged
    spread = float(np.nanstd(logged))
    return np.asarray((logged - np.nanmean(logged)) / (spread or 1.0))


def _design(sessions: pl.DataFrame, known: Known) -> Design:
    blocks = [np.ones((sessions.height, 1))]
    blocks += [_curve(_column(sessions, name)) for name in known.lengths]
    counts = [name for name in known.counts if name not in known.lengths]
    blocks += [_count_columns(_column(sessions, name)) for name in counts]
    blocks += [
        _levels(sessions[name].cast(pl.String).fill_null("").to_numpy())
        for name in known.categories
    ]
    columns = np.column_stack(blocks)
    ridge = np.full(columns.shape[1], WEAK_RIDGE)
    ridge[0] = 0.0
    return Design(columns, ridge)


def _column(sessions: pl.DataFrame, name: str) -> Vector:
    return sessions[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _count_columns(values: Vector) -> Matrix:
    """The scaled count, at its mean where it is not known, and whether that is so."""
    unknown = np.isnan(values)
    column = np.nan_to_num(scaled(values))
    varies = [column] if column.any() else []
    if unknown.any() and not unknown.all():
        varies.append(unknown - unknown.mean())
    return np.column_stack(varies) if varies else np.empty((len(values), 0))


def _curve(values: Vector) -> Matrix:
    """A restricted cubic spline of the scaled count: linear beyond the outer knots."""
    x = np.nan_to_num(scaled(values))
    knots = np.unique(np.quantile(x, _KNOTS))
    if len(knots) < 3:
        return x[:, None]
    last, before = knots[-1], knots[-2]

    def cubed(at: float) -> Vector:
        return np.asarray(np.maximum(x - at, 0) ** 3)

    bent = [
        cubed(knot)
        - cubed(before) * (last - knot) / (last - before)
        + cubed(last) * (before - knot) / (last - before)
        for knot in knots[:-2]
    ]
    return np.column_stack([x, *(column / (column.std() or 1.0) for column in bent)])


def _levels(values: NDArray[np.generic]) -> Matrix:
    """A centred column for each level but the commonest; rare ones are one level."""
    levels, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    commonest = int(sizes.argmax())
    own = [
        level
        for level in range(len(levels))
        if sizes[level] >= _SMALLEST_LEVEL and level != commonest
    ]
    columns = [(codes == level).astype(np.float64) for level in own]
    rare = np.isin(codes, np.flatnonzero(sizes < _SMALLEST_LEVEL)).astype(np.float64)
    if rare.sum() >= _SMALLEST_LEVEL and not rare.all():
        columns.append(rare)
    if not columns:
        return np.empty((len(values), 0))
    stacked = np.column_stack(columns)
    return np.asarray(stacked - stacked.mean(axis=0))


def _groups(sessions: pl.DataFrame) -> NDArray[np.intp]:
    """Codes of users where there are several, else of projects."""
    users = sessions["user_id"].fill_null("")
    named = users if users.n_unique() > 1 else sessions["project"].fill_null("")
    _, codes = np.unique(named.to_numpy(), return_inverse=True)
    return codes.astype(np.intp)


def _effective_number(groups: NDArray[np.intp]) -> float:
    """How many groups of equal size would be as even (the inverse of Simpson's index)."""
    shares = np.bincount(groups) / len(groups)
    return float(1 / (shares**2).sum())
