"""Stage `clusters`: moment descriptions and session summaries, clustered apart, and named."""

import duckdb
import numpy as np
import polars as pl

from agent_core.embedding import Embedder
from facets.clustering import Clustering, cluster
from facets.evolution import map_to_schema
from facets.naming import name_clusters
from facets.schema import FacetSchema
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.warehouse import query, replace_rows, transaction

KINDS = ("friction", "delight", "session")

_MOMENTS = """
SELECT moment_id AS item_id, descriptor AS text, type, session_key, user_id, vector
FROM moments JOIN sessions USING (session_key)
JOIN embeddings ON text_hash = md5(descriptor) AND model = $model
WHERE polarity = $kind ORDER BY moment_id
"""
_SUMMARIES = """
SELECT session_key AS item_id, summary AS text, '' AS type, session_key, user_id, vector
FROM judgements JOIN sessions USING (session_key)
JOIN embeddings ON text_hash = md5(summary) AND embeddings.model = $model
WHERE current ORDER BY session_key
"""


def items_of(connection: duckdb.DuckDBPyConnection, kind: str, model_id: str) -> pl.DataFrame:
    """item_id, text, type, session_key, user_id and vector of what is clustered as `kind`."""
    if kind == "session":
        return query(connection, _SUMMARIES, {"model": model_id})
    return query(connection, _MOMENTS, {"model": model_id, "kind": kind})


def vectors_of(items: pl.DataFrame) -> np.ndarray:
    """The items' vectors as float32, shape (n, dimensions)."""
    if not items.height:
        return np.empty((0, 0), dtype=np.float32)
    return np.stack(items["vector"].to_list()).astype(np.float32)


def cluster_items(context: Context) -> dict[str, int]:
    """Cluster every kind anew and return clusters and noise by kind.

    Density clusters alone: an item that lies in none is noise (-1) and stays so.
    """
    model_id = Embedder(context.config.embedding.model_dir).model_id
    counts: dict[str, int] = {}
    for kind in KINDS:
        with context.warehouse() as connection:
            schema = ensure_schema(connection, context.clock())
            items = items_of(connection, kind, model_id)
        found = cluster(vectors_of(items), assign="core")
        clusters = _cluster_rows(kind, items, found, schema, context.run_id)
        with context.warehouse() as connection, transaction(connection):
            _write(connection, kind, clusters, _member_rows(kind, items, found))
        counts[f"{kind}_clusters"] = clusters.height
        counts[f"{kind}_noise"] = int((found.labels == -1).sum())
    return counts


def _cluster_rows(
    kind: str, items: pl.DataFrame, found: Clustering, schema: FacetSchema, run_id: str
) -> pl.DataFrame:
    labelled = items.with_columns(cluster=pl.Series(found.labels, dtype=pl.Int64))
    sizes = (
        labelled.filter(pl.col("cluster") >= 0)
        .group_by("cluster")
        .agg(
            size=pl.len().cast(pl.Int64),
            sessions=pl.col("session_key").n_unique().cast(pl.Int64),
            users=pl.col("user_id").fill_null("").n_unique().cast(pl.Int64),
        )
        .sort("cluster")
    )
    names = name_clusters(items["text"].to_list(), found.labels)
    maps_to = {} if kind == "session" else map_to_schema(items, found.labels, schema, kind)
    numbers = sizes["cluster"].to_list()
    persistence = [float(found.persistence[number]) for number in numbers]
    return sizes.with_columns(
        kind=pl.lit(kind),
        run_id=pl.lit(run_id),
        name=pl.Series([names[number].name for number in numbers], dtype=pl.String),
        terms=pl.Series(
            [list(names[number].terms) for number in numbers], dtype=pl.List(pl.String)
        ),
        maps_to=pl.Series([maps_to.get(number) for number in numbers], dtype=pl.String),
        persistence=pl.Series(persistence, dtype=pl.Float64).fill_nan(None),
    )


def _member_rows(kind: str, items: pl.DataFrame, found: Clustering) -> pl.DataFrame:
    return items.select("item_id").with_columns(
        kind=pl.lit(kind),
        cluster=pl.Series(found.labels, dtype=pl.Int64),
        probability=pl.Series(found.probabilities, dtype=pl.Float64),
    )


def _write(
    connection: duckdb.DuckDBPyConnection, kind: str, clusters: pl.DataFrame, members: pl.DataFrame
) -> None:
    for table, rows in (("clusters", clusters), ("cluster_members", members)):
        connection.execute(f"DELETE FROM {table} WHERE kind = ?", [kind])
        replace_rows(connection, table, rows)
