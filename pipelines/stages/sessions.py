"""Stage `sessions`: who owns each step, what each session counts, which sessions are selected.

Computed anew from the tables each time, so that the order in which files arrived does not matter.
"""

import duckdb

from pipelines.config import SelectConfig
from pipelines.context import Context
from pipelines.stages.step_order import order_steps
from pipelines.warehouse import transaction

# A step with one content id in several sessions belongs to the session that started first.
_OWNERSHIP = """
CREATE OR REPLACE TEMP TABLE owners AS
SELECT content_id, arg_min(session_key, (coalesce(started_at, 'infinity'), session_key)) AS owner
FROM steps JOIN sessions USING (session_key)
WHERE content_id IS NOT NULL AND conversion_of IS NULL
GROUP BY content_id HAVING count(DISTINCT session_key) > 1;

CREATE OR REPLACE TEMP TABLE copied AS
SELECT session_key, source_ref,
       log_says_copied OR coalesce(owner <> session_key, false) AS is_copied
FROM steps LEFT JOIN owners USING (content_id);

UPDATE steps SET is_copied_context = copied.is_copied FROM copied
WHERE steps.session_key = copied.session_key AND steps.source_ref = copied.source_ref
  AND steps.is_copied_context <> copied.is_copied;
"""

_CONVERSIONS = """
CREATE OR REPLACE TEMP TABLE conversions AS
SELECT converted.session_key, min(native.session_key) AS native_key
FROM sessions AS converted LEFT JOIN sessions AS native
  ON native.session_id = converted.converted_id AND native.agent = converted.converted_agent
 AND native.session_key <> converted.session_key AND native.converted_id IS NULL
GROUP BY converted.session_key;

UPDATE sessions SET conversion_of = native_key FROM conversions
WHERE conversions.session_key = sessions.session_key
  AND sessions.conversion_of IS DISTINCT FROM native_key;
"""

# One model call is several records in some formats, and stands in a parent's and a subagent's
# file in others: its tokens are the maximum over its records, counted in its first session.
_COUNTS = """
CREATE OR REPLACE TEMP TABLE calls AS
SELECT arg_min(session_key, (coalesce(started_at, 'infinity'), session_key)) AS session_key,
       max(steps.input_tokens) AS input_tokens, max(steps.cached_tokens) AS cached_tokens,
       max(steps.output_tokens) AS output_tokens,
       max(steps.reasoning_tokens) AS reasoning_tokens,
       max(steps.cost_usd) AS cost_usd
FROM steps JOIN sessions USING (session_key)
WHERE NOT is_copied_context AND conversion_of IS NULL
GROUP BY coalesce('call ' || api_call_id, session_key || ' ' || source_ref);

CREATE OR REPLACE TEMP TABLE tokens AS
SELECT session_key, TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
       TRY_CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens,
       TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
       TRY_CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
       CASE WHEN isfinite(fsum(cost_usd)) THEN fsum(cost_usd) END AS cost_usd
FROM calls GROUP BY session_key;

CREATE OR REPLACE TEMP TABLE counted AS
SELECT session_key,
       count(*) FILTER (NOT is_copied_context) AS steps,
       count(*) FILTER (NOT is_copied_context AND source = 'agent') AS agent_steps,
       count(*) FILTER (NOT is_copied_context AND is_person) AS person_turns,
       count(*) FILTER (is_copied_context) AS copied_steps,
       coalesce(sum(calls) FILTER (NOT is_copied_context), 0)::BIGINT AS tool_calls,
       coalesce(sum(errors) FILTER (NOT is_copied_context), 0)::BIGINT AS tool_errors,
       coalesce(md5(string_agg(digest, '' ORDER BY position, source_ref)
                    FILTER (NOT is_copied_context)), '') AS content_hash
FROM steps GROUP BY session_key;
"""

# The first reason that holds is the one that is counted.
_SUMMARY = """
CREATE OR REPLACE TEMP TABLE summaries AS
SELECT session_key, coalesce(counted.steps, 0) AS steps,
       coalesce(counted.agent_steps, 0) AS agent_steps,
       coalesce(counted.person_turns, 0) AS person_turns,
       coalesce(counted.copied_steps, 0) AS copied_steps,
       coalesce(counted.tool_calls, 0) AS tool_calls,
       coalesce(counted.tool_errors, 0) AS tool_errors,
       tokens.input_tokens, tokens.cached_tokens, tokens.output_tokens, tokens.reasoning_tokens,
       tokens.cost_usd, coalesce(counted.content_hash, '') AS content_hash,
       coalesce(sessions.started_at, sessions.first_seen)::DATE AS day,
       CASE WHEN conversion_of IS NOT NULL THEN 'conversion of a log that is present'
            WHEN coalesce(counted.steps, 0) = 0 AND coalesce(counted.copied_steps, 0) > 0
                THEN 'nothing but copied history'
            WHEN coalesce(counted.agent_steps, 0) = 0 THEN 'no step of the agent'
            WHEN counted.steps < $min_steps THEN 'fewer steps than min_steps'
            WHEN NOT is_autonomous AND counted.person_turns < $min_user_turns
                THEN 'fewer turns of the person than min_user_turns'
            WHEN tokens.input_tokens::HUGEINT + tokens.output_tokens > $max_tokens
                THEN 'more tokens than max_tokens'
       END AS exclusion
FROM sessions LEFT JOIN counted USING (session_key) LEFT JOIN tokens USING (session_key)
"""

_FILLED = (
    "steps",
    "agent_steps",
    "person_turns",
    "copied_steps",
    "tool_calls",
    "tool_errors",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "content_hash",
    "day",
    "exclusion",
)

_RELEASES = """
DELETE FROM releases;
INSERT INTO releases BY NAME
SELECT agent, release, min(started_at) AS first_session_at, max(started_at) AS last_session_at,
       count(*) AS sessions
FROM sessions WHERE release IS NOT NULL AND exclusion IS NULL GROUP BY agent, release;
"""


def summarise_sessions(context: Context) -> dict[str, int]:
    """Recompute ownership, counts, selection and releases; return sessions by exclusion."""
    with context.warehouse() as connection, transaction(connection):
        connection.execute(_CONVERSIONS)
        connection.execute(_OWNERSHIP)
        order_steps(connection)
        connection.execute(_COUNTS)
        _summarise(connection, context.config.select)
        connection.execute(_RELEASES)
        rows = connection.execute(
            "SELECT coalesce('excluded: ' || exclusion, 'selected'), count(*) FROM sessions "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    counts = {str(reason): int(number) for reason, number in rows}
    return {"seen": sum(counts.values()), **counts}


def _summarise(connection: duckdb.DuckDBPyConnection, select: SelectConfig) -> None:
    connection.execute(_SUMMARY, select.model_dump())
    same = " AND ".join(f"sessions.{name} IS NOT DISTINCT FROM new.{name}" for name in _FILLED)
    filled = ", ".join(f"{name} = new.{name}" for name in _FILLED)
    connection.execute(
        f"UPDATE sessions SET {filled} FROM summaries AS new "
        f"WHERE sessions.session_key = new.session_key AND NOT ({same})"
    )
