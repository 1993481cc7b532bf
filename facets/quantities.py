"""Which measurable quantities of the log go with friction beyond what is known.

Each candidate is tested in two logistic regressions on what is known already (lengths by a curve,
count facets, agent, users or projects): whether a session has friction at all, and in how many of
its turns. Both must say so, in the same direction: the larger p-value counts, so that a quantity
that merely grows with the session does not pass. Over all candidates the p-values are corrected
(Benjamini and Hochberg, 1995). What remains must help on sessions left out, keep its direction on
halves of them, and say more than the stronger quantities that passed before it.

It is an association of sessions, not a cause.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from facets.friction_design import Known, Problem, scaled, state_problem
from facets.held_out import Gain, held_out_gain, same_direction
from facets.logistic import Fit, Vector, effect_of, fit_logistic, score_test, weigh_down

_CHANCE = 0.05
"""A p-value above this, of a quantity beyond those that passed before it: it repeats them."""


@dataclass(frozen=True, slots=True)
class QuantityFloors:
    """What a quantity needs before it is tested, and before it is proposed."""

    sessions: int = 20
    """Sessions in which it is not zero; also sessions with friction, and without."""
    users: int = 1
    """Distinct users among those; all unknown ones count as one."""
    eligible: int = 100
    """Sessions whose log shows it."""
    stability: float = 0.9
    false_discovery_rate: float = 0.05


@dataclass(frozen=True, slots=True)
class ExaminedQuantity:
    """The outcome for one candidate; figures are None where it was not tested that far."""

    measure: str
    reason: str | None
    """Why it is not proposed; None: it is."""
    eligible: int
    sessions: int
    """Those in which it is not zero."""
    users: int
    p_value: float | None = None
    """The larger of the two tests'."""
    q_value: float | None = None
    odds_ratio: float | None = None
    """Of friction in a session, for one standard deviation of log(1 + quantity)."""
    odds_low: float | None = None
    odds_high: float | None = None
    rate_odds_ratio: float | None = None
    """The same of friction in a turn."""
    gain: Gain | None = None
    stability: float | None = None


