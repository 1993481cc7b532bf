"""The life of a patch task: its states, the transitions that are allowed, and their record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeGuard, get_args

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
    "planned": frozenset({"patching", "failed", "rejected"}),
    "patching": frozenset({"verifying", "failed"}),
    "verifying": frozenset({"proposed", "failed"}),
    "proposed": frozenset({"open", "merged", "rejected", "expired"}),
    "merged": frozenset({"watching"}),
    "watching": frozenset({"resolved", "regressed", "expired"}),
    "regressed": frozenset({"open"}),
    "failed": frozenset({"open", "proposed", "rejected", "expired"}),
    "resolved": frozenset({"regressed"}),
    "rejected": frozenset(),
    "expired": frozenset(),
}
CLOSED: frozenset[TaskState] = frozenset({"resolved", "rejected", "expired"})
IN_WORK: frozenset[TaskState] = frozenset({"planned", "patching", "verifying"})
"""States that only a running attempt holds: found at its start, an earlier one was killed."""
STALE_ABLE: frozenset[TaskState] = frozenset({"open", "failed", "proposed"})
"""States that wait for somebody: where nobody comes, they expire. What is merged is measured."""


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
    signature: str | None = None
    """Of a task that is of one error signature at any tool."""
    cluster_id: str | None = None
    """Of a task that is of a cluster of descriptions."""


def pattern_key(
    agent: str,
    type_: str,
    tool: str | None,
    error_class: str | None,
    signature: str | None = None,
    cluster_id: str | None = None,
) -> str:
    """Agent, type, tool and class of error, and what is narrower than these where it is known."""
    narrower = [part for part in (signature, cluster_id) if part]
    return "|".join((agent, type_, tool or "*", error_class or "*", *narrower))


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


def can_move(to_state: str, from_state: TaskState) -> TypeGuard[TaskState]:
    """Whether a task may go to the one state from the other."""
    return to_state in _ALLOWED[from_state]


def move_task(
    connection: duckdb.DuckDBPyConnection,
    task_id: str,
    to_state: str,
    reason: str,
    now: datetime,
) -> None:
    """Move a task on and record why. Raises BadInputError where the state does not allow it, and
    ValueError without a reason: every transition says why.
    """
    if not reason.strip():
        raise ValueError(f"{task_id}: no reason to become {to_state}")
    task = get_task(connection, task_id)
    if not can_move(to_state, task.state):
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
    """Put a task back to `open` for another attempt, and return it.

    Its attempt was killed or failed, or its pull request is to be made anew; a task that is open
    stays so. Raises BadInputError for any other state.
    """
    task = get_task(connection, task_id)
    if task.state in IN_WORK:
        move_task(connection, task_id, "failed", "the attempt was interrupted", now)
        task = get_task(connection, task_id)
    if task.state not in ("open", "failed", "proposed"):
        raise BadInputError(f"{task_id}: cannot be run, {_WHY_NOT[task.state]}")
    if task.state != "open":
        move_task(connection, task_id, "open", "tried again", now)
    return get_task(connection, task_id)


_WHY_NOT: dict[TaskState, str] = {
    "merged": "a person has merged it; its effect is measured next",
    "watching": "it is merged, and its effect is being measured",
    "regressed": "its new evidence is being written; see signals tasks list",
    "resolved": "its friction is gone",
    "rejected": "a person has rejected it; friction that lasts opens another after the cooldown",
    "expired": "nobody came for it in time; friction that lasts opens another",
}


def reopen_regressed(
    connection: duckdb.DuckDBPyConnection, task_id: str, evidence: str, now: datetime
) -> TaskRow:
    """Open a task whose friction came back, with what shows it, and return it.

    `evidence` is an abstracted sentence, such as the rates before and after the merge; it stands
    first in the task that the agent is given. Raises BadInputError for a task that was not merged.
    """
    if get_task(connection, task_id).state != "regressed":
        move_task(connection, task_id, "regressed", evidence, now)
    told = dict(get_task(connection, task_id).task)
    earlier = [line for line in told.get("evidence", ()) if line != evidence]
    told["evidence"] = [evidence, *earlier]
    connection.execute(
        "UPDATE patch_tasks SET task = ? WHERE task_id = ?", [orjson.dumps(told).decode(), task_id]
    )
    move_task(connection, task_id, "open", f"regressed: {evidence}", now)
    return get_task(connection, task_id)


def standing_proposal(connection: duckdb.DuckDBPyConnection, task_id: str) -> str | None:
    """The branch of the newest pull request of a task that was neither merged nor regressed."""
    rows = connection.execute(
        "SELECT branch FROM patch_attempts WHERE task_id = $id AND status = 'proposed' "
        "AND ended_at > coalesce((SELECT max(moved_at) FROM task_transitions WHERE task_id = $id "
        "AND to_state IN ('merged', 'regressed')), '-infinity') ORDER BY ended_at DESC LIMIT 1",
        {"id": task_id},
    ).fetchall()
    return None if not rows else str(rows[0][0])


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
