"""When friction of the newest release is a breach: a statistic, not a count.

For each agent the newest release is compared with all earlier ones, pattern by pattern. A pattern
is a friction type, or a type at one tool with one class of error. Its rate is the share of
eligible sessions that show it. A pattern breaches where (1) enough sessions and users show it,
(2) Fisher's exact test, corrected over every pattern tested in the run (Benjamini and Hochberg,
1995), stays below the false-discovery rate and (3) the 95 % interval of the rise (Newcombe, 1998,
method 10, on Wilson's intervals) lies above zero.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control, fisher_exact

from agent_core.proportions import newcombe_interval, wilson_interval
from pipelines.rates import AUTONOMOUS_FRICTION

SESSION_SCHEMA = {
    "session_key": pl.String,
    "agent": pl.String,
    "release": pl.String,
    "user_id": pl.String,
    "is_autonomous": pl.Boolean,
    "started_at": pl.Datetime("us", "UTC"),
}
"""The eligible sessions: selected, judged, with a release. A null user counts as one user."""

MOMENT_SCHEMA = {
    "session_key": pl.String,
    "type": pl.String,
    "tool": pl.String,
    "error_class": pl.String,
}
"""The friction moments of those sessions."""

_PATTERN = ["type", "tool", "error_class"]


@dataclass(frozen=True, slots=True)
class Floors:
    """What a pattern needs before it is looked at."""

    min_sessions: int
    """Sessions that show it; also eligible sessions of the release and of its baseline."""
    min_users: int
    false_discovery_rate: float


@dataclass(frozen=True, slots=True)
class Breach:
    """A pattern of the newest release that rose above its baseline."""

    agent: str
    release: str
    type: str
    tool: str | None
    error_class: str | None
    affected: int
    sessions: int
    users: int
    baseline_affected: int
    baseline_sessions: int
    rate: float
    rate_low: float
    rate_high: float
    baseline_rate: float
    rise_low: float
    rise_high: float
    p_value: float
    q_value: float
    session_keys: frozenset[str]
    """The sessions that show it."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The outcome of one look: what breached, of how many patterns, what could not be tested."""

    breaches: tuple[Breach, ...]
    patterns: int
    agents_without_baseline: int
    """Agents with one release, or too few sessions before it: nothing to compare with."""


def find_breaches(sessions: pl.DataFrame, moments: pl.DataFrame, floors: Floors) -> Tested:
    """Compare each agent's newest release with its earlier ones.

    `sessions` has SESSION_SCHEMA, `moments` MOMENT_SCHEMA; further columns are ignored.
    """
    candidates: list[Breach] = []
    without_baseline = 0
    for _, of_agent in sorted(sessions.group_by("agent"), key=lambda group: str(group[0])):
        newest, baseline = _newest_and_earlier(of_agent, floors.min_sessions)
        if min(newest.height, baseline.height) < floors.min_sessions:
            without_baseline += 1
            continue
        candidates += _candidates(newest, baseline, moments, floors)
    return Tested(_significant(candidates, floors), len(candidates), without_baseline)


def _newest_and_earlier(
    sessions: pl.DataFrame, min_sessions: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sessions of the newest release that has enough of them, and of the releases before it.

    Releases are in the order of their first session; one without a time is oldest. What came
    after with too few sessions to say anything is left out until it has enough.
    """
    releases = (
        sessions.group_by("release")
        .agg(pl.col("started_at").min(), number=pl.len())
        .sort("started_at", "release", nulls_last=False)
        .with_row_index("place")
    )
    enough = releases.filter(pl.col("number") >= min_sessions)
    if not enough.height:
        return sessions.clear(), sessions.clear()
    place = enough["place"][-1]
    earlier = releases.filter(pl.col("place") < place)["release"].to_list()
    newest = sessions.filter(pl.col("release") == enough["release"][-1])
    return newest, sessions.filter(pl.col("release").is_in(earlier))


def _candidates(
    newest: pl.DataFrame, baseline: pl.DataFrame, moments: pl.DataFrame, floors: Floors
) -> list[Breach]:
    shown = _patterns(moments)
    found = []
    for pattern, of_pattern in shown.group_by(_PATTERN, maintain_order=True):
        type_, tool, error_class = (None if part is None else str(part) for part in pattern)
        assert type_ is not None
        compared = [_eligible(frame, type_) for frame in (newest, baseline)]
        affected = [frame.join(of_pattern, on="session_key", how="semi") for frame in compared]
        users = affected[0]["user_id"].fill_null("").n_unique() if affected[0].height else 0
        smallest = min(affected[0].height, compared[1].height)
        if smallest >= floors.min_sessions and users >= floors.min_users:
            found.append(_compare((type_, tool, error_class), compared, affected, users))
    return found


def _patterns(moments: pl.DataFrame) -> pl.DataFrame:
    """(session, pattern) pairs: each type alone, and errors at their tool and class."""
    null = pl.lit(None, dtype=pl.String)
    alone = moments.select("session_key", "type", null.alias("tool"), null.alias("error_class"))
    exact = moments.filter(pl.col("tool").is_not_null() & pl.col("error_class").is_not_null())
    pairs = pl.concat([alone, exact.select("session_key", *_PATTERN)])
    return pairs.unique().sort("type", "tool", "error_class", "session_key", nulls_last=True)


def _eligible(sessions: pl.DataFrame, type_: str) -> pl.DataFrame:
    """Of the friction types only error_event applies to runs without a person."""
    return sessions if type_ == AUTONOMOUS_FRICTION else sessions.filter(~pl.col("is_autonomous"))


def _compare(
    pattern: tuple[str, str | None, str | None],
    compared: list[pl.DataFrame],
    affected: list[pl.DataFrame],
    users: int,
) -> Breach:
    newest, baseline = compared
    hits, base_hits = affected[0].height, affected[1].height
    table = [[hits, newest.height - hits], [base_hits, baseline.height - base_hits]]
    low, high = wilson_interval(hits, newest.height)
    rise_low, rise_high = newcombe_interval(hits, newest.height, base_hits, baseline.height)
    return Breach(
        agent=newest["agent"][0],
        release=newest["release"][0],
        type=pattern[0],
        tool=pattern[1],
        error_class=pattern[2],
        affected=hits,
        sessions=newest.height,
        users=users,
        baseline_affected=base_hits,
        baseline_sessions=baseline.height,
        rate=hits / newest.height,
        rate_low=low,
        rate_high=high,
        baseline_rate=base_hits / baseline.height,
        rise_low=rise_low,
        rise_high=rise_high,
        p_value=float(fisher_exact(table, alternative="greater").pvalue),
        q_value=1.0,
        session_keys=frozenset(affected[0]["session_key"]),
    )


def _significant(candidates: list[Breach], floors: Floors) -> tuple[Breach, ...]:
    if not candidates:
        return ()
    q_values = false_discovery_control(np.array([found.p_value for found in candidates]))
    corrected = [
        replace(found, q_value=float(q)) for found, q in zip(candidates, q_values, strict=True)
    ]
    breaches = [
        found
        for found in corrected
        if found.q_value <= floors.false_discovery_rate and found.rise_low > 0
    ]
    return tuple(sorted(breaches, key=lambda found: (found.q_value, -found.rise_low, found.type)))
