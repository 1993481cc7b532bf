"""How a breach is tied to the task that covers it: by shared sessions, and after a merge."""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import polars as pl

from pipelines.breach_rows import BreachRow
from pipelines.task_matching import Match
from pipelines.warehouse import query

CONSEQUENCE_SHARE = 0.5
"""Of a wider breach's sessions, what exact ones must explain."""

_EXPLAINED = """
WITH mine AS (SELECT unnest($session_keys::VARCHAR[]) AS session_key),
explained AS (
    SELECT DISTINCT session_key, task_id
    FROM mine JOIN moments USING (session_key)
    JOIN breaches ON breaches.type = moments.type AND breaches.tool = moments.tool
     AND breaches.error_class = moments.error_class
    WHERE polarity = 'friction' AND breaches.release = $release AND breaches.agent = $agent
      AND list_contains($task_ids::VARCHAR[], task_id))
SELECT task_id, count(*) AS sessions,
       (SELECT count(DISTINCT session_key) FROM explained) / (SELECT count(*) FROM mine) AS share
FROM explained GROUP BY task_id ORDER BY sessions DESC, task_id
"""


def explaining_task(
    connection: duckdb.DuckDBPyConnection,
    found: BreachRow,
    session_keys: Sequence[str],
    task_ids: Sequence[str],
) -> Match | None:
    """Of these tasks the one with most of the sessions, where exact breaches explain half."""
    known: dict[str, object] = {
        "session_keys": list(session_keys),
        "release": found.release,
        "agent": found.agent,
        "task_ids": list(task_ids),
    }
    explained = query(connection, _EXPLAINED, known)
    if not explained.height or explained["share"][0] < CONSEQUENCE_SHARE:
        return None
    return Match(str(explained["task_id"][0]), "explained", None)


def come_back(
    connection: duckdb.DuckDBPyConnection, match: Match | None, moments: pl.DataFrame
) -> Match | None:
    """The match where all that shows the breach began after its task was merged.

    Sessions of an agent from before the merge say nothing about the patch.
    """
    if match is None or not moments.height:
        return None
    merged = connection.execute(
        "SELECT max(moved_at) FROM task_transitions WHERE task_id = ? AND to_state = 'merged'",
        [match.task_id],
    ).fetchall()[0][0]
    first = moments["started_at"].min()
    is_later = isinstance(merged, datetime) and isinstance(first, datetime) and first > merged
    return match if is_later else None


def record_join(
    connection: duckdb.DuckDBPyConnection, breach_id: str, match: Match, now: datetime
) -> None:
    """Write which task covers the breach, and why."""
    connection.execute(
        "UPDATE breaches SET task_id = ? WHERE breach_id = ?", [match.task_id, breach_id]
    )
    connection.execute(
        "INSERT OR REPLACE INTO task_breaches VALUES (?, ?, ?, ?, ?)",
        [breach_id, match.task_id, match.ground, match.similarity, now],
    )
