"""Stage `breaches`: look for friction that rose, and keep what was found and what it cost."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import duckdb
import orjson
import polars as pl

from pipelines.context import Context
from pipelines.thresholds import Breach, Floors, Look, Tested, find_breaches
from pipelines.thresholds.error_rates import ErrorComparison, Span, compare_errors
from pipelines.warehouse import query, replace_rows, transaction

# A session is known from when it was first seen and had its first verdict.
_SESSIONS = """
WITH judged AS (SELECT session_key, min(judged_at) AS judged_at FROM judgements
                WHERE status = 'judged' GROUP BY session_key)
SELECT sessions.session_key, agent, release, user_id, is_autonomous, started_at,
       greatest(first_seen, judged.judged_at) AS known_at
FROM sessions JOIN judgements USING (session_key) JOIN judged USING (session_key)
WHERE current AND exclusion IS NULL AND release IS NOT NULL
"""
_MOMENTS = """
SELECT moments.session_key, moments.type, tool, error_class, error_signature AS signature,
       cluster_id, severity
FROM moments
LEFT JOIN cluster_members ON cluster_members.kind = 'friction' AND item_id = moment_id
LEFT JOIN clusters USING (kind, cluster)
WHERE polarity = 'friction'
"""
_ERRORS = "SELECT occurred_at, service, error_class FROM error_logs"
_LOOK = "comparison_id, agent, release, versus, since, number, looked_at, opened_at, level, \
information"
_NAMES = "SELECT DISTINCT cluster_id, name AS cluster_name FROM clusters WHERE kind = 'friction'"
_TEXTS = ("tool", "error_class", "signature", "cluster_id", "change_release")
_DAYS = ("since", "change_day", "change_from", "change_to")
_NUMBERS = ("odds_ratio", "odds_high", "change_probability", "change_at_releases")


def look_for_breaches(context: Context) -> dict[str, int]:
    """Test every pattern that a look is due for, keep what breached, return counts.

    A breach is kept under its agent, release, pattern and baseline: seen again it is the same
    row, with the figures of the latest look and the time of the first.
    """
    with context.warehouse() as connection:
        sessions, moments = query(connection, _SESSIONS), query(connection, _MOMENTS)
        errors = query(connection, _ERRORS)
        looks = [Look(**row) for row in _looks(connection)]
        unknown = _without_release(connection)
    tested = find_breaches(sessions, moments, floors_of(context), now=context.clock(), looks=looks)
    rows = [_row(breach, errors) for breach in tested.breaches]
    with context.warehouse() as connection, transaction(connection):
        _keep_looks(connection, tested, context)
        _keep_breaches(connection, rows, context)
    return {
        "breaches": len(tested.breaches),
        "patterns_tested": tested.patterns,
        "looks": tested.new_looks,
        "agents_without_baseline": tested.agents_without_baseline,
        "sessions_without_release": unknown,
    }


def floors_of(context: Context) -> Floors:
    """The floors and error rates of the configuration."""
    config = context.config
    return Floors(
        min_sessions=config.min_sessions,
        min_users=config.min_users,
        false_discovery_rate=config.thresholds.false_discovery_rate,
        false_alarms_per_year=config.thresholds.false_alarms_per_year,
        window_days=config.thresholds.window_days,
    )


def breach_id(breach: Breach) -> str:
    """A breach's key: a hash of agent, release, pattern and what it is held against."""
    is_typed = breach.kind in ("type", "error")
    parts = (
        *(breach.agent, breach.release, breach.kind, breach.type if is_typed else ""),
        *(breach.tool or "", breach.error_class or "", breach.signature or ""),
        *(breach.cluster_id or "", breach.versus, str(breach.since or "")),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _looks(connection: duckdb.DuckDBPyConnection) -> Sequence[dict[str, Any]]:
    return query(connection, f"SELECT {_LOOK} FROM breach_looks ORDER BY ALL").to_dicts()


def _without_release(connection: duckdb.DuckDBPyConnection) -> int:
    return int(
        connection.execute(
            "SELECT count(*) FROM sessions WHERE exclusion IS NULL AND release IS NULL"
        ).fetchall()[0][0]
    )


def _row(breach: Breach, errors: pl.DataFrame) -> dict[str, Any]:
    """A row of `breaches`, but for the run, the time and the task."""
    left_out = {"session_keys", "change", "base_from", "began_at", "until"}
    values = {name: value for name, value in asdict(breach).items() if name not in left_out}
    change = breach.change
    along = _errors_along(breach, errors)
    return {
        **{name: _finite(value) for name, value in values.items()},
        "breach_id": breach_id(breach),
        "change_release": change and change.release,
        "change_day": change and change.day,
        "change_probability": change and change.probability,
        "change_from": change and change.day_from,
        "change_to": change and change.day_to,
        "change_at_releases": change and change.at_releases,
        "error_rates": orjson.dumps([asdict(one) for one in along.risen]).decode(),
        "error_note": along.note,
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _errors_along(breach: Breach, errors: pl.DataFrame) -> ErrorComparison:
    if breach.base_from is None or breach.began_at is None or breach.until is None:
        return ErrorComparison((), "the sessions have no times")
    newer, baseline = Span(breach.began_at, breach.until), Span(breach.base_from, breach.began_at)
    return compare_errors(errors, newer, baseline)


def _keep_looks(connection: duckdb.DuckDBPyConnection, tested: Tested, context: Context) -> None:
    known = query(connection, "SELECT comparison_id, number FROM breach_looks")
    looks = pl.DataFrame(
        [asdict(look) | {"run_id": context.run_id} for look in tested.looks],
        schema_overrides={"since": pl.Date()},
    )
    if looks.height:
        new = looks.join(known, on=["comparison_id", "number"], how="anti")
        replace_rows(connection, "breach_looks", new)


def _keep_breaches(
    connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], context: Context
) -> None:
    if not rows:
        return
    known = query(connection, "SELECT breach_id, detected_at, task_id FROM breaches")
    frame = (
        pl.DataFrame(
            rows,
            schema_overrides={
                **dict.fromkeys(_TEXTS, pl.String()),
                **dict.fromkeys(_DAYS, pl.Date()),
                **dict.fromkeys(_NUMBERS, pl.Float64()),
            },
        )
        .join(query(connection, _NAMES), on="cluster_id", how="left")
        .join(known, on="breach_id", how="left")
        .with_columns(
            pl.col("detected_at").fill_null(context.clock()), run_id=pl.lit(context.run_id)
        )
    )
    replace_rows(connection, "breaches", frame)
