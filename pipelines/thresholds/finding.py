"""When friction is a breach: a statistic, not a count. See docs/thresholds.md.

The newest release of each agent is compared with all earlier ones, and its last week with its
days before, pattern by pattern: exactly, within users, at looks that the data have earned, and
corrected over every pattern tested at the look and in the run.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from agent_core.proportions import CONFIDENCE, newcombe_interval, wilson_interval
from pipelines.thresholds.breach import Breach, Floors, Tested
from pipelines.thresholds.candidates import Candidate, find_candidates
from pipelines.thresholds.change_points import Cell, ChangePoint, find_change
from pipelines.thresholds.comparisons import find_comparisons, look_at
from pipelines.thresholds.exact import odds_ratio
from pipelines.thresholds.patterns import session_patterns
from pipelines.thresholds.spending import Look


def find_breaches(
    sessions: pl.DataFrame,
    moments: pl.DataFrame,
    floors: Floors,
    *,
    now: datetime,
    looks: Sequence[Look] = (),
) -> Tested:
    """Look at every comparison that is due, and again at what the others were looked at before.

    `sessions` has SESSION_SCHEMA, `moments` MOMENT_SCHEMA; further columns are ignored. `looks`
    are all looks of earlier runs; without a new one nothing is spent and the same is found.
    """
    known = {look.comparison_id: look for look in sorted(looks, key=lambda look: look.number)}
    opened = [(look.opened_at, look.level) for look in known.values()]
    patterns = session_patterns(moments)
    candidates: list[Candidate] = []
    made: list[Look] = []
    without_baseline = 0
    for _, of_agent in sorted(sessions.group_by("agent"), key=lambda group: str(group[0])):
        comparisons = find_comparisons(of_agent, floors)
        without_baseline += not comparisons
        for comparison in comparisons:
            look = look_at(comparison, known, opened, floors, now)
            made.append(look)
            at_look = comparison.known_by(look.looked_at)
            candidates += find_candidates(at_look, patterns, look, floors)
    return Tested(
        breaches=_breaches(candidates, floors),
        patterns=len({_sessions_of(one) for one in candidates}),
        agents_without_baseline=without_baseline,
        looks=tuple(made),
        new_looks=sum(look != known.get(look.comparison_id) for look in made),
    )


def _breaches(candidates: Sequence[Candidate], floors: Floors) -> tuple[Breach, ...]:
    q_values = _q_values(candidates, floors.false_discovery_rate)
    found = [
        _breach(one, float(q))
        for one, q in zip(candidates, q_values, strict=True)
        if q <= floors.false_discovery_rate
    ]
    kept = [
        one
        for one in found
        if one.affected >= floors.min_sessions and one.users >= floors.min_users
        and min(one.rise_low, one.odds_low - 1) > 0
    ]  # fmt: skip
    return tuple(sorted(kept, key=lambda one: (-one.impact, one.q_value, one.kind, one.type)))


def _q_values(candidates: Sequence[Candidate], rate: float) -> NDArray[np.float64]:
    """The larger of two corrections (Benjamini and Hochberg, 1995), in units of `rate`.

    Within each look, at its share of its comparison's level, which bounds what all looks find
    over time; and over everything that was tested in the run.
    """
    within = np.ones(len(candidates))
    for look in {one.look.comparison_id: one.look for one in candidates}.values():
        here = [i for i, one in enumerate(candidates) if one.look == look]
        price = rate / look.price
        within[here] = np.minimum(1.0, _corrected([candidates[i] for i in here]) * price)
    return np.maximum(within, _corrected(candidates))


def _corrected(candidates: Iterable[Candidate]) -> NDArray[np.float64]:
    """What the same sessions show is one test, under whatever name."""
    keys = [_sessions_of(one) for one in candidates]
    p_values = dict(zip(keys, (one.p_value for one in candidates), strict=True))
    if not p_values:
        return np.ones(0)
    q_values = false_discovery_control(np.array(list(p_values.values())))
    by_key = dict(zip(p_values, q_values, strict=True))
    return np.array([by_key[key] for key in keys])


def _sessions_of(candidate: Candidate) -> tuple[str, int, frozenset[str]]:
    return (
        candidate.look.comparison_id,
        candidate.sides.height,
        frozenset(candidate.shown["session_key"]),
    )


def _breach(candidate: Candidate, q_value: float) -> Breach:
    sides, comparison, look = candidate.sides, candidate.comparison, candidate.look
    newer, baseline = sides.filter("is_newer"), sides.filter(~pl.col("is_newer"))
    affected = newer.join(candidate.shown, on="session_key", how="semi")
    base_affected = baseline.join(candidate.shown, on="session_key", how="semi").height
    rates = _rates(affected.height, newer.height, base_affected, baseline.height)
    ratio = odds_ratio(candidate.distribution, 1 - (1 - CONFIDENCE) * look.share)
    severity = _severity(candidate.shown, affected)
    beyond = (rates["rate"] - rates["baseline_rate"]) * newer.height
    named = {name: part for name, part in candidate.parts._asdict().items() if name != "of_type"}
    return Breach(
        **named,
        **rates,
        type=candidate.parts.of_type or _commonest(candidate.shown),
        agent=comparison.agent,
        release=comparison.release,
        versus=comparison.versus,
        since=comparison.since,
        base_from=_bound(baseline["started_at"].min()),
        began_at=_bound(newer["started_at"].min()),
        until=_bound(newer["started_at"].max()),
        users=affected["user"].n_unique(),
        odds_ratio=ratio.value,
        odds_low=ratio.low,
        odds_high=ratio.high,
        p_value=candidate.p_value,
        q_value=q_value,
        look=look.number,
        level=look.level,
        severity=severity,
        impact=max(0.0, beyond) * severity,
        change=_change(candidate),
        session_keys=frozenset(affected["session_key"]),
    )


def _rates(hits: int, sessions: int, base_hits: int, base_sessions: int) -> dict[str, Any]:
    low, high = wilson_interval(hits, sessions)
    rise_low, rise_high = newcombe_interval(hits, sessions, base_hits, base_sessions)
    return {
        "affected": hits,
        "sessions": sessions,
        "baseline_affected": base_hits,
        "baseline_sessions": base_sessions,
        "rate": hits / sessions,
        "rate_low": low,
        "rate_high": high,
        "baseline_rate": base_hits / base_sessions,
        "rise_low": rise_low,
        "rise_high": rise_high,
    }


def _bound(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _commonest(shown: pl.DataFrame) -> str:
    counts = shown.group_by("type").len().sort("len", "type", descending=[True, False])
    return str(counts["type"][0])


def _severity(shown: pl.DataFrame, affected: pl.DataFrame) -> float:
    """Mean over the affected sessions of their gravest moment."""
    here = shown.join(affected, on="session_key", how="semi")
    gravest = here.group_by("session_key").agg(pl.col("severity").max())
    return float(gravest["severity"].sum() / max(gravest.height, 1))


def _change(candidate: Candidate) -> ChangePoint | None:
    hits = candidate.shown.select("session_key").unique().with_columns(hit=pl.lit(1))
    cells = (
        candidate.sides.join(hits, on="session_key", how="left")
        .with_columns(
            day=pl.col("started_at").dt.date(),
            begun=pl.col("started_at").min().over("release"),
        )
        .group_by("begun", "release", "day")
        .agg(hits=pl.col("hit").sum(), sessions=pl.len())
        .sort("begun", "release", "day", nulls_last=False)
    )
    columns = cells.select("release", "day", "hits", "sessions")
    return find_change([Cell(*row) for row in columns.iter_rows()])
