"""Clusters out of the warehouse and into it: rows that keep an identity from run to run."""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import polars as pl

from facets.clustering import Clustering
from facets.clustering_regions import Labels
from facets.evolution import Rejected
from facets.identity import KnownCluster
from facets.prototype import Prototype
from pipelines.context import Context
from pipelines.warehouse import query, replace_rows, transaction

CLUSTERS_SCHEMA: dict[str, pl.DataType] = {
    "cluster": pl.Int64(),
    "cluster_id": pl.String(),
    "name": pl.String(),
    "definition": pl.String(),
    "terms": pl.List(pl.String()),
    "size": pl.Int64(),
    "sessions": pl.Int64(),
    "users": pl.Int64(),
    "maps_to": pl.String(),
    "persistence": pl.Float64(),
    "parent": pl.Int64(),
    "coherence": pl.Float64(),
    "centroid": pl.List(pl.Float32()),
    "reach": pl.Float64(),
}
"""Rows of `clusters`, but for kind, model and run."""

_KNOWN = """
SELECT cluster_id, centroid, list(item_id ORDER BY item_id) AS members
FROM clusters JOIN cluster_members USING (kind, cluster)
WHERE kind = $kind AND model = $model AND cluster_id IS NOT NULL
GROUP BY ALL ORDER BY cluster_id
"""
_REJECTED = """
SELECT cluster_id, prototype FROM schema_proposals
WHERE status = 'rejected' AND kind IN ('new_type', 'new_value') AND target = $target
ORDER BY proposal_id
"""


class ClusteredItems(NamedTuple):
    """All clusters of one kind: rows (CLUSTERS_SCHEMA) and the cluster of each item."""

    kind: str
    model: str
    rows: pl.DataFrame
    item_ids: Sequence[str]
    labels: Labels
    probabilities: Sequence[float]


def known_clusters(
    connection: duckdb.DuckDBPyConnection, kind: str, model: str
) -> list[KnownCluster]:
    """The clusters of one kind that the last run found, in vectors of the same model."""
    rows = query(connection, _KNOWN, {"kind": kind, "model": model})
    return [
        KnownCluster(cluster_id, np.array(centroid, dtype=np.float64), frozenset(members))
        for cluster_id, centroid, members in rows.iter_rows()
    ]


def rejected_proposals(connection: duckdb.DuckDBPyConnection, target: str) -> list[Rejected]:
    """What a person turned down."""
    rows = query(connection, _REJECTED, {"target": target})
    return [
        Rejected(cluster_id, Prototype.model_validate_json(document) if document else None)
        for cluster_id, document in rows.iter_rows()
    ]


def replace_clusters(context: Context, found: ClusteredItems) -> None:
    """Put the clusters of a kind in the place of the last run's, and add to their history."""
    clusters = found.rows.with_columns(
        kind=pl.lit(found.kind), model=pl.lit(found.model), run_id=pl.lit(context.run_id)
    )
    members = pl.DataFrame(
        {
            "item_id": pl.Series(found.item_ids, dtype=pl.String()),
            "cluster": pl.Series(found.labels, dtype=pl.Int64()),
            "probability": pl.Series(found.probabilities, dtype=pl.Float64()),
        }
    ).with_columns(kind=pl.lit(found.kind))
    history = clusters.select(
        "cluster_id", "run_id", "kind", "name", "size", "sessions", "users",
        found_at=pl.lit(context.clock()),
    )  # fmt: skip
    with context.warehouse() as connection, transaction(connection):
        for table, frame in (("clusters", clusters), ("cluster_members", members)):
            connection.execute(f"DELETE FROM {table} WHERE kind = ?", [found.kind])
            replace_rows(connection, table, frame)
        replace_rows(connection, "cluster_history", history)


def geometry(clustering: Clustering, label: int) -> dict[str, object]:
    """What a row has of where its cluster lies."""
    parent = int(clustering.parents[label])
    persistence = float(clustering.persistence[label])
    return {
        "persistence": None if np.isnan(persistence) else persistence,
        "parent": None if parent < 0 else parent,
        "coherence": float(clustering.coherence[label]),
        "centroid": clustering.centroids[label].astype(np.float32).tolist(),
        "reach": float(clustering.reaches[label]),
    }
