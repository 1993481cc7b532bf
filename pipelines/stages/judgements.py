"""Stage `judgements`: every selected session is judged once for its content and the judge.

The warehouse is open while sessions are loaded and verdicts are written, never in between.
"""

import hashlib
import traceback
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import orjson
import polars as pl

from agent_core.errors import SignalsError
from agent_core.session import Session
from judges.verdict import Judge, JudgeIdentity, Judgement
from pipelines.context import Context
from pipelines.warehouse import query, replace_rows
from pipelines.warehouse.session_rows import load_sessions

MAX_ATTEMPTS = 3
_RETRY_AFTER = timedelta(days=1)
_BATCH_STEPS = 20_000
# Columns that may be null in every row of a batch: nothing to infer a type from.
_NULLABLE: dict[str, pl.DataType] = {
    "reason": pl.String(),
    "friction_score": pl.Float64(),
    "delight_score": pl.Float64(),
}


def judge_sessions(
    context: Context, judge: Judge, *, limit: int | None = None, needs_idle: bool = False
) -> dict[str, int]:
    """Judge what has no verdict of `judge` yet and return counts by status.

    `needs_idle`: leave sessions for later that were active within `[judge] idle_hours` (a model
    is paid for each version of a session, the rules are not). An unscored session is tried again
    a day later, three times in all. Raises ModelError when the endpoint cannot be used at all.
    """
    with context.warehouse() as connection:
        waiting = _waiting(connection, judge.identity, context.clock())
        idle = _idle(waiting, context) if needs_idle else waiting
    chosen = idle.head(limit) if limit is not None else idle
    counts: Counter[str] = Counter(not_idle_yet=waiting.height - idle.height)
    counts["over_limit"] = idle.height - chosen.height
    for keys in _batches(chosen):
        with context.warehouse() as connection:
            sessions = load_sessions(connection, keys)
        judgements = [judge_one(judge, session) for session in sessions]
        with context.warehouse() as connection:
            _write(connection, judgements, context.clock())
        counts.update(judgement.status for judgement in judgements)
        counts["moments"] += sum(len(judgement.moments) for judgement in judgements)
        counts["tokens_sent"] += sum(judgement.tokens_sent for judgement in judgements)
        context.progress("sessions judged", counts["judged"] + counts["unscored"], chosen.height)
    return dict(counts)


def _waiting(
    connection: duckdb.DuckDBPyConnection, identity: JudgeIdentity, now: datetime
) -> pl.DataFrame:
    return query(
        connection,
        """
        SELECT session_key, steps, coalesce(ended_at, started_at, first_seen) AS active_at
        FROM sessions WHERE exclusion IS NULL AND NOT EXISTS (
            FROM judgements AS known
            WHERE known.session_key = sessions.session_key
              AND known.content_hash = sessions.content_hash
              AND (judge, judge_version, prompt_version, model, rubric_version) = (?, ?, ?, ?, ?)
              AND (status <> 'unscored' OR attempts >= ? OR judged_at > ?))
        ORDER BY session_key
        """,
        [
            identity.judge,
            identity.judge_version,
            identity.prompt_version,
            identity.model,
            identity.rubric_version,
            MAX_ATTEMPTS,
            now - _RETRY_AFTER,
        ],
    )


def _idle(waiting: pl.DataFrame, context: Context) -> pl.DataFrame:
    quiet_since = context.clock() - timedelta(hours=context.config.judge.idle_hours)
    return waiting.filter(pl.col("active_at") <= quiet_since)


def _batches(chosen: pl.DataFrame) -> list[list[str]]:
    numbers = (chosen["steps"].cum_sum() // _BATCH_STEPS).alias("batch")
    groups = chosen.with_columns(numbers).partition_by("batch", maintain_order=True)
    return [group["session_key"].to_list() for group in groups]


def judge_one(judge: Judge, session: Session) -> Judgement:
    """A judgement whatever happens to one session; what is systemic is raised."""
    try:
        return judge(session)
    except SignalsError:
        raise
    except Exception as error:  # noqa: BLE001 - the per-session edge: a failure becomes a row
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"the judge failed: {type(error).__name__} in {place.name} line {place.lineno}"
        return Judgement(session.key, judge.identity, "unscored", reason=reason)


def _write(
    connection: duckdb.DuckDBPyConnection, judgements: Sequence[Judgement], now: datetime
) -> None:
    hashes = dict(
        connection.execute(
            "SELECT session_key, content_hash FROM sessions "
            "WHERE session_key IN (SELECT unnest(?))",
            [[judgement.session_key for judgement in judgements]],
        ).fetchall()
    )
    rows = pl.DataFrame(
        [_row(judgement, hashes[judgement.session_key], now) for judgement in judgements],
        schema_overrides=_NULLABLE,
    )
    known = query(connection, "SELECT judgement_id, attempts AS before FROM judgements")
    rows = rows.join(known, on="judgement_id", how="left").with_columns(
        (pl.col("before").fill_null(0) + 1).alias("attempts")
    )
    replace_rows(connection, "judgements", rows.drop("before"))


def _row(judgement: Judgement, content_hash: str, now: datetime) -> dict[str, Any]:
    identity = judgement.identity
    parts = (judgement.session_key, content_hash, identity.judge, identity.judge_version,
             identity.prompt_version, identity.model, identity.rubric_version)  # fmt: skip
    return {
        "judgement_id": hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32],
        "session_key": judgement.session_key,
        "content_hash": content_hash,
        "judge": identity.judge,
        "judge_version": identity.judge_version,
        "prompt_version": identity.prompt_version,
        "model": identity.model,
        "rubric_version": identity.rubric_version,
        "status": judgement.status,
        "reason": judgement.reason,
        "summary": judgement.summary,
        "friction_score": judgement.friction_score,
        "delight_score": judgement.delight_score,
        "facets": orjson.dumps(dict(judgement.facets or {})).decode(),
        "moments": orjson.dumps(judgement.moments).decode(),
        "turns": orjson.dumps(judgement.turns).decode(),
        "tokens_sent": judgement.tokens_sent,
        "tokens_received": judgement.tokens_received,
        "judged_at": now,
        "current": False,
    }
