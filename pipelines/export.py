"""Rows for other programs, from the warehouse, keyed by the logs' own ids."""

import json
from collections.abc import Iterator
from typing import Any

from agent_core.errors import BadInputError
from pipelines.context import Context
from pipelines.stages.snapshot_tables import load_views
from pipelines.warehouse import query

_MOMENTS = """
SELECT session_id, steps.source_path, moments.source_ref, turn_ref, polarity, type, severity,
       confidence, descriptor, citation, judge
FROM published_moments AS moments JOIN judgements USING (judgement_id, session_key)
JOIN sessions USING (session_key) JOIN steps USING (session_key, source_ref)
ORDER BY session_id, steps.position, polarity, type
"""

# A person's turn of a session without a verdict stands there too, with null scores.
_TURNS = """
WITH scores AS (
    SELECT session_key, score.source_ref, score.friction_score, score.delight_score
    FROM (SELECT session_key, unnest(from_json(turns, '[{
              "source_ref": "VARCHAR", "friction_score": "DOUBLE", "delight_score": "DOUBLE"}]'
          )) AS score FROM standing_judgements WHERE current))
SELECT session_id, steps.source_path, source_ref,
       row_number() OVER (PARTITION BY session_key ORDER BY position, source_ref) AS turn,
       friction_score, delight_score
FROM steps JOIN sessions USING (session_key) LEFT JOIN scores USING (session_key, source_ref)
WHERE is_person AND NOT is_copied_context AND conversion_of IS NULL
ORDER BY session_id, turn
"""

_JUDGEMENTS = """
SELECT session_id, judge, judge_version, prompt_version, model, rubric_version, status, reason,
       attempts, summary, judgements.friction_score, judgements.delight_score, tokens_sent,
       tokens_received, judged_at, current
FROM judgements JOIN sessions USING (session_key) ORDER BY session_id, judged_at, judge
"""

_FACETS = """
SELECT session_id, schema_version, facet, value, provenance
FROM facet_values JOIN sessions USING (session_key) ORDER BY session_id, schema_version, facet
"""

# The statuses of the snapshot, so that both always agree.
_STATUS = """CASE status WHEN 'excluded' THEN 'excluded: ' || reason
    WHEN 'waiting' THEN 'not judged yet' ELSE status END"""

_SESSIONS = f"""
SELECT format, session_id, source_path, user_id, release, {_STATUS} AS status, friction_score,
       delight_score, coalesce(stated_outcome, json_extract_string(facet_values.value, '$'))
           AS outcome
FROM published_sessions AS sessions
LEFT JOIN facet_values ON facet_values.session_key = sessions.session_key AND facet = 'outcome'
 AND schema_version = (SELECT max(version) FROM facet_schemas WHERE current)
ORDER BY session_id, format
"""

_COVERAGE = f"""
SELECT 'files' AS unit, status, format, published_detail(detail) AS reason, count(*) AS number,
       sum(quarantined) AS quarantined_records
FROM source_files GROUP BY ALL
UNION ALL BY NAME
SELECT 'sessions' AS unit, {_STATUS} AS status, format, count(*) AS number
FROM published_sessions GROUP BY ALL
UNION ALL BY NAME
-- Beside what the rules said: a session that is pending keeps their verdict meanwhile.
SELECT 'verdicts of models' AS unit, judgements.status, format, judgements.reason,
       count(*) AS number
FROM standing_judgements AS judgements JOIN sessions USING (session_key)
WHERE judge <> 'rules' AND exclusion IS NULL GROUP BY ALL
ORDER BY ALL
"""

_QUERIES = {
    "moments": _MOMENTS,
    "turns": _TURNS,
    "judgements": _JUDGEMENTS,
    "facets": _FACETS,
    "sessions": _SESSIONS,
    "coverage": _COVERAGE,
}


def export_rows(context: Context, what: str) -> Iterator[dict[str, Any]]:
    """The rows of `what`; in team mode without why a file was not read.

    Raises BadInputError in team mode for all but `coverage`.
    """
    if context.config.mode == "team" and what != "coverage":
        raise BadInputError(
            f'export {what}: rows of single sessions are not given out in mode = "team"; '
            "export coverage is"
        )
    with context.warehouse() as connection:
        connection.execute(load_views(context.config.mode))
        rows = query(connection, _QUERIES[what])
    for row in rows.iter_rows(named=True):
        yield row | ({"value": json.loads(row["value"] or "null")} if what == "facets" else {})
