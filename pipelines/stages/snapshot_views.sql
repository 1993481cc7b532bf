-- Temporary views and macros that the queries of snapshot_tables.toml and the exports share.

-- A judgement stands for what its session holds now: one on what it held before it grew does not.
CREATE OR REPLACE TEMP VIEW standing_judgements AS
FROM judgements SEMI JOIN sessions USING (session_key, content_hash);

-- Moments count only where their judgement does.
CREATE OR REPLACE TEMP VIEW published_moments AS
FROM moments SEMI JOIN (FROM standing_judgements WHERE current AND status = 'judged')
    USING (judgement_id);

-- What became of each session: one status each, so that coverage adds up. A session whose
-- judgements are none of them current shows the latest, which says why.
CREATE OR REPLACE TEMP VIEW published_sessions AS
WITH verdicts AS (
    FROM standing_judgements
    QUALIFY row_number() OVER (
        PARTITION BY session_key ORDER BY current DESC, judged_at DESC, judgement_id) = 1
), counts AS (
    SELECT session_key,
        count(*) FILTER (polarity = 'friction') AS friction_moments,
        count(*) FILTER (polarity = 'delight') AS delight_moments
    FROM published_moments GROUP BY session_key
)
SELECT s.*, s.outcome AS stated_outcome,
    CASE WHEN s.exclusion IS NOT NULL THEN 'excluded'
         WHEN v.session_key IS NULL THEN 'waiting'
         WHEN v.status = 'judged' AND NOT v.current THEN 'waiting'
         ELSE v.status END AS status,
    CASE WHEN s.exclusion IS NOT NULL THEN s.exclusion
         WHEN v.status <> 'judged' THEN v.reason END AS reason,
    v.judge, v.model,
    CASE WHEN v.current THEN v.summary ELSE '' END AS summary,
    CASE WHEN v.current THEN v.friction_score END AS friction_score,
    CASE WHEN v.current THEN v.delight_score END AS delight_score,
    coalesce(c.friction_moments, 0) AS friction_moments,
    coalesce(c.delight_moments, 0) AS delight_moments
FROM sessions s LEFT JOIN verdicts v USING (session_key) LEFT JOIN counts c USING (session_key);

-- A JSON list as texts; a single value as a list of one.
CREATE OR REPLACE TEMP MACRO json_texts(value) AS
    CASE coalesce(json_type(value), 'NULL') WHEN 'ARRAY' THEN value->>'$[*]'
        WHEN 'NULL' THEN [] ELSE [value->>'$'] END;

-- Current facet values, one row for each entry of a list.
CREATE OR REPLACE TEMP VIEW published_facets AS
SELECT f.session_key, s.user_id, f.facet, f.provenance,
    unnest(CASE WHEN f.value IS NULL OR json_type(f.value) = 'NULL' THEN [NULL]
        ELSE json_texts(f.value) END) AS value
FROM facet_values f
JOIN (FROM facet_schemas WHERE current) v ON v.version = f.schema_version
JOIN published_sessions s USING (session_key)
WHERE s.status = 'judged';

-- The newest audit of the cascade: its figures, once for turns and once for sessions.
CREATE OR REPLACE TEMP VIEW newest_audit AS
SELECT measured_at, unnest(from_json(figures, '{
    "model": "VARCHAR", "sessions": "BIGINT", "drawn": "BIGINT", "audited": "BIGINT",
    "unscored": "BIGINT", "waiting": "BIGINT", "too_long": "BIGINT", "users": "BIGINT",
    "levels": [{"level": "VARCHAR", "units": "BIGINT", "audited_units": "BIGINT",
        "rules_rate": "DOUBLE", "corrected_rate": "DOUBLE", "corrected_low": "DOUBLE",
        "corrected_high": "DOUBLE", "recall": "DOUBLE", "recall_low": "DOUBLE",
        "recall_high": "DOUBLE", "note": "VARCHAR"}]}'))
FROM (FROM audits ORDER BY measured_at DESC, run_id DESC LIMIT 1);

CREATE OR REPLACE TEMP VIEW published_audit AS
SELECT * EXCLUDE (level), unnest(level)
FROM (SELECT * EXCLUDE (levels), unnest(levels) AS level FROM newest_audit);

CREATE OR REPLACE TEMP VIEW published_audit_coverage AS
UNPIVOT (SELECT audited, unscored, waiting FROM newest_audit)
ON COLUMNS(*) INTO NAME status VALUE count;
