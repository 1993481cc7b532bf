"""Stage `facets`: the values of the current schema for each session."""

import orjson
import polars as pl

from facets.extraction import extract_facets
from facets.schema import FacetSchema
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.warehouse import query, replace_rows
from pipelines.warehouse.session_rows import load_sessions

_BATCH_SESSIONS = 200

# A session is read anew when the schema or the verdict beside it has changed.
_STALE = """
SELECT session_key, judgement_id, facets FROM judgements
WHERE current AND NOT EXISTS (
    FROM facet_values AS known WHERE known.session_key = judgements.session_key
        AND schema_version = ? AND known.judgement_id = judgements.judgement_id)
ORDER BY session_key
"""


def fill_facets(context: Context) -> dict[str, int]:
    """Extract facet values where they are missing or stale; sessions read."""
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
        stale = query(connection, _STALE, [schema.version])
    for batch in stale.iter_slices(_BATCH_SESSIONS):
        _fill(context, batch, schema)
    return {"sessions_read": stale.height}


def _fill(context: Context, batch: pl.DataFrame, schema: FacetSchema) -> None:
    with context.warehouse() as connection:
        sessions = load_sessions(connection, batch["session_key"].to_list())
    judged = {key: (judgement, facets) for key, judgement, facets in batch.iter_rows()}
    rows = pl.DataFrame(
        [
            {
                "session_key": session.key,
                "schema_version": schema.version,
                "facet": found.facet,
                "value": None if found.value is None else orjson.dumps(found.value).decode(),
                "provenance": found.provenance,
                "judgement_id": judged[session.key][0],
            }
            for session in sessions
            for found in extract_facets(session, schema, orjson.loads(judged[session.key][1]))
        ],
        schema_overrides={"value": pl.String()},
    )
    with context.warehouse() as connection:
        replace_rows(connection, "facet_values", rows)
