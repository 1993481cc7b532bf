"""Who owns what several sessions hold, whatever was there first."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from pipelines.stages.ownership import find_call_owners, mark_copied_steps
from pipelines.warehouse import query
from tests.pipelines.warehouse_rows import add, new_warehouse

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
ID = "0123456789abcdef"


class Held(NamedTuple):
    """A session: minutes after START at which it began, its parent, whether it holds the thing."""

    start: int | None
    parent: str | None = None
    holds: bool = True


CASES: dict[str, tuple[dict[str, Held], str]] = {
    "the first": ({"a": Held(2), "b": Held(1)}, "b"),
    "at one time the smaller key": ({"b": Held(1), "a": Held(1)}, "a"),
    "a start that is known": ({"a": Held(None), "b": Held(9)}, "b"),
    "the parent, though it began later": ({"a": Held(1, "b"), "b": Held(2)}, "b"),
    "the parent, though its start is unknown": ({"a": Held(1, "b"), "b": Held(None)}, "b"),
    "a grandparent, through one that holds it not": (
        {"a": Held(1, "b"), "b": Held(0, "c", holds=False), "c": Held(2)},
        "c",
    ),
    "the eldest of a line": ({"a": Held(1, "b"), "b": Held(2, "c"), "c": Held(3)}, "c"),
    "the parent of two": ({"a": Held(1, "c"), "b": Held(2, "c"), "c": Held(3)}, "c"),
    "one of two forks of a parent that holds it not": (
        {"a": Held(2, "c"), "b": Held(1, "c"), "c": Held(0, holds=False)},
        "b",
    ),
    "a stranger before the parent": ({"a": Held(1, "c"), "b": Held(2), "c": Held(3)}, "b"),
    "a parent before a stranger": ({"a": Held(1, "c"), "b": Held(9), "c": Held(3)}, "c"),
    "a parent that is not there": ({"a": Held(1, "gone"), "b": Held(2)}, "a"),
    "one's own parent": ({"a": Held(1, "a"), "b": Held(2)}, "a"),
    "a circle of two": ({"a": Held(2, "b"), "b": Held(1, "a")}, "b"),
    "a circle of three": (
        {"a": Held(2, "b"), "b": Held(3, "c"), "c": Held(1, "a")},
        "c",
    ),
    "a circle above a child": (
        {"a": Held(1, "b"), "b": Held(3, "c"), "c": Held(2, "b")},
        "c",
    ),
}


@pytest.fixture
def warehouse() -> duckdb.DuckDBPyConnection:
    return new_warehouse(Path(":memory:"))


def _arrive(connection: duckdb.DuckDBPyConnection, key: str, held: Held) -> None:
    """A session with a step of its own, a step that others hold and a call that others hold."""
    start = None if held.start is None else START + timedelta(minutes=held.start)
    add(connection, "sessions", session_key=key, started_at=start, parent_key=held.parent)
    rows: list[dict[str, Any]] = [{"content_id": f"own {key}"}, {"content_id": ID},
            {"api_call_id": ID, "input_tokens": 1}]  # fmt: skip
    for position, values in enumerate(rows if held.holds else rows[:1]):
        add(connection, "steps", session_key=key, source_ref=f"line:{position}",
            position=position, **values)  # fmt: skip


def _owners(connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str], int]:
    """The sessions whose step is no copy, the owner of the call, and copies of other steps."""
    mark_copied_steps(connection)
    find_call_owners(connection)
    own = query(
        connection,
        f"SELECT session_key FROM steps WHERE content_id = '{ID}' AND NOT is_copied_context",
    )
    others = query(
        connection, "SELECT count(*) FROM steps WHERE position <> 1 AND is_copied_context"
    )
    calls = query(connection, "SELECT owner FROM call_owners")
    return own["session_key"].to_list(), calls["owner"].to_list(), int(others.item())


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_owner_does_not_depend_on_what_came_first(name: str) -> None:
    """All orders of arrival, looked at after each arrival and at the end."""
    sessions, owner = CASES[name]
    for order in permutations(sessions):
        connection = new_warehouse(Path(":memory:"))
        for key in order:
            _arrive(connection, key, sessions[key])
            _owners(connection)
        assert _owners(connection) == ([owner], [owner], 0), order
        connection.close()


def test_a_conversion_owns_nothing(warehouse: duckdb.DuckDBPyConnection) -> None:
    for key, held in {"a": Held(1), "b": Held(2, "a"), "c": Held(3)}.items():
        _arrive(warehouse, key, held)
    warehouse.execute("UPDATE sessions SET conversion_of = 'c' WHERE session_key = 'a'")
    mark_copied_steps(warehouse)
    assert query(
        warehouse,
        f"SELECT session_key, is_copied_context FROM steps WHERE content_id = '{ID}' ORDER BY ALL",
    ).rows() == [("a", True), ("b", False), ("c", True)]


def test_a_copy_that_the_log_marks_is_counted_where_it_is_none(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    for key, held in {"a": Held(1), "b": Held(2)}.items():
        _arrive(warehouse, key, held)
    warehouse.execute("UPDATE steps SET log_says_copied = true WHERE session_key = 'a'")
    assert _owners(warehouse) == (["b"], [], 2)


def test_a_chain_of_parents_without_end_is_followed_only_so_far(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """A forged chain must not take time or memory with the square of its length."""
    warehouse.execute(
        """
        INSERT INTO sessions BY NAME
        SELECT format('s{:05}', i) AS session_key, format('s{:05}', i + 1) AS parent_key,
               'atif' AS format, 'id' AS session_id, 'a' AS source_path, 'core' AS agent,
               false AS is_autonomous, false AS is_simulated_user, now() AS first_seen
        FROM range(20000) AS numbers(i);
        INSERT INTO steps BY NAME
        SELECT session_key, 'line:1' AS source_ref, 0 AS position, 'a' AS source_path,
               'agent' AS source, '' AS text, '' AS reasoning, false AS is_person,
               false AS is_copied_context, false AS log_says_copied, 'same' AS content_id,
               '[]' AS tool_calls, '[]' AS observations
        FROM sessions
        """
    )
    mark_copied_steps(warehouse)
    own = query(warehouse, "SELECT session_key FROM steps WHERE NOT is_copied_context")
    assert own["session_key"].to_list() == ["s19999"]
