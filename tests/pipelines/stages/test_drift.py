"""Stage `drift`: from moments, facet values and clusters to changes and retirements."""

from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.stages.drift import find_drift
from tests.pipelines.conftest import NOW
from tests.pipelines.warehouse_rows import add

_RECENT, _BEFORE = date(2026, 9, 30), date(2026, 9, 10)


def _add(
    connection: duckdb.DuckDBPyConnection, number: int, day: date, corrected: int, **marks: Any
) -> None:
    """So many judged sessions of a day, the first of them with a correction; one row and copies."""
    first = f"{day}{''.join(marks)}-0"
    add(connection, "sessions", session_key=first, session_id="0", day=day, user_id="u0", **marks)
    add(connection, "judgements", judgement_id=first, session_key=first)
    add(connection, "moments", moment_id=first, judgement_id=first, session_key=first,
        source_ref="r1", type="correction", judged_type="correction")  # fmt: skip
    key = f"'{first[:-1]}' || place"
    copied = "* EXCLUDE (place) REPLACE"
    renamed = f"{copied} ({key} AS session_key, {key} AS judgement_id"
    for table, count, columns in (
        ("sessions", number, f"{copied} ({key} AS session_key, 'u' || place % 3 AS user_id)"),
        ("judgements", number, f"{renamed})"),
        ("moments", corrected, f"{renamed}, {key} AS moment_id)"),
    ):
        connection.execute(
            f"INSERT INTO {table} SELECT {columns} FROM {table}, range(1, {count}) AS r(place) "
            f"WHERE session_key = '{first}'"
        )
    if not corrected:
        connection.execute("DELETE FROM moments WHERE session_key = ?", [first])


def _rows(context: Context, target: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return connection.execute(
            "SELECT value, change, reason, affected_before, sessions_before, affected_after, "
            "sessions_after, users_after, run_id FROM drift WHERE target = ? ORDER BY value",
            [target],
        ).fetchall()


@pytest.fixture
def moved(context: Context) -> Context:
    """A home in which corrections tripled, and one cluster of them came up."""
    with context.warehouse() as connection:
        ensure_schema(connection, NOW)
        _add(connection, 60, _BEFORE, 10)
        _add(connection, 30, _RECENT, 20)
        _add(connection, 5, _RECENT, 0, is_autonomous=True)
        _add(connection, 3, _RECENT, 0, exclusion="no step of the agent")
        connection.execute(
            "INSERT INTO facet_values BY NAME SELECT session_key, 1 AS schema_version, "
            "'programming_languages' AS facet, '[\"go\",\"sql\"]'::JSON AS value, "
            "'log' AS provenance, session_key AS judgement_id FROM sessions"
        )
        add(connection, "clusters", kind="friction", cluster=0, cluster_id="c-1", name="n", size=9,
            sessions=9, users=3)  # fmt: skip
        connection.execute(
            "INSERT INTO cluster_members SELECT 'friction', moment_id, 0, 1.0 FROM moments "
            "WHERE moment_id LIKE '2026-09-30%'"
        )
    return context


def test_changes_of_types_facet_values_and_clusters(moved: Context) -> None:
    counts = find_drift(moved)
    few = "fewer than 5 sessions show it"
    friction = _rows(moved, "friction")
    assert [row for row in friction if row[1] != "unclear"] == [
        ("correction", "grows", None, 10, 60, 20, 30, 3, "run-1")
    ]
    # A run without a person can show an error and no other friction.
    assert ("error_event", "unclear", few, 0, 60, 0, 35, 0, "run-1") in friction
    assert ("praise", "unclear", few, 0, 60, 0, 35, 0, "run-1") in _rows(moved, "delight")
    languages = _rows(moved, "programming_languages")
    assert [row for row in languages if row[3]] == [
        ("go", "steady", None, 60, 60, 35, 35, 3, "run-1"),
        ("sql", "steady", None, 60, 60, 35, 35, 3, "run-1"),
    ]
    assert _rows(moved, "cluster:friction") == [("c-1", "appears", None, 0, 60, 20, 30, 3, "run-1")]
    assert (counts["grows"], counts["appears"], counts["steady"]) == (1, 1, 2)
    assert counts["proposals"] == 0
    assert find_drift(moved) == counts  # what this run finds takes the place of what the last found


def test_a_type_that_is_long_empty_is_proposed_for_retirement(context: Context) -> None:
    with context.warehouse() as connection:
        ensure_schema(connection, NOW)
        for number in range(15):
            _add(connection, 14, _RECENT - timedelta(days=2 * number), 1)
    assert find_drift(context)["proposals_new"] == 12
    with context.warehouse() as connection:
        found = connection.execute(
            "SELECT kind, target, name, sessions, users FROM schema_proposals "
            "WHERE name IN ('backtracking', 'correction', 'other', 'praise') ORDER BY name"
        ).fetchall()
        connection.execute("UPDATE schema_proposals SET status = 'rejected'")
    # Never what takes in the rest, nor what a log's rule would recognise.
    assert found == [
        ("retire", "friction", "backtracking", 210, 3),
        ("retire", "delight", "praise", 210, 3),
    ]
    assert find_drift(context)["proposals_new"] == 0


def test_a_session_whose_log_has_no_time_is_on_no_day(context: Context) -> None:
    assert find_drift(context) == {"undated": 0, "proposals": 0, "proposals_new": 0}
    with context.warehouse() as connection:
        _add(connection, 60, _BEFORE, 10)
        _add(connection, 30, _RECENT, 20, started_at=None)
    assert find_drift(context)["undated"] == 30
    assert _rows(context, "friction")[3][3:7] == (0, 0, 10, 60)
