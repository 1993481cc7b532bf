"""Tasks whose effect is measured: what the warehouse holds of them, and the rows it is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isinf
from typing import Any

import duckdb
import polars as pl

from pipelines.effects import Effect
from pipelines.effects_exposure import (
    MOMENTS_SCHEMA,
    SESSIONS_SCHEMA,
    Exposure,
    Pattern,
    Selection,
)
from pipelines.effects_needed import Needed
from pipelines.merged_tasks import proposal_of
from pipelines.merges import Proposal
from pipelines.warehouse import query, replace_rows


@dataclass(frozen=True, slots=True)
class WatchedTask:
    """A task in state `watching`, with its latest proposal."""

    task_id: str
    agent: str
    pattern: Pattern
    proposal: Proposal
    merge_commit: str | None
    """None: a person said that it was merged, and git does not see it."""
    merged_at: datetime | None
    watched_since: datetime
    selection: Selection
    breached: tuple[str, ...]
    """Releases in which the pattern rose, the earliest first."""
    rate: float
    """Of the breach, at its lower bound: the least that was seen of the pattern."""
    rate_before_breach: float


_WATCHED = """
SELECT t.*, a.base_commit, a.branch, a.commit_sha, a.diff, m.commit_sha AS merge_commit,
    m.merged_at,
    (SELECT max(moved_at) FROM task_transitions AS w
     WHERE w.task_id = t.task_id AND to_state = 'watching') AS watched_since,
    (SELECT max(moved_at) FROM task_transitions AS o
     WHERE o.task_id = t.task_id AND to_state = 'open'
       AND (from_state IS NULL OR from_state = 'regressed')) AS selected_at
FROM patch_tasks AS t JOIN patch_attempts AS a USING (task_id)
LEFT JOIN task_merges AS m ON m.attempt_id = a.attempt_id
WHERE t.state = 'watching' AND a.status = 'proposed'
QUALIFY row_number() OVER (PARTITION BY t.task_id ORDER BY a.ended_at DESC, a.attempt_id) = 1
ORDER BY t.task_id
"""
_BREACHES = """
SELECT release, detected_at, rate_low, baseline_rate FROM breaches
WHERE task_id = ? ORDER BY type <> ?, tool IS DISTINCT FROM ?, detected_at, breach_id
"""
_EXPECTED_RATE, _EXPECTED_LATER = 0.3, 0.0
"""Of a task that no breach tells of."""


def watched_tasks(connection: duckdb.DuckDBPyConnection) -> list[WatchedTask]:
    """Every task in state `watching`, by id."""
    rows = query(connection, _WATCHED).iter_rows(named=True)
    return [_watched(connection, row) for row in rows]


def _watched(connection: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> WatchedTask:
    breaches = query(connection, _BREACHES, [row["task_id"], row["type"], row["tool"]])
    until = row["selected_at"] or row["created_at"]
    own = breaches.row(0, named=True) if breaches.height else {}
    in_order = breaches.sort("detected_at", maintain_order=True)
    later = in_order.filter(pl.col("detected_at") > until)
    return WatchedTask(
        task_id=row["task_id"],
        agent=row["agent"],
        pattern=Pattern(
            row["type"], row["tool"], row["error_class"], row["signature"], row["cluster_id"]
        ),
        proposal=proposal_of(row),
        merge_commit=row["merge_commit"],
        merged_at=row["merged_at"],
        watched_since=row["watched_since"] or row["updated_at"],
        selection=Selection(until, dict(later.select("release", "detected_at").iter_rows())),
        breached=tuple(dict.fromkeys(in_order["release"])),
        rate=own.get("rate_low", _EXPECTED_RATE),
        rate_before_breach=own.get("baseline_rate", _EXPECTED_LATER),
    )


_JUDGED = """
FROM sessions JOIN judgements USING (session_key, content_hash)
WHERE judgements.current AND judgements.status = 'judged' AND sessions.exclusion IS NULL
  AND sessions.release IS NOT NULL AND sessions.agent = ?
"""
_SESSIONS = f"""
SELECT session_key, release, is_autonomous, first_seen,
    concat_ws(' ', judge, judge_version, prompt_version, model, rubric_version) AS reader
{_JUDGED}
"""
_MOMENTS = f"""
SELECT m.session_key, m.type, m.tool, m.error_class, m.error_signature AS signature, c.cluster_id
FROM moments AS m SEMI JOIN (SELECT judgement_id {_JUDGED}) USING (judgement_id)
LEFT JOIN cluster_members AS i ON i.kind = 'friction' AND i.item_id = m.moment_id
LEFT JOIN clusters AS c ON c.kind = i.kind AND c.cluster = i.cluster
WHERE m.polarity = 'friction'
"""
_RELEASES = """
SELECT release, first_session_at, last_session_at FROM releases WHERE agent = ? ORDER BY release
"""


@dataclass(frozen=True, slots=True)
class AgentLog:
    """Judged sessions of an agent, their friction, its releases."""

    sessions: pl.DataFrame
    moments: pl.DataFrame
    releases: pl.DataFrame
    """release, first_session_at, last_session_at"""


def agent_log(connection: duckdb.DuckDBPyConnection, agent: str) -> AgentLog:
    """What the warehouse holds of the agent."""
    return AgentLog(
        query(connection, _SESSIONS, [agent]).cast(pl.Schema(SESSIONS_SCHEMA)),
        query(connection, _MOMENTS, [agent]).cast(pl.Schema(MOMENTS_SCHEMA)),
        query(connection, _RELEASES, [agent]),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """One measurement and what it came to."""

    task_id: str
    effect: Effect
    exposure: Exposure
    control: str | None
    needed: Needed | None
    """None: there is a verdict."""
    verdict: str
    reason: str


def write_look(
    connection: duckdb.DuckDBPyConnection, look: Look, run_id: str, now: datetime
) -> None:
    """A row of `effects`."""
    row = {"task_id": look.task_id, "measured_at": now, "run_id": run_id, **_figures(look.effect)}
    row |= {
        "verdict": look.verdict,
        "reason": look.reason,
        "control": look.control,
        "needed_before": look.needed.before if look.needed else None,
        "needed_after": look.needed.after if look.needed else None,
        "left_out_window": look.exposure.window,
        "left_out_release": look.exposure.unknown_release,
        "left_out_judge": look.exposure.other_judge,
    }
    replace_rows(connection, "effects", pl.DataFrame([row]))


def _figures(effect: Effect) -> Mapping[str, object]:
    before, after = effect.before, effect.after
    return {
        "affected_before": before.pattern.hits,
        "sessions_before": before.sessions,
        "affected_after": after.pattern.hits,
        "sessions_after": after.sessions,
        "control_before": before.control.hits,
        "control_after": after.control.hits,
        "change_low": effect.change.low,
        "change_high": effect.change.high,
        "odds_ratio": _finite(effect.ratio),
        "odds_ratio_low": effect.ratio_bounds.low,
        "odds_ratio_high": _finite(effect.ratio_bounds.high),
        "control_ratio": _finite(effect.against_control),
        "control_ratio_low": effect.against_control_bounds.low,
        "control_ratio_high": _finite(effect.against_control_bounds.high),
        "way": effect.way,
        "is_look": effect.is_look,
        "waiting": effect.waiting,
    }


def _finite(value: float | None) -> float | None:
    """Null where there is no bound: infinity is no number to a reader of JSON."""
    return None if value is None or isinf(value) else value
