"""The patterns of one comparison, each with the exact probability of its rise."""

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipelines.thresholds.breach import Floors
from pipelines.thresholds.comparisons import Comparison
from pipelines.thresholds.exact import (
    HitDistribution,
    Stratum,
    hit_distribution,
    rise_p_value,
)
from pipelines.thresholds.patterns import PARTS, needs_person
from pipelines.thresholds.spending import Look

SIDES = ("session_key", "release", "started_at", "is_newer", "stratum", "is_counted", "user")


class Parts(NamedTuple):
    """A pattern, as PARTS name it."""

    kind: str
    of_type: str | None
    tool: str | None
    error_class: str | None
    signature: str | None
    cluster_id: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pattern that is tested at a look."""

    parts: Parts
    comparison: Comparison
    look: Look
    sides: pl.DataFrame
    """The eligible sessions of both sides: the columns of SIDES."""
    shown: pl.DataFrame
    """Of these, the ones that show it: session_key, type, severity; a row for each type."""
    distribution: HitDistribution
    p_value: float

    @property
    def least_p_value(self) -> float:
        """The smallest that so many hits can give, on whichever side they stand."""
        return float(self.distribution.weights[-1])


def find_candidates(
    comparison: Comparison, patterns: pl.DataFrame, look: Look, floors: Floors
) -> list[Candidate]:
    """Patterns that are worth a test, by what is known without looking at the sides.

    `patterns` is what `session_patterns` gives. Floors of sessions and users hold for both sides
    together: that leaves the probability of a rise as it is (Bourgon, Gentleman and Huber, 2010).
    """
    every = _sides(comparison)
    persons = _sides(comparison.of_persons())
    here = patterns.join(every.select("session_key", "user"), on="session_key")
    found = []
    for key, shown in _frequent(here, floors).group_by(PARTS, maintain_order=True):
        parts = Parts(*(None if part is None else str(part) for part in key))  # type: ignore[arg-type]
        sides = persons if needs_person(shown["type"]) else every
        eligible = shown.join(sides.select("session_key"), on="session_key", how="semi")
        found.append(_candidate(comparison, look, parts, sides, eligible))
    # A pattern that could not breach at this look, were all of its hits new, costs the others
    # nothing (Tarone, 1990; Gilbert, 2005).
    return [one for one in found if one.least_p_value < look.price]


def _frequent(here: pl.DataFrame, floors: Floors) -> pl.DataFrame:
    enough = here.group_by(PARTS).agg(
        sessions=pl.col("session_key").n_unique(), users=pl.col("user").n_unique()
    )
    enough = enough.filter(
        pl.col("sessions") >= floors.min_sessions, pl.col("users") >= floors.min_users
    )
    return here.join(enough, on=PARTS, how="semi", nulls_equal=True)


def _candidate(
    comparison: Comparison, look: Look, parts: Parts, sides: pl.DataFrame, shown: pl.DataFrame
) -> Candidate:
    distribution = hit_distribution(_strata(sides, shown))
    p_value = rise_p_value(distribution)
    return Candidate(parts, comparison, look, sides, shown, distribution, p_value)


def _sides(comparison: Comparison) -> pl.DataFrame:
    """Both sides with the stratum of each session, and whether the test counts it.

    A stratum is a user's sessions, with a person or without. Users on one side only would bring
    their own ways with them: they make one stratum, to which each brings a single session, the
    first, because sessions of one user resemble one another.
    """
    user = pl.col("user_id").fill_null("")
    both = pl.concat(
        [
            comparison.newer.with_columns(is_newer=pl.lit(True)),
            comparison.baseline.with_columns(is_newer=pl.lit(False)),
        ]
    ).with_columns(user=user)
    own = ("user", "is_autonomous")
    is_on_both = pl.col("is_newer").n_unique().over(own) == 2
    is_first = pl.struct("started_at", "session_key").rank("ordinal").over(own) == 1
    return both.select(
        *("session_key", "release", "started_at", "is_newer", "user"),
        stratum=pl.struct(
            pl.when(is_on_both).then(pl.col("user")), pl.col("is_autonomous"), is_on_both.alias("b")
        ),
        is_counted=is_on_both | is_first,
    ).select(SIDES)


def _strata(sides: pl.DataFrame, shown: pl.DataFrame) -> list[Stratum]:
    hits = shown.select("session_key").unique().with_columns(hit=pl.lit(True))
    hit, newer = pl.col("hit").is_not_null(), pl.col("is_newer")
    counts = (
        sides.filter("is_counted")
        .join(hits, on="session_key", how="left")
        .group_by("stratum")
        .agg(
            hits=(hit & newer).sum(),
            sessions=newer.sum(),
            base_hits=(hit & ~newer).sum(),
            base_sessions=(~newer).sum(),
        )
        .filter(pl.col("hits") + pl.col("base_hits") > 0)
    )
    # In one order, so that a rerun gives the same to the last digit.
    return sorted(Stratum(*map(int, row)) for row in counts.drop("stratum").iter_rows())
