"""Stage `quantities`: which measures explain the person's friction beyond what is known."""

from dataclasses import asdict
from typing import Any

import polars as pl

from facets.friction_design import Known
from facets.measures import MEASURES
from facets.quantities import ExaminedQuantity, QuantityFloors, explain_friction
from facets.quantity_proposals import propose_facets
from facets.schema import FacetSchema
from pipelines.context import Context
from pipelines.proposal_rows import write_proposals
from pipelines.schemas import ensure_schema
from pipelines.warehouse import query, replace_rows, transaction

# An error that nobody complained of is no friction of the person, and the judge has it from the
# failing calls alone.
_SESSIONS = """
WITH rough AS (
    SELECT session_key, count(DISTINCT coalesce(turn_ref, '')) AS friction_turns
    FROM moments
    WHERE polarity = 'friction' AND coalesce(judged_type, type) <> 'error_event'
    GROUP BY session_key)
SELECT session_key, user_id, project, sessions.agent, judge = 'rules' AS by_rules,
       coalesce(friction_turns, 0) AS friction_turns, person_turns AS turns, sessions.steps
FROM sessions JOIN judgements USING (session_key) LEFT JOIN rough USING (session_key)
WHERE judgements.current AND judgements.status = 'judged' AND exclusion IS NULL
  AND NOT is_autonomous AND person_turns > 0
ORDER BY session_key
"""
_MEASURED = """
SELECT session_key, measure AS name, value FROM session_measures
JOIN sessions USING (session_key, content_hash)
"""
_COUNTED = """
SELECT session_key, facet AS name, TRY_CAST(value AS DOUBLE) AS value FROM facet_values
WHERE schema_version = $version AND facet IN (SELECT unnest($facets::VARCHAR[]))
"""
_TESTS_SCHEMA: dict[str, pl.DataType] = {
    "measure": pl.String(),
    "reason": pl.String(),
    "eligible": pl.Int64(),
    "sessions": pl.Int64(),
    "users": pl.Int64(),
    "p_value": pl.Float64(),
    "q_value": pl.Float64(),
    "odds_ratio": pl.Float64(),
    "odds_low": pl.Float64(),
    "odds_high": pl.Float64(),
    "rate_odds_ratio": pl.Float64(),
    "log_loss_gain": pl.Float64(),
    "log_loss_gain_low": pl.Float64(),
    "log_loss_gain_high": pl.Float64(),
    "auroc_without": pl.Float64(),
    "auroc_with": pl.Float64(),
    "stability": pl.Float64(),
}
"""Rows of `quantity_tests`, but for the run."""
_LENGTH_RULES = frozenset({"turns"})
"""Facets that say how long a session is, which is adjusted for by a curve."""
_FACET = "facet: "
"""Before the name of a facet's column, which a measure may share."""


def propose_quantities(context: Context) -> dict[str, int]:
    """Test every measure that the schema does not have, and propose those that pass."""
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
        counts = _count_facets(schema)
        asked: dict[str, object] = {"version": schema.version, "facets": counts}
        sessions = query(connection, _SESSIONS)
        measured = query(connection, _MEASURED)
        counted = query(connection, _COUNTED, asked)
    frame = _wide(_wide(sessions, measured, ""), counted, _FACET)
    tested = explain_friction(
        frame,
        _candidates(frame, schema),
        Known(counts=[_FACET + name for name in counts if _FACET + name in frame.columns]),
        _floors(context),
        evidence=[name for name, measure in MEASURES.items() if measure.evidence is not None],
    )
    return _keep(context, tested)


def _count_facets(schema: FacetSchema) -> list[str]:
    return [
        facet.name
        for facet in schema.facets
        if facet.type == "count" and facet.rule not in _LENGTH_RULES
    ]


def _candidates(frame: pl.DataFrame, schema: FacetSchema) -> list[str]:
    """Measures that some session has and no facet of the schema is."""
    known = {facet.rule for facet in schema.facets}
    return [name for name in MEASURES if name in frame.columns and name not in known]


def _wide(sessions: pl.DataFrame, values: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """With a column for each name; null where a session has no value."""
    if not values.height:
        return sessions
    wide = values.with_columns(name=pl.lit(prefix) + pl.col("name"))
    columns = wide.pivot("name", index="session_key", values="value")
    return sessions.join(columns, on="session_key", how="left", maintain_order="left")


def _floors(context: Context) -> QuantityFloors:
    least = QuantityFloors()
    return QuantityFloors(
        sessions=max(least.sessions, context.config.min_sessions),
        users=max(least.users, context.config.min_users),
        false_discovery_rate=context.config.thresholds.false_discovery_rate,
    )


def _keep(context: Context, tested: list[ExaminedQuantity]) -> dict[str, int]:
    proposals = propose_facets(tested)
    rows = pl.DataFrame([_row(found) for found in tested], schema=_TESTS_SCHEMA)
    with context.warehouse() as connection, transaction(connection):
        connection.execute("DELETE FROM quantity_tests")
        stamped = rows.select(*_TESTS_SCHEMA, run_id=pl.lit(context.run_id))
        replace_rows(connection, "quantity_tests", stamped)
        new = write_proposals(connection, proposals, context.run_id, context.clock())
    return {
        "quantities": len(tested),
        "quantities_tested": sum(found.p_value is not None for found in tested),
        "proposals": len(proposals),
        "proposals_new": new,
    }


def _row(found: ExaminedQuantity) -> dict[str, Any]:
    """A row of `quantity_tests`."""
    gain = found.gain
    return {
        **{name: value for name, value in asdict(found).items() if name != "gain"},
        "log_loss_gain": gain and gain.log_loss,
        "log_loss_gain_low": gain and gain.low,
        "log_loss_gain_high": gain and gain.high,
        "auroc_without": gain and gain.auroc_without,
        "auroc_with": gain and gain.auroc_with,
    }
