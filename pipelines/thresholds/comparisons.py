"""What is held against what: a release against those before, a week against the days before.

Both sides are chosen by counts and times of sessions alone, never by what happened in them.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import polars as pl

from pipelines.thresholds.breach import Floors
from pipelines.thresholds.spending import (
    FIRST_LOOK,
    Look,
    Versus,
    information,
    is_due,
    level_of_comparison,
    next_look,
)

FIRST_WINDOW = 2
"""Number, from 0, of the first window of a release that is held against its days before."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groups of sessions of one agent, in SESSION_SCHEMA."""

    agent: str
    release: str
    versus: Versus
    since: date | None
    newer: pl.DataFrame
    baseline: pl.DataFrame

    @property
    def comparison_id(self) -> str:
        """The same from run to run, while the two groups grow."""
        parts = (self.agent, self.release, self.versus, str(self.since or ""))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def information(self) -> float:
        return information(self.newer.height, self.baseline.height)

    def of_persons(self) -> "Comparison":
        """The same without the runs that have no person."""
        persons = ~pl.col("is_autonomous")
        return replace(
            self, newer=self.newer.filter(persons), baseline=self.baseline.filter(persons)
        )

    def known_by(self, when: datetime) -> "Comparison":
        """The same over the sessions that were known by then."""
        known = pl.col("known_at").is_null() | (pl.col("known_at") <= when)
        return replace(self, newer=self.newer.filter(known), baseline=self.baseline.filter(known))


def find_comparisons(sessions: pl.DataFrame, floors: Floors) -> list[Comparison]:
    """The comparisons of one agent that have enough sessions on both sides, in a fixed order."""
    releases = _releases(sessions, floors.min_sessions)
    if not releases:
        return []
    newest = sessions.filter(pl.col("release") == releases[-1])
    earlier = sessions.filter(pl.col("release").is_in(releases[:-1]))
    agent, release = str(newest["agent"][0]), str(newest["release"][0])
    found = [Comparison(agent, release, "earlier releases", None, newest, earlier)]
    for since, recent, before in _windows(newest, floors):
        found.append(Comparison(agent, release, "earlier days", since, recent, before))
    return [one for one in found if _is_enough(one, floors.min_sessions)]


def look_at(
    comparison: Comparison,
    known: Mapping[str, Look],
    opened: list[tuple[datetime, float]],
    floors: Floors,
    now: datetime,
) -> Look:
    """The look that is due, else the last one again; what it opens is added to `opened`."""
    last = known.get(comparison.comparison_id)
    if last is not None:
        enough = is_due(last, comparison.information)
        return next_look(last, comparison.information, now) if enough else last
    level = level_of_comparison(
        opened, now, floors.false_discovery_rate, floors.false_alarms_per_year
    )
    opened.append((now, level))
    return Look(
        comparison_id=comparison.comparison_id,
        agent=comparison.agent,
        release=comparison.release,
        versus=comparison.versus,
        since=comparison.since,
        number=1,
        looked_at=now,
        opened_at=now,
        level=level,
        information=comparison.information,
    )


def _releases(sessions: pl.DataFrame, min_sessions: int) -> list[str]:
    """The newest release that has enough sessions, last, after the releases before it.

    Releases are in the order of their first session; one without a time is oldest. What came
    after with too few sessions to say anything is left out until it has enough.
    """
    releases = (
        sessions.group_by("release")
        .agg(pl.col("started_at").min(), number=pl.len())
        .sort("started_at", "release", nulls_last=False)
    )
    enough = (releases["number"] >= min_sessions).arg_true()
    return releases["release"].to_list()[: enough[-1] + 1] if enough.len() else []


def _windows(
    newest: pl.DataFrame, floors: Floors
) -> Iterator[tuple[date, pl.DataFrame, pl.DataFrame]]:
    """The last window of a release, as its days are cut into windows from its first day on.

    Fixed windows and no sliding ones: each is a comparison of its own, which pays for itself. The
    first two have the release before to be held against.
    """
    dated = newest.drop_nulls("started_at")
    if not dated.height:
        return
    days = dated["started_at"].dt.date()
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    number = (last - first).days // floors.window_days
    if number >= FIRST_WINDOW:
        since = first + timedelta(days=number * floors.window_days)
        yield since, dated.filter(days >= since), dated.filter(days < since)


def _is_enough(comparison: Comparison, min_sessions: int) -> bool:
    """Enough on both sides, and together enough for a first look."""
    least = min(comparison.newer.height, comparison.baseline.height)
    return least >= min_sessions and comparison.information >= FIRST_LOOK * min_sessions
