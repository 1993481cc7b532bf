"""Stage `sessions`: who owns each step, what each session counts, which sessions are selected.

Computed anew from the tables each time, so that the order in which files arrived does not matter.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

from pipelines.config import SelectConfig
from pipelines.context import Context
from pipelines.prices import load_prices
from pipelines.stages.costs import sum_usage
from pipelines.stages.exclusion import names_excluded
from pipelines.stages.model_replies import drop_old_replies
from pipelines.stages.ownership import mark_copied_steps
from pipelines.stages.step_order import order_steps
from pipelines.target_release import set_target_releases, target_releases
from pipelines.warehouse import query, transaction

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

_COUNTS = """
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
       usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens,
       usage.cache_write_tokens, usage.cache_write_hour_tokens, usage.cost_usd, usage.cost_basis,
       coalesce(usage.unpriced_calls, 0) AS unpriced_calls,
       coalesce(counted.content_hash, '') AS content_hash,
       coalesce(sessions.started_at, sessions.first_seen)::DATE AS day,
       CASE WHEN session_key IN (SELECT session_key FROM shut_out)
                THEN 'named by [sources] exclude'
            WHEN conversion_of IS NOT NULL THEN 'conversion of a log that is present'
            WHEN coalesce(counted.steps, 0) = 0 AND coalesce(counted.copied_steps, 0) > 0
                THEN 'nothing but copied history'
            WHEN coalesce(counted.agent_steps, 0) = 0 THEN 'no step of the agent'
            WHEN counted.steps < $min_steps THEN 'fewer steps than min_steps'
            WHEN NOT is_autonomous AND counted.person_turns < $min_user_turns
                THEN 'fewer turns of the person than min_user_turns'
            WHEN usage.input_tokens::HUGEINT + usage.output_tokens > $max_tokens
                THEN 'more tokens than max_tokens'
       END AS exclusion
FROM sessions LEFT JOIN counted USING (session_key) LEFT JOIN usage USING (session_key)
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
    "cache_write_tokens",
    "cache_write_hour_tokens",
    "cost_usd",
    "cost_basis",
    "unpriced_calls",
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
    """Recompute ownership, counts, costs, selection and releases; return sessions by exclusion.

    Raises ConfigError where the price table of the configuration cannot be used, TargetError where
    its foreign target is no repository.
    """
    prices, salt = load_prices(_price_file(context)), context.home.salt()
    target = context.config.target
    target_history = target_releases(target)
    with context.warehouse() as connection, transaction(connection):
        connection.execute(_CONVERSIONS)
        mark_copied_steps(connection)
        order_steps(connection)
        connection.execute(_COUNTS)
        sum_usage(connection, prices, salt)
        _mark_excluded(connection, context.config.sources.exclude)
        _summarise(connection, context.config.select)
        drop_old_replies(connection, context.clock())
        set_target_releases(connection, target, target_history)
        connection.execute(_RELEASES)
        rows = connection.execute(
            "SELECT coalesce('excluded: ' || exclusion, 'selected'), count(*) FROM sessions "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    counts = {str(reason): int(number) for reason, number in rows}
    return {"seen": sum(counts.values()), **counts}


def _price_file(context: Context) -> Path | None:
    """The file that signals.toml names, seen from the folder that signals.toml lies in."""
    file = context.config.prices.file
    return file and context.home.root / file.expanduser()


def _mark_excluded(connection: duckdb.DuckDBPyConnection, patterns: Sequence[str]) -> None:
    """Put the keys of the stored sessions that a pattern names into the table `shut_out`.

    A pattern may be newer than the session: what was read before it is kept out as well.
    """
    logs = query(connection, "SELECT session_key, source_path, project FROM sessions")
    keys = [
        key
        for key, path, project in logs.iter_rows()
        if patterns and names_excluded(path, project, patterns)
    ]
    rows = pl.DataFrame({"session_key": keys}, schema={"session_key": pl.String})
    connection.register("incoming", rows.to_arrow())
    connection.execute("CREATE OR REPLACE TEMP TABLE shut_out AS FROM incoming")
    connection.unregister("incoming")


def _summarise(connection: duckdb.DuckDBPyConnection, select: SelectConfig) -> None:
    connection.execute(_SUMMARY, select.model_dump())
    same = " AND ".join(f"sessions.{name} IS NOT DISTINCT FROM new.{name}" for name in _FILLED)
    filled = ", ".join(f"{name} = new.{name}" for name in _FILLED)
    connection.execute(
        f"UPDATE sessions SET {filled} FROM summaries AS new "
        f"WHERE sessions.session_key = new.session_key AND NOT ({same})"
    )
