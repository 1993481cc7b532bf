"""Stage `facets`: what is known about each session, and what the schema has no name for yet."""

import duckdb
import orjson
import polars as pl

from agent_core.embedding import Embedder
from facets.evolution import Floors, propose
from facets.extraction import extract_facets
from facets.proposal import Proposal
from facets.schema import FacetSchema
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.stages.clusters import items_of, vectors_of
from pipelines.warehouse import query, replace_rows, transaction
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
    """Extract facet values where they are missing, make proposals, return counts."""
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
        stale = query(connection, _STALE, [schema.version])
    for batch in stale.iter_slices(_BATCH_SESSIONS):
        _fill(context, batch, schema)
    return {"sessions_read": stale.height, **_propose(context, schema)}


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


def _propose(context: Context, schema: FacetSchema) -> dict[str, int]:
    model_id = Embedder(context.config.embedding.model_dir).model_id
    floors = Floors(context.config.min_sessions, context.config.min_users)
    proposals: list[Proposal] = []
    for polarity in ("friction", "delight"):
        with context.warehouse() as connection:
            items = items_of(connection, polarity, model_id)
        proposals += propose(items.drop("vector"), vectors_of(items), schema, polarity, floors)
    with context.warehouse() as connection, transaction(connection):
        new = _store(connection, proposals, context)
    return {"proposals": len(proposals), "proposals_new": new}


def _store(
    connection: duckdb.DuckDBPyConnection, proposals: list[Proposal], context: Context
) -> int:
    """Keep each proposal once; one that a person decided on is not made again."""
    known = {row[0] for row in connection.execute("SELECT proposal_id FROM schema_proposals"
                                                  ).fetchall()}  # fmt: skip
    new = [proposal for proposal in proposals if proposal.proposal_id not in known]
    rows = [
        {
            "proposal_id": proposal.proposal_id,
            "kind": proposal.kind,
            "target": proposal.target,
            "name": proposal.name,
            "definition": proposal.definition,
            "support": proposal.support,
            "sessions": proposal.sessions,
            "users": proposal.users,
            "stability": proposal.stability,
            "evidence": orjson.dumps(dict(proposal.evidence)).decode(),
            "status": "open",
            "created_at": context.clock(),
        }
        for proposal in new
    ]
    replace_rows(
        connection,
        "schema_proposals",
        pl.DataFrame(rows, schema_overrides={"stability": pl.Float64()} if rows else None),
    )
    return len(new)
