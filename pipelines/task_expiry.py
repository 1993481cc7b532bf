"""Patch tasks that nobody acts on expire: what they were opened for may be long gone."""

from datetime import datetime, timedelta

import duckdb

from pipelines.tasks import STALE_ABLE, TaskState, list_tasks, move_task

_WAITED_FOR: dict[TaskState, str] = {
    "open": "nobody ran it",
    "failed": "nobody tried it again",
    "proposed": "nobody decided on its pull request",
}


def expire_tasks(connection: duckdb.DuckDBPyConnection, now: datetime, days: int) -> list[str]:
    """Close what has waited for a person for `days` days; ids of the tasks.

    A breach that lasts opens a new task, with figures of its own time. What is merged never
    expires here: its effect is measured, and the measurement says when it has waited enough.
    """
    since = now - timedelta(days=days)
    stale = [
        task
        for task in list_tasks(connection)
        if task.state in STALE_ABLE and task.updated_at < since
    ]
    for task in stale:
        reason = f"{_WAITED_FOR[task.state]} in {days} days"
        move_task(connection, task.task_id, "expired", reason, now)
    return [task.task_id for task in stale]
