"""Stage `measures`: quantities of each session's log, for sessions that are new or have changed."""

import polars as pl

from facets.measures import MEASURES, MEASURES_VERSION, measure_session
from pipelines.context import Context
from pipelines.warehouse import query, replace_rows, transaction
from pipelines.warehouse.session_rows import load_sessions

_BATCH_STEPS = 5_000

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
    measured = 0
    batches = (stale["steps"].cum_sum() // _BATCH_STEPS).alias("batch")
    for batch in stale.with_columns(batches).partition_by("batch", maintain_order=True):
        _measure(context, batch)
        measured += batch.height
        context.progress("sessions measured", measured, stale.height)
    return {"sessions_measured": measured}


def _measure(context: Context, batch: pl.DataFrame) -> None:
    with context.warehouse() as connection:
        sessions = load_sessions(connection, batch["session_key"].to_list())
    hashes = dict(batch.select("session_key", "content_hash").iter_rows())
    rows = [
        (session.key, measure, hashes[session.key], MEASURES_VERSION, value)
        for session in sessions
        for measure, value in measure_session(session).items()
    ]
    frame = pl.DataFrame(rows, schema=_ROWS_SCHEMA, orient="row")
    with context.warehouse() as connection, transaction(connection):
        replace_rows(connection, "session_measures", frame)
