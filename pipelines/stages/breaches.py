"""Stage `breaches`: compare the newest release of each agent with the ones before."""

import hashlib
from dataclasses import asdict

import duckdb
import polars as pl

from pipelines.context import Context
from pipelines.thresholds import Breach, Floors, Tested, find_breaches
from pipelines.warehouse import query, replace_rows, transaction

_SESSIONS = """
SELECT sessions.session_key, agent, release, user_id, is_autonomous, started_at
FROM sessions JOIN judgements USING (session_key)
WHERE current AND exclusion IS NULL AND release IS NOT NULL
"""
_MOMENTS = "SELECT session_key, type, tool, error_class FROM moments WHERE polarity = 'friction'"


def look_for_breaches(context: Context) -> dict[str, int]:
    """Test every pattern, keep what breached, return counts.

    A breach is kept under its agent, release and pattern: seen again it is the same row, with
    the figures of the latest look and the time of the first.
    """
    config = context.config
    floors = Floors(config.min_sessions, config.min_users, config.thresholds.false_discovery_rate)
    with context.warehouse() as connection:
        sessions, moments = query(connection, _SESSIONS), query(connection, _MOMENTS)
        unknown = _without_release(connection)
    tested = find_breaches(sessions, moments, floors)
    with context.warehouse() as connection, transaction(connection):
        _write(connection, tested, context)
    return {
        "breaches": len(tested.breaches),
        "patterns_tested": tested.patterns,
        "agents_without_baseline": tested.agents_without_baseline,
        "sessions_without_release": unknown,
    }


def breach_id(breach: Breach) -> str:
    """A breach's key: a hash of agent, release and pattern."""
    parts = (breach.agent, breach.release, breach.type, breach.tool or "", breach.error_class or "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _without_release(connection: duckdb.DuckDBPyConnection) -> int:
    return int(
        connection.execute(
            "SELECT count(*) FROM sessions WHERE exclusion IS NULL AND release IS NULL"
        ).fetchall()[0][0]
    )


def _write(connection: duckdb.DuckDBPyConnection, tested: Tested, context: Context) -> None:
    if not tested.breaches:
        return
    rows = pl.DataFrame(
        [
            {key: value for key, value in asdict(breach).items() if key != "session_keys"}
            | {"breach_id": breach_id(breach), "run_id": context.run_id}
            for breach in tested.breaches
        ],
        schema_overrides={"tool": pl.String(), "error_class": pl.String()},
    )
    known = query(connection, "SELECT breach_id, detected_at, task_id FROM breaches")
    rows = rows.join(known, on="breach_id", how="left").with_columns(
        pl.col("detected_at").fill_null(context.clock())
    )
    replace_rows(connection, "breaches", rows)
