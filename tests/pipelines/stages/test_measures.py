"""Stage `measures`: new and changed sessions only, each with every measure."""

from dataclasses import replace
from typing import Any

import duckdb
import pytest

from facets.measures import MEASURES, MEASURES_VERSION
from pipelines.context import Context
from pipelines.stages import measures
from pipelines.stages.measures import fill_measures
from tests.pipelines.warehouse_rows import add


def _edit(path: str, *, call: str) -> dict[str, Any]:
    return {"call_id": call, "name": "Edit", "arguments": {"file_path": path}}


def _add_session(connection: duckdb.DuckDBPyConnection, key: str, edits: int, **marks: Any) -> None:
    add(connection, "sessions", session_key=key, session_id=key, steps=edits + 1, **marks)
    add(connection, "steps", session_key=key, source_ref="r0", position=0, source="user",
        text="please", is_person=True)  # fmt: skip
    for number in range(1, edits + 1):
        add(connection, "steps", session_key=key, source_ref=f"r{number}", position=number,
            tool_calls=[_edit("a.py", call=f"c{number}")])  # fmt: skip


def _values(context: Context, measure: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return connection.execute(
            "SELECT session_key, content_hash, version, value FROM session_measures "
            "WHERE measure = ? ORDER BY session_key",
            [measure],
        ).fetchall()


def test_every_selected_session_is_measured_once(context: Context) -> None:
    with context.warehouse() as connection:
        _add_session(connection, "a", 2)
        _add_session(connection, "b", 0)
        _add_session(connection, "c", 1, exclusion="no step of the agent")
    assert fill_measures(context) == {"sessions_measured": 2}
    assert _values(context, "edits") == [
        ("a", "hash", MEASURES_VERSION, 2.0),
        ("b", "hash", MEASURES_VERSION, 0.0),
    ]
    # The log of `b` does not show when a file was first edited.
    assert _values(context, "steps_to_first_edit") == [
        ("a", "hash", MEASURES_VERSION, 1.0),
        ("b", "hash", MEASURES_VERSION, None),
    ]
    with context.warehouse() as connection:
        counted = connection.execute("SELECT count(*) FROM session_measures").fetchall()
    assert counted == [(2 * len(MEASURES),)]
    assert fill_measures(context) == {"sessions_measured": 0}


def test_what_has_changed_is_measured_anew_and_what_is_gone_forgotten(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with context.warehouse() as connection:
        _add_session(connection, "a", 1)
        _add_session(connection, "b", 1)
    fill_measures(context)
    with context.warehouse() as connection:
        add(connection, "steps", session_key="a", source_ref="r9", position=9,
            tool_calls=[_edit("b.py", call="c9")])  # fmt: skip
        connection.execute("UPDATE sessions SET content_hash = 'grown' WHERE session_key = 'a'")
    assert fill_measures(context) == {"sessions_measured": 1}
    assert _values(context, "files_edited") == [
        ("a", "grown", MEASURES_VERSION, 2.0),
        ("b", "hash", MEASURES_VERSION, 1.0),
    ]
    with context.warehouse() as connection:
        connection.execute("DELETE FROM sessions WHERE session_key = 'b'")
    monkeypatch.setattr(measures, "MEASURES_VERSION", MEASURES_VERSION + 1)
    assert fill_measures(context) == {"sessions_measured": 1}
    assert _values(context, "files_edited") == [("a", "grown", MEASURES_VERSION + 1, 2.0)]


def test_what_a_killed_run_has_measured_stays_measured(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of one session: what the second came to is not kept yet."""
    with context.warehouse() as connection:
        for key in "abc":
            _add_session(connection, key, 1)
    monkeypatch.setattr(measures, "_BATCH_STEPS", 1)
    with pytest.raises(KeyboardInterrupt):
        fill_measures(replace(context, progress=_killed_after(2)))
    assert [row[0] for row in _values(context, "edits")] == ["a"]
    assert fill_measures(context) == {"sessions_measured": 2}


def _killed_after(batches: int) -> Any:
    def progress(_what: str, done: int, _total: int) -> None:
        if done == batches:
            raise KeyboardInterrupt

    return progress
