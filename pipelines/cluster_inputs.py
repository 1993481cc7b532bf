"""What is clustered: abstracts of moments and sessions, with their vectors."""

from typing import NamedTuple

import numpy as np
import polars as pl

from facets.clustering_regions import Vectors
from facets.schema import OTHER, FacetSchema
from judges.rules.wording import tells_of_person
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
    """Items of one target that have a vector, and how many are left out."""

    frame: pl.DataFrame
    """As `facets.evolution.ITEMS_SCHEMA`."""
    vectors: Vectors
    without_vector: int
    untold: int
    """Moments of `other` that do not say what the person did: in no group would they be a kind."""


def load_inputs(context: Context, target: str, schema: FacetSchema, model_id: str) -> ClusterInputs:
    """Moments of a polarity, or sessions with their value of a facet (empty: of none)."""
    is_moment = target in POLARITIES
    asked: dict[str, object] = {"target": target}
    if not is_moment:
        asked["version"] = schema.version
    with context.warehouse() as connection:
        frame = query(connection, _MOMENTS if is_moment else _SUMMARIES, asked)
        every = frame.height
        frame = frame.filter(is_told(frame)) if is_moment else frame
        vectors = load_vectors(connection, text_hashes(frame["text"]), model_id)
    has = ~np.isnan(vectors[:, 0]) if vectors.shape[1] else np.zeros(frame.height, dtype=bool)
    missing = int((~has).sum())
    return ClusterInputs(frame.filter(pl.Series(has)), vectors[has], missing, every - len(has))


def is_told(items: pl.DataFrame) -> pl.Series:
    """Of each moment (`type`, `text`) whether it has a type or says what the person did."""
    told = map(tells_of_person, items["text"].to_list())
    return (items["type"] != OTHER) | pl.Series(list(told), dtype=pl.Boolean)
