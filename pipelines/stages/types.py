"""Stage `types`: what the current schema calls each moment.

`moments.judged_type` is what the judge said, and stays; `moments.type` follows from it, the vector
of the description and the schema alone. Nothing is judged again.
"""

from typing import NamedTuple

import duckdb
import numpy as np
import polars as pl

from agent_core.embedding import Embedder
from facets.resolution import (
    foreign_prototypes,
    moved_by_distance,
    resolve_types,
    without_vector,
)
from facets.schema import FacetSchema, Polarity
from pipelines.config import EmbeddingConfig
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.warehouse import query, transaction
from pipelines.warehouse.vectors import load_vectors

_POLARITIES: tuple[Polarity, ...] = ("friction", "delight")
_MOMENTS = """
SELECT moment_id, session_key, judged_type, type, md5(descriptor) AS text_hash
FROM moments WHERE polarity = ? AND judged_type IS NOT NULL ORDER BY moment_id
"""


class Relabelled(NamedTuple):
    """What a look at all moments changed."""

    moments: int
    session_keys: frozenset[str]
    without_vector: int
    """Moments that the distance decides on and that have no vector yet: as judged until then."""
    foreign_prototypes: int
    """Of another embedding model than the configured one: nothing is inside them."""


def resolve_moment_types(context: Context) -> dict[str, int]:
    """Bring every moment's type in line with the current schema; return counts."""
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
        with transaction(connection):
            found = relabel_moments(connection, schema, context.config.embedding)
    return {
        "relabelled": found.moments,
        "sessions": len(found.session_keys),
        "without_vector": found.without_vector,
        "foreign_prototypes": found.foreign_prototypes,
    }


def relabel_moments(
    connection: duckdb.DuckDBPyConnection, schema: FacetSchema, embedding: EmbeddingConfig
) -> Relabelled:
    """Set the types that differ under `schema`; the caller holds the transaction."""
    model_id = distance_model(schema, embedding)
    looks = [_look(connection, schema, polarity, model_id) for polarity in _POLARITIES]
    changed = pl.concat(look.changed for look in looks)
    _write(connection, changed)
    return Relabelled(
        changed.height,
        frozenset(changed["session_key"]),
        sum(look.without_vector for look in looks),
        _foreign(schema, model_id),
    )


def distance_model(schema: FacetSchema, embedding: EmbeddingConfig) -> str:
    """Id of the model that distances are measured with; empty where `schema` measures none.

    Raises ModelError where the model is needed and is not there.
    """
    return Embedder(embedding.model_dir).model_id if _foreign(schema, "") else ""


def all_foreign_prototypes(schema: FacetSchema, embedding: EmbeddingConfig) -> int:
    """Prototypes of types and values that are not of the configured model. Raises ModelError."""
    return _foreign(schema, distance_model(schema, embedding))


def _foreign(schema: FacetSchema, model_id: str) -> int:
    targets = (*_POLARITIES, *(facet.name for facet in schema.facets))
    return sum(foreign_prototypes(schema, target, model_id) for target in targets)


class _Look(NamedTuple):
    changed: pl.DataFrame
    """Moments that are `called` otherwise than their `type` says."""
    without_vector: int


def _look(
    connection: duckdb.DuckDBPyConnection, schema: FacetSchema, polarity: Polarity, model_id: str
) -> _Look:
    moments = query(connection, _MOMENTS, [polarity])
    by_distance = pl.Series(moved_by_distance(moments["judged_type"].to_list(), schema, polarity))
    told, measured = moments.filter(~by_distance), moments.filter(by_distance)
    vectors = load_vectors(connection, measured["text_hash"], model_id)
    no_vectors = np.empty((told.height, 0), dtype=np.float32)
    changed = pl.concat(
        rows.with_columns(
            called=pl.Series(
                resolve_types(rows["judged_type"].to_list(), places, schema, polarity, model_id),
                dtype=pl.String(),
            )
        ).filter(pl.col("called") != pl.col("type"))
        for rows, places in ((told, no_vectors), (measured, vectors))
    )
    return _Look(changed, int(without_vector(vectors).sum()))


def _write(connection: duckdb.DuckDBPyConnection, changed: pl.DataFrame) -> None:
    if changed.height:
        connection.register("changed", changed.select("moment_id", "called").to_arrow())
        connection.execute(
            "UPDATE moments SET type = called FROM changed "
            "WHERE moments.moment_id = changed.moment_id"
        )
        connection.unregister("changed")
