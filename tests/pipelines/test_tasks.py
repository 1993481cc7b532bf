"""The states of a patch task."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_core.errors import BadInputError
from pipelines.tasks import (
    STATES,
    TaskRow,
    get_task,
    list_tasks,
    move_task,
    open_task,
    reopen_task,
    transitions,
)
from pipelines.warehouse import open_warehouse

_NOW = datetime(2026, 9, 1, tzinfo=UTC)
_TASK = TaskRow(
    "task-1", "core|error_event|run_command|timeout", "core", "error_event", "run_command",
    "timeout", "open", "run_command: timeout errors", {"evidence": ["seen"]}, _NOW, _NOW,
)  # fmt: skip


def test_each_transition_is_recorded(tmp_path: Path) -> None:
    path = ("planned", "patching", "verifying", "proposed", "merged", "watching", "resolved")
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        open_task(connection, _TASK, "a breach")
        for state in path:
            move_task(connection, "task-1", state, f"to {state}", _NOW)
        assert list_tasks(connection)[0].state == "resolved"
        assert [row[:2] for row in transitions(connection, "task-1")] == list(
            zip((None, "open", *path[:-1]), ("open", *path), strict=True)
        )


@pytest.mark.parametrize("state", [state for state in STATES if state not in {
    "planned", "rejected", "failed", "expired"}])  # fmt: skip
def test_an_open_task_cannot_skip_a_state(tmp_path: Path, state: str) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        open_task(connection, _TASK, "a breach")
        with pytest.raises(BadInputError, match=f"cannot become {state}"):
            move_task(connection, "task-1", state, "", _NOW)
        assert get_task(connection, "task-1") == _TASK


def test_a_killed_attempt_is_tried_again(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        open_task(connection, _TASK, "a breach")
        move_task(connection, "task-1", "planned", "", _NOW)
        move_task(connection, "task-1", "patching", "", _NOW)
        assert reopen_task(connection, "task-1", _NOW).state == "open"
        reasons = [row[3] for row in transitions(connection, "task-1")]
    assert reasons == ["a breach", "", "", "the attempt was interrupted", "tried again"]


def test_an_unknown_task_is_named_with_those_there_are(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as connection:
        open_task(connection, _TASK, "a breach")
        with pytest.raises(BadInputError, match="task-9: no such task; there are: task-1"):
            get_task(connection, "task-9")
