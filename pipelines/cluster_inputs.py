"""What is clustered: abstracts of moments and sessions, with their vectors."""

from typing import NamedTuple

import numpy as np
import polars as pl

from facets.clustering_regions import Vectors
from facets.schema import FacetSchema
from judges.rules.wording import tells_what_hurt
from pipelines.context import Context
from pipelines.stages.embeddings import text_hashes
from pipelines.warehouse import query
from pipelines.warehouse.vectors import load_vectors

POLARITIES = ("friction", "delight")

_MOMENTS = """
SELECT moment_id AS item_id, descriptor AS text, type, session_key, user_id
FROM moments JOIN sessions USING (session_key)
WHERE polarity = $target AND descriptor <> '' ORDER BY moment_id
"""
# As the schema in force has them; what it has not looked at yet, as the judge said.
_SUMMARIES = """
SELECT session_key AS item_id, summary AS text,
       coalesce(known.value ->> '$', judgements.facets ->> $target) AS type, session_key, user_id
FROM judgements JOIN sessions USING (session_key)
LEFT JOIN facet_values AS known ON known.session_key = judgements.session_key
    AND known.judgement_id = judgements.judgement_id
    AND known.facet = $target AND known.schema_version = $version
WHERE current AND status = 'judged' AND summary <> '' ORDER BY session_key
"""


class ClusterInputs(NamedTuple):
    """Items of one target that have a vector, and how many have none."""

    frame: pl.DataFrame
    """As `facets.evolution.ITEMS_SCHEMA`."""
    vectors: Vectors
    without_vector: int


def load_inputs(context: Context, target: str, schema: FacetSchema, model_id: str) -> ClusterInputs:
    """Moments of a polarity, or sessions with their value of a facet (empty: of none)."""
    is_moment = target in POLARITIES
    asked: dict[str, object] = {"target": target}
    if not is_moment:
        asked["version"] = schema.version
    with context.warehouse() as connection:
        frame = query(connection, _MOMENTS if is_moment else _SUMMARIES, asked)
        vectors = load_vectors(connection, text_hashes(frame["text"]), model_id)
    has = ~np.isnan(vectors[:, 0]) if vectors.shape[1] else np.zeros(frame.height, dtype=bool)
    told = [not is_moment or tells_what_hurt(text) for text in frame["text"]]
    frame = frame.with_columns(is_told=pl.Series(told, dtype=pl.Boolean)).filter(pl.Series(has))
    return ClusterInputs(frame, vectors[has], int((~has).sum()))
