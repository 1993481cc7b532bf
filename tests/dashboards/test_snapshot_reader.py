"""The dashboards' own reader of snapshots."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboards.snapshot import (
    Column,
    SnapshotError,
    current_snapshot,
    read_table,
    snapshots_folder,
)
from tests.dashboards.conftest import Published


def test_the_current_snapshot_describes_itself(published: Published) -> None:
    snapshot = current_snapshot(published.team)
    assert snapshot is not None
    assert (snapshot.run_id, snapshot.mode) == ("run-1", "team")
    assert (snapshot.min_sessions, snapshot.min_users) == (5, 3)
    assert snapshot.published_at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert (snapshot.has("tasks"), snapshot.has("sessions")) == (True, False)
    assert snapshot.tables["tasks"]["task_id"] == Column("VARCHAR", "key of the task")


def test_one_session_is_read_alone(published: Published) -> None:
    directory = published.owner / "run-1"
    rows = read_table(directory, "timeline", "atif:session-01")
    assert rows.select("position", "kind", "tools").rows() == [
        (0, "harness", []),
        (1, "person", []),
        (2, "agent", []),
        (3, "tool call", ["read_file"]),
        (4, "tool call", ["search"]),
        (5, "tool error", ["edit_file"]),
        (6, "person", []),
        (7, "interrupt", []),
        (8, "tool call", ["run_command"]),
        (9, "person", []),
    ]
    assert set(rows["session_key"]) == {"atif:session-01"}


def test_before_the_first_publication_there_is_none(tmp_path: Path) -> None:
    assert current_snapshot(tmp_path) is None


@pytest.mark.parametrize(
    ("pointer", "schema", "message"),
    [
        pytest.param("{", None, "is damaged: run `signals run`", id="pointer-cut-off"),
        pytest.param("[]", None, "is damaged: run `signals run`", id="pointer-of-another-shape"),
        pytest.param('{"directory": "run-9"}', None, "is damaged", id="snapshot-gone"),
        pytest.param('{"directory": "run-1"}', "{}", "is damaged", id="schema-empty"),
        pytest.param('{"directory": "run-1"}', "{", "is damaged", id="schema-cut-off"),
        pytest.param(
            '{"directory": "run-1"}',
            '{"schema_version": 3, "tables": []}',
            "is damaged: run `signals run`",
            id="schema-of-another-shape",
        ),
        pytest.param(
            '{"directory": "run-1"}',
            json.dumps({"schema_version": 99}),
            "has schema version 99, this dashboard reads 3",
            id="newer-schema",
        ),
        pytest.param(
            '{"directory": "run-1"}',
            json.dumps({"schema_version": 1, "tables": {}}),
            "has schema version 1, this dashboard reads 3: run `signals run`",
            id="columns-were-added-since",
        ),
    ],
)
def test_damage_is_one_line_with_its_remedy(
    tmp_path: Path, pointer: str, schema: str | None, message: str
) -> None:
    (tmp_path / "current").write_text(pointer, encoding="utf-8")
    (tmp_path / "run-1").mkdir()
    if schema is not None:
        (tmp_path / "run-1" / "schema.json").write_text(schema, encoding="utf-8")
    with pytest.raises(SnapshotError, match=message) as raised:
        current_snapshot(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"not parquet"], ids=["missing", "damaged"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "tasks.parquet").write_bytes(content)
    with pytest.raises(SnapshotError, match=r"table tasks of snapshot .* cannot be read"):
        read_table(tmp_path, "tasks")


def test_the_command_line_names_the_folder_before_the_environment() -> None:
    environment = {"SIGNALS_SNAPSHOTS": "from-environment"}
    assert snapshots_folder(["from-argument"], environment) == Path("from-argument")
    assert snapshots_folder([], environment) == Path("from-environment")
    with pytest.raises(SnapshotError, match="set SIGNALS_SNAPSHOTS"):
        snapshots_folder([], {})
