"""Stage `drift`: what the recent days changed, and what has been empty for long."""

from collections import Counter

import duckdb
import polars as pl

from facets.drift import DRIFT_SCHEMA, DriftFloors, find_changes
from facets.retirement import VALUES_SCHEMA, propose_retirements
from facets.schema import OTHER, Facet, FacetSchema
from pipelines.context import Context
from pipelines.proposal_rows import write_proposals
from pipelines.rates import AUTONOMOUS_FRICTION
from pipelines.schemas import ensure_schema
from pipelines.warehouse import query, replace_rows, transaction

_KEPT = frozenset({OTHER, "unclear"})
"""Values that say that no other fits: they are never retired."""
_ANY = "any"
"""The value of a count that is not zero."""

# A log without times is filed under the day it was first seen, which says nothing of when it was.
_SESSIONS = """
SELECT session_key, user_id, CASE WHEN started_at IS NOT NULL THEN day END AS day
FROM sessions JOIN judgements USING (session_key)
WHERE judgements.current AND judgements.status = 'judged' AND exclusion IS NULL
"""
_READER = "concat_ws(' ', judge, judge_version, prompt_version, model, rubric_version)"
# Of friction in a run without a person only an error can be seen.
_EXPOSED_TO_MOMENTS = f"""
WITH judged AS (
    SELECT session_key, is_autonomous, {_READER} AS reader
    FROM sessions JOIN judgements USING (session_key) WHERE judgements.current)
SELECT target, NULL::VARCHAR AS value, session_key, reader
FROM judged CROSS JOIN (SELECT unnest(['friction', 'cluster:friction']) AS target)
WHERE NOT is_autonomous
UNION ALL
SELECT 'friction', '{AUTONOMOUS_FRICTION}', session_key, reader FROM judged WHERE is_autonomous
UNION ALL
SELECT target, NULL, session_key, reader
FROM judged
CROSS JOIN (SELECT unnest(['delight', 'cluster:delight', 'cluster:session']) AS target)
"""
_EXPOSED_TO_FACETS = f"""
SELECT facet AS target, NULL::VARCHAR AS value, known.session_key,
       CASE known.provenance WHEN 'judge' THEN {_READER} END AS reader
FROM facet_values AS known JOIN judgements USING (session_key)
WHERE judgements.current AND schema_version = $version AND known.value IS NOT NULL
"""
_SHOWN = f"""
SELECT DISTINCT polarity AS target, type AS value, session_key FROM moments
UNION ALL
SELECT DISTINCT 'cluster:' || kind, cluster_id, coalesce(moments.session_key, item_id)
FROM cluster_members JOIN clusters USING (kind, cluster)
LEFT JOIN moments ON moments.moment_id = item_id
WHERE cluster_id IS NOT NULL
UNION ALL
SELECT facet, CASE json_type(value) WHEN 'VARCHAR' THEN value ->> '$' WHEN 'BOOLEAN'
       THEN value::VARCHAR ELSE '{_ANY}' END, session_key
FROM facet_values
WHERE schema_version = $version AND value IS NOT NULL AND json_type(value) <> 'ARRAY'
  AND value::VARCHAR <> '0'
UNION ALL
SELECT facet, unnest(from_json(value, '["VARCHAR"]')), session_key
FROM facet_values WHERE schema_version = $version AND json_type(value) = 'ARRAY'
"""
_CLUSTERS = """
SELECT DISTINCT 'cluster:' || kind AS target, cluster_id AS value FROM clusters
WHERE cluster_id IS NOT NULL
"""


def find_drift(context: Context) -> dict[str, int]:
    """Replace `drift` by what the last days changed, and propose to retire what is long empty."""
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
        sessions, exposed, shown = _read(connection, schema)
        clusters = query(connection, _CLUSTERS)
    undated = sessions["day"].null_count()
    sessions = sessions.drop_nulls("day")
    known = _values_of(schema)
    asked = pl.concat([known.select("target", "value"), clusters])
    config = context.config
    floors = DriftFloors(
        affected=config.min_sessions,
        users=config.min_users,
        false_discovery_rate=config.thresholds.false_discovery_rate,
    )
    changes = find_changes(sessions, exposed, shown, asked, floors=floors)
    retirable = known.filter("retirable").select(*VALUES_SCHEMA)
    proposals = propose_retirements(sessions, exposed, shown, retirable)
    with context.warehouse() as connection, transaction(connection):
        connection.execute("DELETE FROM drift")
        rows = changes.select(*DRIFT_SCHEMA, run_id=pl.lit(context.run_id))
        replace_rows(connection, "drift", rows)
        new = write_proposals(connection, proposals, context.run_id, context.clock())
    counts = Counter(changes["change"].to_list())
    return {
        **dict(sorted(counts.items())),
        "undated": undated,
        "proposals": len(proposals),
        "proposals_new": new,
    }


def _read(
    connection: duckdb.DuckDBPyConnection, schema: FacetSchema
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Sessions, what could show which values, and what does."""
    version: dict[str, object] = {"version": schema.version}
    exposed = [
        query(connection, _EXPOSED_TO_MOMENTS),
        query(connection, _EXPOSED_TO_FACETS, version),
    ]
    return query(connection, _SESSIONS), pl.concat(exposed), query(connection, _SHOWN, version)


def _values_of(schema: FacetSchema) -> pl.DataFrame:
    """Everything that a session may show by the schema, in VALUES_SCHEMA with `retirable`.

    What a log's rule recognises is a vocabulary that costs nothing: it is not retired.
    """
    rows = [
        (polarity, kind.name, kind.definition, kind.name not in _KEPT)
        for polarity in ("friction", "delight")
        for kind in (schema.friction if polarity == "friction" else schema.delight)
    ]
    rows += [
        (
            facet.name,
            value,
            facet.value_definitions.get(value) or facet.definition,
            facet.provenance != "log" and value not in _KEPT,
        )
        for facet in schema.facets
        for value in _values_of_facet(facet)
    ]
    return pl.DataFrame(rows, schema={**VALUES_SCHEMA, "retirable": pl.Boolean()}, orient="row")


def _values_of_facet(facet: Facet) -> tuple[str, ...]:
    if facet.type == "boolean":
        return ("true", "false")
    return (_ANY,) if facet.type == "count" else facet.values
