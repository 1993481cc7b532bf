"""The life of a patch task: its states, the transitions that are allowed, and their record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import duckdb
import orjson

from agent_core.errors import BadInputError

TaskState = Literal[
    "open",
    "planned",
    "patching",
    "verifying",
    "proposed",
    "merged",
    "watching",
    "resolved",
    "regressed",
    "rejected",
    "failed",
    "expired",
]
STATES: tuple[TaskState, ...] = get_args(TaskState)

_ALLOWED: dict[TaskState, frozenset[TaskState]] = {
    "open": frozenset({"planned", "rejected", "failed", "expired"}),
    "planned": frozenset({"patching", "failed", "rejected", "expired"}),
    "patching": frozenset({"verifying", "failed"}),
    "verifying": frozenset({"proposed", "failed"}),
    "proposed": frozenset({"merged", "rejected", "expired"}),
    "merged": frozenset({"watching"}),
    "watching": frozenset({"resolved", "regressed"}),
    "regressed": frozenset({"open"}),
    "failed": frozenset({"open", "rejected"}),
    "resolved": frozenset(),
    "rejected": frozenset(),
    "expired": frozenset(),
}
CLOSED: frozenset[TaskState] = frozenset({"resolved", "rejected", "expired"})
IN_WORK: frozenset[TaskState] = frozenset({"planned", "patching", "verifying"})
"""States that only a running attempt holds: found at its start, an earlier one was killed."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A row of `patch_tasks`."""

    task_id: str
    pattern: str
    agent: str
    type: str
    tool: str | None
    error_class: str | None
    state: TaskState
    title: str
    task: dict[str, Any]
    created_at: datetime
    updated_at: datetime


def pattern_key(agent: str, type_: str, tool: str | None, error_class: str | None) -> str:
    """What makes two breaches one task: the same agent, type, tool and class of error."""
    return "|".join((agent, type_, tool or "*", error_class or "*"))


def list_tasks(connection: duckdb.DuckDBPyConnection) -> list[TaskRow]:
    """Every task, oldest first."""
    columns = ", ".join(TaskRow.__slots__)
    rows = connection.execute(
        f"SELECT {columns} FROM patch_tasks ORDER BY created_at, task_id"
    ).fetchall()
    return [_task_row(row) for row in rows]


def _task_row(row: tuple[Any, ...]) -> TaskRow:
    values = dict(zip(TaskRow.__slots__, row, strict=True))
    return TaskRow(**values | {"task": orjson.loads(values["task"])})


def get_task(connection: duckdb.DuckDBPyConnection, task_id: str) -> TaskRow:
    """The task of that id. Raises BadInputError naming the ids there are."""
    tasks = list_tasks(connection)
    for task in tasks:
        if task.task_id == task_id:
            return task
    known = ", ".join(task.task_id for task in tasks) or "none yet"
    raise BadInputError(f"{task_id}: no such task; there are: {known}")


def open_task(connection: duckdb.DuckDBPyConnection, task: TaskRow, reason: str) -> None:
    """Write a new task in state `open`."""
    values = [getattr(task, name) for name in TaskRow.__slots__]
    values[8] = orjson.dumps(task.task).decode()
    marks = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO patch_tasks ({', '.join(TaskRow.__slots__)}) VALUES ({marks})", values
    )
    _record(connection, task.task_id, None, "open", reason, task.created_at)


def move_task(
    connection: duckdb.DuckDBPyConnection,
    task_id: str,
    to_state: str,
    reason: str,
    now: datetime,
) -> None:
    """Move a task on and record why. Raises BadInputError where the state does not allow it."""
    task = get_task(connection, task_id)
    if to_state not in _ALLOWED[task.state]:
        allowed = ", ".join(sorted(_ALLOWED[task.state])) or "nothing: it is closed"
        raise BadInputError(
            f"{task_id}: is {task.state} and cannot become {to_state} (allowed: {allowed})"
        )
    connection.execute(
        "UPDATE patch_tasks SET state = ?, updated_at = ? WHERE task_id = ?",
        [to_state, now, task_id],
    )
    _record(connection, task_id, task.state, to_state, reason, now)


def reopen_task(connection: duckdb.DuckDBPyConnection, task_id: str, now: datetime) -> TaskRow:
    """Put a task whose attempt was killed or failed back to `open`, and return it.

    A task that is open already stays so. Raises BadInputError for any other state.
    """
    task = get_task(connection, task_id)
    if task.state in IN_WORK:
        move_task(connection, task_id, "failed", "the attempt was interrupted", now)
        task = get_task(connection, task_id)
    if task.state == "proposed":
        raise BadInputError(
            f"{task_id}: a pull request waits for a person already; see signals tasks show "
            f"{task_id}, then signals tasks merged or signals tasks reject"
        )
    if task.state != "open":
        move_task(connection, task_id, "open", "tried again", now)
    return get_task(connection, task_id)


def transitions(connection: duckdb.DuckDBPyConnection, task_id: str) -> Sequence[tuple[Any, ...]]:
    """(from, to, time, reason) of each transition of a task, in order."""
    return connection.execute(
        "SELECT from_state, to_state, moved_at, reason FROM task_transitions "
        "WHERE task_id = ? ORDER BY number",
        [task_id],
    ).fetchall()


def _record(
    connection: duckdb.DuckDBPyConnection,
    task_id: str,
    from_state: TaskState | None,
    to_state: TaskState,
    reason: str,
    now: datetime,
) -> None:
    connection.execute(
        "INSERT INTO task_transitions "
        "SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ? "
        "FROM task_transitions WHERE task_id = ?",
        [task_id, from_state, to_state, now, reason, task_id],
    )
