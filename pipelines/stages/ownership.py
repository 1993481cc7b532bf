"""Who owns what several sessions hold: steps that forks copy, model calls that files repeat.

Never a session whose stated ancestor holds it too; among the others the one that started first,
then the smaller key. What several sessions hold does not depend on which of them came first.
"""

import duckdb

_FARTHEST = 100
"""Ancestors beyond this many generations are not looked for: a chain of parents can be forged."""

_STEPS = """
SELECT content_id AS thing, session_key FROM steps
WHERE content_id IS NOT NULL AND NOT log_says_copied
"""
IS_LOCAL_CALL = """(length(api_call_id) < 16
    OR api_call_id LIKE 'line:%' OR api_call_id LIKE '#%')"""
"""The call's id is a number or a place, which tells it in its session alone: ids that are unique
over all sessions are longer (uuids, and those that the makers of models give)."""

_CALLS = f"""
SELECT api_call_id AS thing, session_key FROM steps
WHERE api_call_id IS NOT NULL AND NOT is_copied_context
  AND NOT {IS_LOCAL_CALL}
  AND (input_tokens IS NOT NULL OR cost_usd IS NOT NULL)
"""
_HOLDERS = """
CREATE OR REPLACE TEMP TABLE holders AS
WITH held AS (FROM ({things}) SEMI JOIN (FROM sessions WHERE conversion_of IS NULL)
              USING (session_key))
SELECT DISTINCT thing, session_key FROM held SEMI JOIN
    (SELECT thing FROM held GROUP BY thing HAVING min(session_key) <> max(session_key))
    USING (thing);
"""
# Sessions that are each other's ancestors tell nothing of who was first.
_ANCESTORS = f"""
CREATE OR REPLACE TEMP TABLE ancestors AS
WITH RECURSIVE lines AS (
    SELECT session_key, parent_key AS ancestor, 1 AS generation
    FROM sessions SEMI JOIN holders USING (session_key) WHERE parent_key IS NOT NULL
    UNION
    SELECT lines.session_key, parent_key, generation + 1
    FROM lines JOIN sessions ON sessions.session_key = ancestor
    WHERE parent_key IS NOT NULL AND generation < {_FARTHEST}
), pairs AS (SELECT DISTINCT session_key, ancestor FROM lines)
FROM pairs ANTI JOIN pairs AS back
  ON pairs.session_key = back.ancestor AND pairs.ancestor = back.session_key;
"""
_OWNERS = """
CREATE OR REPLACE TEMP TABLE {owners} AS
WITH descendants AS (
    SELECT DISTINCT holders.thing, holders.session_key
    FROM holders JOIN ancestors USING (session_key)
    JOIN holders AS elder ON elder.thing = holders.thing AND elder.session_key = ancestor
)
SELECT thing, arg_min(session_key, (descendants.thing IS NOT NULL,
                                    coalesce(started_at, 'infinity'), session_key)) AS owner
FROM holders LEFT JOIN descendants USING (thing, session_key) JOIN sessions USING (session_key)
GROUP BY thing;
"""
_MARK = """
CREATE OR REPLACE TEMP TABLE copied AS
SELECT session_key, source_ref,
       log_says_copied OR coalesce(owner <> session_key, false) AS is_copied
FROM steps LEFT JOIN step_owners ON content_id = thing;

UPDATE steps SET is_copied_context = copied.is_copied FROM copied
WHERE steps.session_key = copied.session_key AND steps.source_ref = copied.source_ref
  AND steps.is_copied_context <> copied.is_copied;
"""


def mark_copied_steps(connection: duckdb.DuckDBPyConnection) -> None:
    """Write `is_copied_context` of every step: the log says so, or another session owns it."""
    _find_owners(connection, _STEPS, "step_owners")
    connection.execute(_MARK)


def find_call_owners(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `call_owners` (thing, owner) of the model calls in several sessions.

    Steps are marked by then: a call whose other records are copies has one owner already.
    """
    _find_owners(connection, _CALLS, "call_owners")


def _find_owners(connection: duckdb.DuckDBPyConnection, things: str, owners: str) -> None:
    connection.execute(_HOLDERS.format(things=things))
    connection.execute(_ANCESTORS)
    connection.execute(_OWNERS.format(owners=owners))
