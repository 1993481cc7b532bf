"""Rows of judgements: which sessions wait for a judge's verdict, and how a verdict is kept."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime, timedelta
from typing import Any

import duckdb
import orjson
import polars as pl

from agent_core.session import Session
from judges.publication import Sealed
from judges.verdict import JudgeIdentity, Judgement
from pipelines.context import Context
from pipelines.stages.batch_requests import IS_BY_JUDGE, STILL_EXPECTED, pending_sessions
from pipelines.stages.model_replies import MAX_ATTEMPTS
from pipelines.warehouse import query, replace_rows
from pipelines.warehouse.session_rows import load_sessions

_RETRY_AFTER = timedelta(days=1)
_BATCH_STEPS = 20_000
"""Steps that are in memory at once."""
# Columns that may be null in every row of a batch: nothing to infer a type from.
_NULLABLE: dict[str, pl.DataType] = {
    "reason": pl.String(),
    "friction_score": pl.Float64(),
    "delight_score": pl.Float64(),
    "cost_usd": pl.Float64(),
}


def waiting_sessions(
    connection: duckdb.DuckDBPyConnection, identity: JudgeIdentity, now: datetime
) -> pl.DataFrame:
    """Selected sessions without a verdict of this judge: key, content_hash, steps, active_at.

    One that is pending does not wait, until its batches are given up or gone.
    """
    return query(
        connection,
        f"""
        SELECT session_key, content_hash, steps,
               coalesce(ended_at, started_at, first_seen) AS active_at
        FROM sessions WHERE exclusion IS NULL AND content_hash IS NOT NULL AND NOT EXISTS (
            FROM judgements AS known
            WHERE known.session_key = sessions.session_key
              AND known.content_hash = sessions.content_hash
              AND {IS_BY_JUDGE}
              AND CASE status WHEN 'unscored' THEN attempts >= ? OR judged_at > ?
                              WHEN 'pending' THEN EXISTS ({STILL_EXPECTED}) ELSE true END)
        ORDER BY session_key
        """,
        [*astuple(identity), MAX_ATTEMPTS, now - _RETRY_AFTER, now],
    )


def idle_sessions(waiting: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Those that were quiet for `[judge] idle_hours`: a model is not paid for each version."""
    return waiting.filter(pl.col("active_at") <= quiet_since(context))


def quiet_since(context: Context) -> datetime:
    """A session that was active after this moment waits before a model is paid for it."""
    return context.clock() - timedelta(hours=context.config.judge.idle_hours)


def batches_of_sessions(chosen: pl.DataFrame, most_steps: int | None = None) -> list[pl.DataFrame]:
    """Sessions in their order, of so many steps at once; default: as memory should hold."""
    numbers = (chosen["steps"].cum_sum() // (most_steps or _BATCH_STEPS)).alias("batch")
    return chosen.with_columns(numbers).partition_by("batch", maintain_order=True)


def load_unchanged(connection: duckdb.DuckDBPyConnection, batch: pl.DataFrame) -> list[Session]:
    """Sessions that still hold what they held when they were chosen; others wait for next time."""
    now = query(
        connection,
        "SELECT session_key, content_hash FROM sessions "
        "WHERE exclusion IS NULL AND session_key IN (SELECT unnest(?))",
        [batch["session_key"].to_list()],
    )
    same = batch.join(now, on=["session_key", "content_hash"], how="semi")
    return load_sessions(connection, same["session_key"].to_list())


def load_unjudged(
    connection: duckdb.DuckDBPyConnection,
    batch: pl.DataFrame,
    identity: JudgeIdentity,
    now: datetime,
) -> list[Session]:
    """As `load_unchanged`, without those that another run has judged or handed in meanwhile."""
    waiting = waiting_sessions(connection, identity, now)
    going = pending_sessions(connection, identity).select(waiting.columns)
    same = ["session_key", "content_hash"]
    return load_unchanged(connection, batch.join(pl.concat([waiting, going]), on=same, how="semi"))


def write_judgements(
    connection: duckdb.DuckDBPyConnection,
    judgements: Sequence[Sealed],
    hashes: Mapping[str, str],
    now: datetime,
    *,
    untried: Collection[str] = (),
) -> None:
    """Keep verdicts under the content that the judge saw; attempts and their tokens add up.

    A verdict that stands is replaced by another alone, never by a reason or a batch. The unscored
    sessions in `untried` were not attempted: nothing of them was looked at.
    """
    rows = pl.DataFrame(
        [_row(judgement, hashes[judgement.session_key], now) for judgement in judgements],
        schema_overrides=_NULLABLE,
    )
    known = query(
        connection,
        "SELECT judgement_id, status AS stands, attempts, tokens_sent AS sent, "
        "tokens_cached AS cached, tokens_received AS received, cost_usd AS cost FROM judgements "
        "WHERE judgement_id IN (SELECT unnest(?))",
        [rows["judgement_id"].to_list()],
    )
    before = rows.join(known, on="judgement_id", how="left").filter(
        (pl.col("status") == "judged") | pl.col("stands").ne_missing("judged")
    )
    is_attempt = (pl.col("status") != "pending") & ~pl.col("session_key").is_in(list(untried))
    added = before.with_columns(
        # In a batch it is not tried yet: an attempt ends with a verdict or a reason.
        attempts=pl.col("attempts").fill_null(0) + is_attempt,
        tokens_sent=pl.col("tokens_sent") + pl.col("sent").fill_null(0),
        tokens_cached=pl.col("tokens_cached") + pl.col("cached").fill_null(0),
        tokens_received=pl.col("tokens_received") + pl.col("received").fill_null(0),
        # Null plus a cost is null: of what cost an unknown sum no total is known.
        cost_usd=pl.when(pl.col("sent").fill_null(0) == 0)
        .then("cost_usd")
        .when(pl.col("tokens_sent") == 0)
        .then("cost")
        .otherwise(pl.col("cost_usd") + pl.col("cost")),
    )
    replace_rows(
        connection, "judgements", added.drop("stands", "sent", "cached", "received", "cost")
    )


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
        "tokens_cached": judgement.tokens_cached,
        "tokens_received": judgement.tokens_received,
        "cost_usd": judgement.cost_usd,
        "judged_at": now,
        "current": False,
    }


def counted(judgements: Sequence[Judgement]) -> Counter[str]:
    """Judgements by status, with the moments found and what they took.

    `cost_micro_usd` adds up the costs that are known, `cost_unknown` counts those that are not.
    """
    counts = Counter[str](judgement.status for judgement in judgements)
    counts["moments"] = sum(len(judgement.moments) for judgement in judgements)
    counts["tokens_sent"] = sum(judgement.tokens_sent for judgement in judgements)
    counts["tokens_cached"] = sum(judgement.tokens_cached for judgement in judgements)
    counts["tokens_received"] = sum(judgement.tokens_received for judgement in judgements)
    paid = [judgement.cost_usd for judgement in judgements if judgement.tokens_sent]
    counts["cost_micro_usd"] = sum(round(cost * 1e6) for cost in paid if cost is not None)
    counts["cost_unknown"] = paid.count(None)
    return counts
