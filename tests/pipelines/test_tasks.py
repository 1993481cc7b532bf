"""The states of a patch task."""

from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from agent_core.errors import BadInputError
from pipelines.task_expiry import expire_tasks
from pipelines.tasks import (
    STATES,
    TaskRow,
    get_task,
    list_tasks,
    move_task,
    open_task,
    reopen_regressed,
    reopen_task,
    transitions,
)
from tests.pipelines.warehouse_rows import new_warehouse

_NOW = datetime(2026, 9, 1, tzinfo=UTC)
_TASK = TaskRow(
    "task-1", "core|error_event|run_command|timeout", "core", "error_event", "run_command",
    "timeout", "open", "run_command: timeout errors", {"evidence": ["seen"]}, _NOW, _NOW,
)  # fmt: skip

_AGAIN = ("the attempt was interrupted", "tried again")
_MERGED = ("planned", "patching", "verifying", "proposed", "merged", "watching")


def _open_warehouse(tmp_path: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    return closing(new_warehouse(tmp_path / "w.duckdb"))


def test_each_transition_is_recorded(tmp_path: Path) -> None:
    path = ("planned", "patching", "verifying", "proposed", "merged", "watching", "resolved")
    with _open_warehouse(tmp_path) as connection:
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
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        with pytest.raises(BadInputError, match=f"cannot become {state}"):
            move_task(connection, "task-1", state, "why", _NOW)
        assert get_task(connection, "task-1") == _TASK


def test_a_killed_attempt_is_tried_again(tmp_path: Path) -> None:
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        move_task(connection, "task-1", "planned", "a copy", _NOW)
        move_task(connection, "task-1", "patching", "session s", _NOW)
        assert reopen_task(connection, "task-1", _NOW).state == "open"
        reasons = [row[3] for row in transitions(connection, "task-1")]
    assert reasons == ["a breach", "a copy", "session s", *_AGAIN]


def test_an_unknown_task_is_named_with_those_there_are(tmp_path: Path) -> None:
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        with pytest.raises(BadInputError, match="task-9: no such task; there are: task-1"):
            get_task(connection, "task-9")


def test_a_transition_without_a_reason_is_none(tmp_path: Path) -> None:
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        with pytest.raises(ValueError, match="task-1: no reason to become planned"):
            move_task(connection, "task-1", "planned", " ", _NOW)


@pytest.mark.parametrize("begins_as", ["watching", "regressed", "resolved"])
def test_a_regressed_task_opens_again_with_what_shows_it(tmp_path: Path, begins_as: str) -> None:
    evidence = "9 of 20 sessions show it after the merge, 8 of 20 before"
    path = _MERGED if begins_as == "watching" else (*_MERGED, begins_as)
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        for state in path:
            move_task(connection, "task-1", state, f"to {state}", _NOW)
        task = reopen_regressed(connection, "task-1", evidence, _NOW)
        ends = [row[:2] for row in transitions(connection, "task-1")][-2:]
    assert (task.state, task.task) == ("open", {"evidence": [evidence, "seen"]})
    assert ends[1] == ("regressed", "open")


def test_what_was_never_merged_cannot_regress(tmp_path: Path) -> None:
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        with pytest.raises(BadInputError, match="is open and cannot become regressed"):
            reopen_regressed(connection, "task-1", "worse", _NOW)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ((), "nobody ran it in 30 days"),
        (("planned", "failed"), "nobody tried it again in 30 days"),
        (_MERGED[:4], "nobody decided on its pull request in 30 days"),
        (_MERGED[:2], None),
        (_MERGED, None),
    ],
    ids=["open", "failed", "proposed", "in work", "watched"],
)
def test_what_nobody_acts_on_expires(
    tmp_path: Path, path: tuple[str, ...], reason: str | None
) -> None:
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        for state in path:
            move_task(connection, "task-1", state, "why", _NOW)
        assert expire_tasks(connection, _NOW + timedelta(days=30), 30) == []
        expired = expire_tasks(connection, _NOW + timedelta(days=31), 30)
        last = transitions(connection, "task-1")[-1]
    assert expired == ([] if reason is None else ["task-1"])
    assert reason is None or (last[1], last[3]) == ("expired", reason)


def test_an_effect_that_cannot_be_told_ends_the_watch(tmp_path: Path) -> None:
    with _open_warehouse(tmp_path) as connection:
        open_task(connection, _TASK, "a breach")
        for state in (*_MERGED, "expired"):
            move_task(connection, "task-1", state, "inconclusive: too few sessions", _NOW)
        assert get_task(connection, "task-1").state == "expired"
