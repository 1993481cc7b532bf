"""Stage `measures`: quantities of each session's log, for sessions that are new or have changed."""

from collections.abc import Sequence

import polars as pl

from agent_core.session import Session
from facets.measures import MEASURES, MEASURES_VERSION, measure_session
from pipelines.context import Context
from pipelines.warehouse import query, replace_rows, transaction
from pipelines.warehouse.session_rows import load_sessions

_BATCH_STEPS = 10_000

_ROWS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "measure": pl.String(),
    "content_hash": pl.String(),
    "version": pl.Int64(),
    "value": pl.Float64(),
}
# A session that was measured in part, by a version that knew fewer measures, is measured anew.
_STALE = """
SELECT session_key, content_hash, steps FROM sessions
WHERE exclusion IS NULL AND content_hash IS NOT NULL AND (
    SELECT count(*) FROM session_measures AS known
    WHERE known.session_key = sessions.session_key
      AND known.content_hash = sessions.content_hash AND known.version = $version
      AND known.measure IN (SELECT unnest($measures::VARCHAR[]))) < len($measures)
ORDER BY session_key
"""
# What is measured no more, and sessions that are gone, leave nothing behind.
_FORGOTTEN = """
DELETE FROM session_measures
WHERE measure NOT IN (SELECT unnest($measures::VARCHAR[]))
   OR session_key NOT IN (SELECT session_key FROM sessions)
"""


def fill_measures(context: Context) -> dict[str, int]:
    """Measure what is new or has changed; sessions measured.

    Batch by batch: what a killed run has measured stays measured.
    """
    asked: dict[str, object] = {"measures": list(MEASURES)}
    with context.warehouse() as connection:
        connection.execute(_FORGOTTEN, asked)
        stale = query(connection, _STALE, {**asked, "version": MEASURES_VERSION})
    rows = pl.DataFrame(schema=_ROWS_SCHEMA)
    measured = 0
    batches = (stale["steps"].cum_sum() // _BATCH_STEPS).alias("batch")
    for batch in stale.with_columns(batches).partition_by("batch", maintain_order=True):
        sessions = _exchange(context, rows, batch["session_key"].to_list())
        rows = _measured(sessions, batch)
        measured += batch.height
        context.progress("sessions measured", measured, stale.height)
    _exchange(context, rows, [])
    return {"sessions_measured": measured}


def _exchange(context: Context, rows: pl.DataFrame, keys: list[str]) -> list[Session]:
    """Keep what the last batch gave, and load the next, while the warehouse is open once."""
    with context.warehouse() as connection:
        with transaction(connection):
            replace_rows(connection, "session_measures", rows)
        return load_sessions(connection, keys) if keys else []


def _measured(sessions: Sequence[Session], batch: pl.DataFrame) -> pl.DataFrame:
    """Rows of `session_measures`, every measure of every session."""
    values = [value for one in sessions for value in measure_session(one).values()]
    keys = [one.key for one in sessions]
    rows = pl.DataFrame({"session_key": keys}, schema={"session_key": pl.String})
    named = rows.join(pl.DataFrame({"measure": list(MEASURES)}), how="cross", maintain_order="left")
    return (
        named.with_columns(
            value=pl.Series(values, dtype=pl.Float64), version=pl.lit(MEASURES_VERSION, pl.Int64)
        )
        .join(batch.select("session_key", "content_hash"), on="session_key", maintain_order="left")
        .select(*_ROWS_SCHEMA)
    )
