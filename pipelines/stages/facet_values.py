"""Facet values of a schema version, as far as no log has to be read for them.

What a judge said and what a distance tells is resolved anew for all sessions: that is quick. What
a rule has read from a log under another version is carried over where the facet is the same.
"""

from collections.abc import Iterable

import duckdb
import numpy as np
import orjson
import polars as pl

from facets.extraction import FacetValue, Value, values_as_judged, values_by_distance
from facets.log_rules import SEED_RULES
from facets.measures import MEASURES, MEASURES_VERSION
from facets.resolution import Vectors, moved_by_distance
from facets.schema import Facet, FacetSchema
from pipelines.config import EmbeddingConfig
from pipelines.schemas import stored_versions
from pipelines.stages.types import distance_model
from pipelines.warehouse import query
from pipelines.warehouse.vectors import load_vectors

VALUES_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "schema_version": pl.Int64(),
    "facet": pl.String(),
    "value": pl.String(),
    "provenance": pl.String(),
    "judgement_id": pl.String(),
}
"""Rows of `facet_values`; `value` is JSON, null where it is not known."""

_JUDGED = """
SELECT session_key, judgement_id, facets, md5(summary) AS text_hash
FROM judgements WHERE current ORDER BY session_key
"""
_UNSERVED = """
SELECT session_key, md5(abstract) AS text_hash
FROM unserved_requests SEMI JOIN sessions USING (session_key, content_hash)
ORDER BY session_key, source_ref, topic, action
"""
_READ_FOR_REQUESTS = """
SELECT session_key FROM request_readings SEMI JOIN sessions USING (session_key, content_hash)
"""
_DIFFERENT = """
INSERT OR REPLACE INTO facet_values BY NAME
SELECT * FROM told WHERE NOT EXISTS (
    FROM facet_values AS known
    WHERE (known.session_key, known.schema_version, known.facet)
        = (told.session_key, told.schema_version, told.facet)
      AND known.judgement_id = told.judgement_id AND known.provenance = told.provenance
      AND known.value::VARCHAR IS NOT DISTINCT FROM told.value)
"""

# What a session's log says does not hang on who judged it: a newer verdict on the same content
# reads nothing anew.
_CARRY_OVER = """
INSERT OR REPLACE INTO facet_values BY NAME
SELECT now.session_key, $version AS schema_version, known.facet, known.value, known.provenance,
       now.judgement_id
FROM facet_values AS known
JOIN same ON (same.facet, same.version) = (known.facet, known.schema_version)
JOIN judgements AS beside ON beside.judgement_id = known.judgement_id
JOIN judgements AS now ON now.current
    AND (now.session_key, now.content_hash) = (known.session_key, beside.content_hash)
WHERE NOT EXISTS (
    FROM facet_values AS there
    WHERE (there.session_key, there.schema_version, there.facet, there.judgement_id)
        = (now.session_key, $version, known.facet, now.judgement_id))
QUALIFY row_number() OVER (
    PARTITION BY now.session_key, known.facet ORDER BY known.schema_version DESC) = 1
"""

# The same quantity, measured from the same log: `facets.measures.whole_value`.
_MEASURED = """
INSERT OR REPLACE INTO facet_values BY NAME
SELECT now.session_key, $version AS schema_version, asked.facet,
       to_json(round_even(known.value, 0)::BIGINT) AS value, 'log' AS provenance,
       now.judgement_id
FROM session_measures AS known JOIN asked ON asked.rule = known.measure
JOIN judgements AS now ON now.current
    AND (now.session_key, now.content_hash) = (known.session_key, known.content_hash)
WHERE known.version = $measures AND NOT EXISTS (
    FROM facet_values AS there
    WHERE (there.session_key, there.schema_version, there.facet, there.judgement_id)
        = (now.session_key, $version, asked.facet, now.judgement_id))
"""

# New: nothing was ever read from its log for this content. Of those and of the others the newest
# come first.
_MISSING = """
WITH log_facets AS (SELECT unnest($facets::VARCHAR[]) AS facet), missing AS (
    SELECT session_key, judgement_id, content_hash, list(facet ORDER BY facet) AS facets
    FROM judgements CROSS JOIN log_facets
    WHERE current AND NOT EXISTS (
        FROM facet_values AS known
        WHERE (known.session_key, known.facet, known.schema_version, known.judgement_id)
            = (judgements.session_key, log_facets.facet, $version, judgements.judgement_id))
    GROUP BY ALL)
SELECT session_key, judgement_id, facets, NOT EXISTS (
    FROM facet_values AS known JOIN judgements AS beside USING (judgement_id)
    WHERE known.provenance = 'log' AND (known.session_key, beside.content_hash)
        = (missing.session_key, missing.content_hash)) AS is_new
FROM missing JOIN sessions USING (session_key)
ORDER BY is_new DESC, day DESC NULLS LAST, started_at DESC NULLS LAST, session_key
"""


