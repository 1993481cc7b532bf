"""Stage `clusters`: moment descriptions and session summaries clustered apart, named, and held
against the schema; what maps to nothing in it becomes a proposal."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from agent_core.embedding import Embedder
from facets.clustering import NOISE, Clustering, cluster
from facets.evolution import Discovery, Floors, discover
from facets.naming import name_clusters
from facets.proposal import Proposal
from facets.schema import FacetSchema
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.warehouse import query, replace_rows, transaction

_POLARITIES = ("friction", "delight")

_CLUSTER_SCHEMA: dict[str, pl.DataType] = {
    "cluster": pl.Int64(),
    "name": pl.String(),
    "terms": pl.List(pl.String()),
    "size": pl.Int64(),
    "sessions": pl.Int64(),
    "users": pl.Int64(),
    "maps_to": pl.String(),
    "persistence": pl.Float64(),
}

_MOMENTS = """
SELECT moment_id AS item_id, descriptor AS text, type, session_key, user_id, vector
FROM moments JOIN sessions USING (session_key)
JOIN embeddings ON text_hash = md5(descriptor) AND model = $model
WHERE polarity = $kind ORDER BY moment_id
"""
_SUMMARIES = """
SELECT session_key AS item_id, summary AS text, session_key, user_id, vector
FROM judgements JOIN sessions USING (session_key)
JOIN embeddings ON text_hash = md5(summary) AND embeddings.model = $model
WHERE current ORDER BY session_key
"""


def cluster_items(context: Context) -> dict[str, int]:
    """Cluster every kind anew; return clusters and noise by kind, and proposals.

    What stands in no dense part is noise (-1) and stays so. A proposal is kept once: one that a
    person decided on is not made again.
    """
    model_id = Embedder(context.config.embedding.model_dir).model_id
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
    counts = _cluster_summaries(context, model_id)
    proposals: list[Proposal] = []
    for polarity in _POLARITIES:
        found = _discover(context, polarity, schema, model_id)
        proposals += found.proposals
        counts |= _counted(polarity, found.clustering)
    with context.warehouse() as connection, transaction(connection):
        new = _store_proposals(connection, proposals, context)
    return {**counts, "proposals": len(proposals), "proposals_new": new}


def _discover(context: Context, polarity: str, schema: FacetSchema, model_id: str) -> Discovery:
    with context.warehouse() as connection:
        items = query(connection, _MOMENTS, {"model": model_id, "kind": polarity})
    floors = Floors(context.config.min_sessions, context.config.min_users)
    found = discover(items.drop("vector"), _vectors(items), schema, polarity, floors=floors)
    rows = [
        {name: getattr(summary, name) for name in _CLUSTER_SCHEMA} for summary in found.clusters
    ]
    _write(context, polarity, items, found.clustering, rows)
    return found


def _cluster_summaries(context: Context, model_id: str) -> dict[str, int]:
    """Sessions by what their summaries say; there is no schema of kinds of sessions."""
    with context.warehouse() as connection:
        items = query(connection, _SUMMARIES, {"model": model_id})
    found = cluster(_vectors(items), assign="core")
    names = name_clusters(items["text"].to_list(), found.labels)
    rows = []
    for label in range(found.count):
        members = items.filter(pl.Series(found.labels == label))
        rows.append(
            {
                "cluster": label,
                "name": names[label].name,
                "terms": names[label].terms,
                "size": members.height,
                "sessions": members["session_key"].n_unique(),
                "users": members["user_id"].n_unique(),
                "maps_to": None,
                "persistence": float(found.persistence[label]),
            }
        )
    _write(context, "session", items, found, rows)
    return _counted("session", found)


def _vectors(items: pl.DataFrame) -> NDArray[np.float32]:
    """The items' vectors, shape (n, dimension); (0, 0) without items."""
    if not items.height:
        return np.empty((0, 0), dtype=np.float32)
    return np.stack(items["vector"].to_list()).astype(np.float32)


def _write(
    context: Context,
    kind: str,
    items: pl.DataFrame,
    found: Clustering,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    constants = {"kind": pl.lit(kind), "run_id": pl.lit(context.run_id)}
    clusters = pl.DataFrame(rows, schema=_CLUSTER_SCHEMA).with_columns(
        pl.col("persistence").fill_nan(None), **constants
    )
    members = items.select("item_id").with_columns(
        kind=constants["kind"],
        cluster=pl.Series(found.labels, dtype=pl.Int64),
        probability=pl.Series(found.probabilities, dtype=pl.Float64),
    )
    with context.warehouse() as connection, transaction(connection):
        for table, frame in (("clusters", clusters), ("cluster_members", members)):
            connection.execute(f"DELETE FROM {table} WHERE kind = ?", [kind])
            replace_rows(connection, table, frame)


def _counted(kind: str, found: Clustering) -> dict[str, int]:
    return {f"{kind}_clusters": found.count, f"{kind}_noise": int((found.labels == NOISE).sum())}


def _store_proposals(
    connection: duckdb.DuckDBPyConnection, proposals: Sequence[Proposal], context: Context
) -> int:
    known = query(connection, "SELECT proposal_id FROM schema_proposals")["proposal_id"].to_list()
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
    if rows:
        frame = pl.DataFrame(rows, schema_overrides={"stability": pl.Float64()})
        replace_rows(connection, "schema_proposals", frame)
    return len(new)