class _Null(NamedTuple):
    """A regression without the candidate, fitted to both outcomes."""

    problem: Problem
    fits: tuple[Fit, Fit]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A quantity in the sessions that show it."""

    rows: NDArray[np.bool_]
    """Which of all sessions those are."""
    everywhere: Vector
    """Scaled, of all sessions; 0, the mean, where the log does not show it."""
    null: _Null
    tested: ExaminedQuantity

    @property
    def values(self) -> Vector:
        """Scaled, of the sessions that show it."""
        return self.everywhere[self.rows]


@dataclass(frozen=True, slots=True)
class _Survey:
    """All that the candidates have in common."""

    sessions: pl.DataFrame
    known: Known
    evident: Sequence[str]
    floors: QuantityFloors
    seed: int
    nulls: dict[tuple[bytes, tuple[str, ...]], _Null]
    """Fitted already, by rows and covariates."""


def explain_friction(
    sessions: pl.DataFrame,
    candidates: Sequence[str],
    known: Known,
    floors: QuantityFloors = QuantityFloors(),
    *,
    evidence: Iterable[str] = (),
    seed: int = 0,
) -> list[ExaminedQuantity]:
    """Test each of the columns `candidates` of `sessions`, strongest first, then the untested.

    `sessions` has `friction_design.SESSIONS_SCHEMA`, the known columns and the candidates (null:
    the log does not show it). Of `evidence`, which rules compute their verdict from, a candidate is
    tested on the verdicts of models alone; where rules judged some sessions, all of it is a
    covariate.
    """
    evident = [name for name in evidence if name in sessions.columns]
    survey = _Survey(sessions, known, evident, floors, seed, {})
    stated = [_state(survey, name) for name in sorted(candidates) if name not in known.counts]
    ready = [_tested(found) for found in stated if isinstance(found, _Candidate)]
    refused = [found for found in stated if isinstance(found, ExaminedQuantity)]
    return [*_settle(_corrected(ready), floors, seed), *refused]


def _state(survey: _Survey, name: str) -> _Candidate | ExaminedQuantity:
    """The regression of one candidate, or why it cannot be tested."""
    shows = pl.col(name).is_not_null()
    if name in survey.evident:
        shows &= ~pl.col("by_rules")
    shown = survey.sessions.filter(shows)
    present = shown.filter(pl.col(name) > 0)
    users = present["user_id"].fill_null("").n_unique() if present.height else 0
    counted = ExaminedQuantity(name, None, shown.height, present.height, users)
    reason = _too_little(shown, counted, survey)
    if reason is not None:
        return replace(counted, reason=reason)
    rows = survey.sessions.select(shows.fill_null(value=False)).to_series().to_numpy()
    column = survey.sessions[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    values = np.nan_to_num(scaled(np.where(rows, column, np.nan)))
    return _Candidate(rows, values, _null(survey, name, shown, rows), counted)


def _too_little(shown: pl.DataFrame, counted: ExaminedQuantity, survey: _Survey) -> str | None:
    """Why the sessions do not allow for a test."""
    floors, name = survey.floors, counted.measure
    if counted.eligible < floors.eligible:
        if name in survey.evident and survey.sessions["by_rules"].any():
            return "rules judge by it, and models judged too few sessions"
        return f"fewer than {floors.eligible} sessions show it"
    if counted.sessions < floors.sessions:
        return f"fewer than {floors.sessions} sessions have any of it"
    if counted.users < floors.users:
        return f"fewer than {floors.users} users have any of it"
    rough = int((shown["friction_turns"] > 0).sum())
    if min(rough, shown.height - rough) < floors.sessions:
        return f"fewer than {floors.sessions} sessions with friction, or without"
    return "it is the same in all sessions" if shown[name].n_unique() == 1 else None


def _null(survey: _Survey, name: str, shown: pl.DataFrame, rows: NDArray[np.bool_]) -> _Null:
    by_rules = shown["by_rules"].any()
    more = [other for other in survey.evident if by_rules and other != name]
    counts = tuple(dict.fromkeys([*survey.known.counts, *more]))
    key = (rows.tobytes(), counts)
    if key not in survey.nulls:
        problem = state_problem(shown, replace(survey.known, counts=counts))
        survey.nulls[key] = _fitted(problem)
    return survey.nulls[key]


def _fitted(problem: Problem) -> _Null:
    """Both fits; turns of one session that go together count for less than as many others."""
    friction, rate = (fit_logistic(problem.design, outcome) for outcome in problem.outcomes)
    weighed = replace(problem, rate=weigh_down(problem.rate, rate, problem.design.columns.shape[1]))
    again = fit_logistic(weighed.design, weighed.rate, rate.coefficients)
    return _Null(weighed, (friction, again))


def _tested(candidate: _Candidate) -> _Candidate:
    """Both tests and the effect."""
    problem = candidate.null.problem
    effects = [
        effect_of(candidate.values, problem.design, outcome, fit, problem.clusters)
        for outcome, fit in zip(problem.outcomes, candidate.null.fits, strict=True)
    ]
    friction, rate = effects
    tested = replace(
        candidate.tested,
        p_value=_both(candidate.values, candidate.null),
        odds_ratio=exp(friction.log_odds),
        odds_low=exp(friction.log_odds - 1.96 * friction.error),
        odds_high=exp(friction.log_odds + 1.96 * friction.error),
        rate_odds_ratio=exp(rate.log_odds),
    )
    return replace(candidate, tested=tested)


def _both(values: Vector, null: _Null) -> float:
    """The larger p-value of the two tests; 1 where they point in different directions."""
    problem = null.problem
    tests = [
        score_test(values, problem.design, outcome, fit, problem.clusters)
        for outcome, fit in zip(problem.outcomes, null.fits, strict=True)
    ]
    if tests[0].statistic * tests[1].statistic <= 0:
        return 1.0
    return max(test.p_value for test in tests)


def _corrected(ready: list[_Candidate]) -> list[_Candidate]:
    """With q-values, the smallest p-value first."""
    if not ready:
        return []
    p_values = np.array([found.tested.p_value for found in ready], dtype=np.float64)
    q_values = false_discovery_control(p_values)
    numbered = [
        replace(found, tested=replace(found.tested, q_value=float(q)))
        for found, q in zip(ready, q_values, strict=True)
    ]
    return sorted(numbered, key=lambda found: (found.tested.p_value, found.tested.measure))


def _settle(
    candidates: list[_Candidate], floors: QuantityFloors, seed: int
) -> list[ExaminedQuantity]:
    """Hold each against the floors, the strongest first, and against those that passed."""
    settled: list[ExaminedQuantity] = []
    passed: list[_Candidate] = []
    for candidate in candidates:
        tested = _examined(candidate, floors, seed)
        if tested.reason is None and _repeats(candidate, passed):
            named = ", ".join(stronger.tested.measure for stronger in passed)
            tested = replace(tested, reason=f"it says no more than {named}")
        if tested.reason is None:
            passed.append(candidate)
        settled.append(tested)
    return settled


def _examined(candidate: _Candidate, floors: QuantityFloors, seed: int) -> ExaminedQuantity:
    """With its gain on sessions left out and its stability, and whether they are enough."""
    tested, problem = candidate.tested, candidate.null.problem
    if tested.q_value is None or tested.q_value > floors.false_discovery_rate:
        return replace(tested, reason="it goes with friction no more than chance has it")
    gain = held_out_gain(candidate.values, problem, seed=seed)
    stability = same_direction(candidate.values, problem, seed=seed)
    reason = None
    if not gain.log_loss > 0:
        reason = "it does not help on sessions left out"
    elif stability < floors.stability:
        reason = "its direction does not hold on halves of the sessions"
    return replace(tested, gain=gain, stability=stability, reason=reason)


def _repeats(candidate: _Candidate, passed: Sequence[_Candidate]) -> bool:
    """Whether it says nothing beyond those that passed before it."""
    if not passed:
        return False
    problem = candidate.null.problem
    for stronger in passed:
        problem = problem.knowing(stronger.everywhere[candidate.rows])
    return _both(candidate.values, _fitted(problem)) > _CHANCE