def refresh_told_values(
    connection: duckdb.DuckDBPyConnection, schema: FacetSchema, embedding: EmbeddingConfig
) -> int:
    """Bring what judges and distances tell in line with `schema`; rows written."""
    judged = query(connection, _JUDGED)
    model_id = distance_model(schema, embedding)
    said = [orjson.loads(facets) for facets in judged["facets"]]
    frames = []
    for facet in schema.facets:
        if facet.provenance == "judge":
            words = [one.get(facet.name) for one in said]
            vectors = _summary_vectors(connection, judged, words, schema, facet, model_id)
            found = values_as_judged(words, vectors, schema, facet.name, model_id)
        elif facet.provenance == "distance":
            found = _by_distance(connection, judged, schema, facet, model_id)
        else:
            continue
        frames.append(value_rows(judged, schema.version, found))
    return _write_different(connection, frames)


def carry_over_log_values(connection: duckdb.DuckDBPyConnection, schema: FacetSchema) -> None:
    """Give `schema` what was read for a facet that is the same in another version, or measured."""
    here = {facet.name: _rule_of(facet) for facet in schema.facets if facet.rule is not None}
    same = [
        (facet.name, known.schema.version)
        for known in stored_versions(connection)
        for facet in known.schema.facets
        if here.get(facet.name) == _rule_of(facet)
    ]
    frame = pl.DataFrame(same, schema={"facet": pl.String(), "version": pl.Int64()}, orient="row")
    connection.register("same", frame.to_arrow())
    connection.execute(_CARRY_OVER, {"version": schema.version})
    connection.unregister("same")
    _take_measured(connection, schema)


def missing_log_values(connection: duckdb.DuckDBPyConnection, schema: FacetSchema) -> pl.DataFrame:
    """Sessions whose log is to be read: key, judgement_id, facets, is_new; in the order of work."""
    facets = [facet.name for facet in schema.facets if facet.rule is not None]
    return query(connection, _MISSING, {"facets": facets, "version": schema.version})


def value_rows(sessions: pl.DataFrame, version: int, found: Iterable[FacetValue]) -> pl.DataFrame:
    """Rows (VALUES_SCHEMA) of one value a session, in the order of `sessions`."""
    rows = [
        (key, version, value.facet, as_json(value.value), value.provenance, judgement)
        for (key, judgement), value in zip(
            sessions.select("session_key", "judgement_id").iter_rows(), found, strict=True
        )
    ]
    return pl.DataFrame(rows, schema=VALUES_SCHEMA, orient="row")


def as_json(value: Value) -> str | None:
    """As the column keeps it."""
    return None if value is None else orjson.dumps(value).decode()


def _take_measured(connection: duckdb.DuckDBPyConnection, schema: FacetSchema) -> None:
    counts = [
        (facet.name, facet.rule)
        for facet in schema.facets
        # What the seed reads by a rule of its own need not be what is measured by that name.
        if facet.type == "count" and facet.rule in MEASURES and facet.rule not in SEED_RULES
    ]
    asked = pl.DataFrame(counts, schema={"facet": pl.String(), "rule": pl.String()}, orient="row")
    connection.register("asked", asked.to_arrow())
    connection.execute(_MEASURED, {"version": schema.version, "measures": MEASURES_VERSION})
    connection.unregister("asked")


def _summary_vectors(
    connection: duckdb.DuckDBPyConnection,
    judged: pl.DataFrame,
    words: list[object],
    schema: FacetSchema,
    facet: Facet,
    model_id: str,
) -> Vectors:
    names = [word if isinstance(word, str) else "" for word in words]
    if not moved_by_distance(names, schema, facet.name).any():
        return np.empty((judged.height, 0), dtype=np.float32)
    return load_vectors(connection, judged["text_hash"], model_id)


def _by_distance(
    connection: duckdb.DuckDBPyConnection,
    judged: pl.DataFrame,
    schema: FacetSchema,
    facet: Facet,
    model_id: str,
) -> list[FacetValue]:
    """None for a session whose requests were not read yet."""
    owners = judged.select("session_key").with_row_index("owner")
    items = query(connection, _UNSERVED).join(owners, on="session_key", maintain_order="left")
    vectors = load_vectors(connection, items["text_hash"], model_id)
    found = values_by_distance(
        items["owner"].to_list(), vectors, schema, facet.name, model_id, sessions=judged.height
    )
    known = frozenset(query(connection, _READ_FOR_REQUESTS)["session_key"])
    return [
        value if key in known else value._replace(value=None)
        for key, value in zip(judged["session_key"], found, strict=True)
    ]


def _write_different(connection: duckdb.DuckDBPyConnection, frames: list[pl.DataFrame]) -> int:
    if not frames:
        return 0
    connection.register("told", pl.concat(frames).to_arrow())
    written = connection.execute(_DIFFERENT).fetchall()
    connection.unregister("told")
    return int(written[0][0])


def _rule_of(facet: Facet) -> str:
    """What decides its values, whatever words define them and since whenever."""
    return facet.model_dump_json(include={"type", "rule", "values", "origins", "former"})
