"""Opening, migrating, and sessions as rows."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from agent_core.errors import WarehouseError
from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from pipelines.warehouse import CURRENT_VERSION, open_warehouse, replace_rows
from pipelines.warehouse.session_rows import (
    header_frame,
    header_row,
    load_sessions,
    step_frames,
)

_SESSION = Session(
    key="made:1",
    format="made",
    session_id="1",
    source_path="/logs/1.jsonl",
    agent="signals-core",
    user="ada",
    started_at=datetime(2026, 9, 1, 8, tzinfo=UTC),
    steps=(
        Step("line:1", "user", "go\x00on", datetime(2026, 9, 1, 8, tzinfo=UTC), is_person=True),
        Step(
            "line:2",
            "agent",
            "on it ☂",
            tool_calls=(ToolCall("c1", "read_file", {"path": "a", "deep": {"list": [1, None]}}),),
            observations=(
                Observation("c1", "no such file", True, "not_found", "no such file", "line:3"),
            ),
            model="scripted",
            tokens=Tokens(10, 4, 3, 1),
            api_call_id="m1",
            content_id="u2",
        ),
    ),
)


def test_a_session_comes_back_as_it_went_in(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        header = header_frame([header_row(_SESSION)])
        rows = header.with_columns(first_seen=header["started_at"])
        replace_rows(connection, "sessions", rows)
        for steps in step_frames([_SESSION]):
            replace_rows(connection, "steps", steps)
        loaded = load_sessions(connection, ["made:1", "made:2"])
    placed = tuple(replace(step, source_path="/logs/1.jsonl") for step in _SESSION.steps)
    assert loaded == [replace(_SESSION, steps=placed)]


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with open_warehouse(path):
        pass
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_a_damaged_file_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(WarehouseError, match="move the file away"), open_warehouse(path):
        pass
    assert path.read_bytes() == b"not a database " * 1000


def test_a_warehouse_of_a_newer_signals_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with open_warehouse(path) as connection:
        connection.execute(
            "INSERT INTO schema_migrations (version) VALUES (?)", [CURRENT_VERSION + 1]
        )
    with pytest.raises(WarehouseError, match="upgrade Signals"), open_warehouse(path):
        pass


def test_every_table_has_a_key(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        tables = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
        keyed = {
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
            ).fetchall()
        }
    assert tables == keyed


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """A killed set-up: the tables of the first migration stand in the way of a second one."""
    path = tmp_path / "w.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE sessions (other VARCHAR)")
    with pytest.raises(WarehouseError, match="no warehouse of Signals"), open_warehouse(path):
        pass
    with duckdb.connect(path) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
    assert names == ["schema_migrations", "sessions"]
