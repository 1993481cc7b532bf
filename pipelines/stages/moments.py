"""Stage `moments`: the moments of each session's current judgement."""

from pipelines.context import Context
from pipelines.warehouse import transaction

# A model's verdict stands over the rules', the newest of each over the older ones; a verdict on
# what a session held before it grew does not count.
_CURRENT = """
CREATE OR REPLACE TEMP TABLE chosen AS
SELECT judgement_id FROM judgements JOIN sessions USING (session_key, content_hash)
WHERE status = 'judged' AND exclusion IS NULL
QUALIFY row_number() OVER (
    PARTITION BY session_key ORDER BY judge = 'rules', judged_at DESC, judgement_id
) = 1;

UPDATE judgements SET current = judgement_id IN (FROM chosen)
WHERE current <> (judgement_id IN (FROM chosen));

DELETE FROM moments WHERE judgement_id NOT IN (FROM chosen);
"""

# `type` begins as what the judge said; the stage `types` makes it what the schema calls it.
_INSERT = """
INSERT INTO moments BY NAME
SELECT md5(concat_ws('|', judgement_id, moment.source_ref, moment.polarity, moment.type,
                     moment.tool, moment.error_class)) AS moment_id,
       judgement_id, session_key, moment.type AS judged_type, unnest(moment)
FROM (
    SELECT judgement_id, session_key, unnest(from_json(moments, '[{
        "source_ref": "VARCHAR", "turn_ref": "VARCHAR", "polarity": "VARCHAR", "type": "VARCHAR",
        "severity": "VARCHAR", "confidence": "DOUBLE", "descriptor": "VARCHAR",
        "citation": "VARCHAR", "tool": "VARCHAR", "error_class": "VARCHAR",
        "error_signature": "VARCHAR", "evidence": ["VARCHAR"]}]')) AS moment
    FROM judgements
    WHERE judgement_id IN (FROM chosen)
      AND judgement_id NOT IN (SELECT judgement_id FROM moments)
)
QUALIFY row_number() OVER (PARTITION BY moment_id ORDER BY moment.confidence DESC) = 1
"""


def collect_moments(context: Context) -> dict[str, int]:
    """Mark the current judgements, bring `moments` in line with them, return counts by polarity."""
    with context.warehouse() as connection, transaction(connection):
        connection.execute(_CURRENT)
        connection.execute(_INSERT)
        rows = connection.execute(
            "SELECT polarity, count(*) FROM moments GROUP BY polarity ORDER BY polarity"
        ).fetchall()
    return {str(polarity): int(number) for polarity, number in rows}
