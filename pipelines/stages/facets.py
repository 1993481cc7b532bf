"""Stage `facets`: the values of the current schema for each session, older ones within a budget."""

from datetime import datetime, timedelta

import polars as pl

from agent_core.session import Session
from facets.extraction import Value, values_from_log
from facets.schema import FacetSchema
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.stages.facet_values import (
    VALUES_SCHEMA,
    as_json,
    carry_over_log_values,
    missing_log_values,
    refresh_told_values,
)
from pipelines.warehouse import replace_rows, transaction
from pipelines.warehouse.session_rows import load_sessions

_BATCH_SESSIONS = 200


def fill_facets(context: Context) -> dict[str, int]:
    """Fill in what is missing or stale; return sessions read and values told without reading.

    A log is read where its session is new, and, within `[facets]`'s budget and the newest first,
    where the schema has a facet that was never read from it: `pending` such sessions are left to
    the next run. What is written stays, wherever a run is killed.
    """
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
        with transaction(connection):
            told = refresh_told_values(connection, schema, context.config.embedding)
            carry_over_log_values(connection, schema)
        missing = missing_log_values(connection, schema)
    new, older = missing.filter("is_new"), missing.filter(~pl.col("is_new"))
    _read(context, new, schema, until=None)
    within = older.head(context.config.facets.backfill_sessions or older.height)
    filled = _read(context, within, schema, until=_end_of_budget(context))
    return {
        "sessions_read": new.height,
        "backfilled": filled,
        "pending": older.height - filled,
        "values_told": told,
    }


def _end_of_budget(context: Context) -> datetime | None:
    seconds = context.config.facets.backfill_seconds
    return context.clock() + timedelta(seconds=seconds) if seconds else None


def _read(
    context: Context, missing: pl.DataFrame, schema: FacetSchema, *, until: datetime | None
) -> int:
    """Read one batch after the other until then, the first whatever the time; sessions read."""
    done = 0
    for batch in missing.iter_slices(_BATCH_SESSIONS):
        if done and until is not None and context.clock() >= until:
            break
        _fill(context, batch, schema)
        done += batch.height
        context.progress("sessions read for facets", done, missing.height)
    return done


def _fill(context: Context, batch: pl.DataFrame, schema: FacetSchema) -> None:
    with context.warehouse() as connection:
        loaded = {one.key: one for one in load_sessions(connection, batch["session_key"].to_list())}
    rows = [
        (key, schema.version, facet, as_json(value), "log", judgement)
        for key, judgement, facets in batch.drop("is_new").iter_rows()
        for facet, value in _values(loaded.get(key), schema, facets).items()
    ]
    with context.warehouse() as connection:
        replace_rows(
            connection, "facet_values", pl.DataFrame(rows, schema=VALUES_SCHEMA, orient="row")
        )


def _values(session: Session | None, schema: FacetSchema, facets: list[str]) -> dict[str, Value]:
    """By facet; None, not known, where the log is not there any more."""
    if session is None or not session.steps:
        return dict.fromkeys(facets)
    return {found.facet: found.value for found in values_from_log(session, schema, facets)}
