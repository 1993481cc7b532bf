"""What earlier patch tasks taught, for the agent that is given the next one."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast, get_args

import duckdb
import numpy as np
from numpy.typing import NDArray

from agent_core.embedding import Embedder
from agent_core.errors import ModelError
from agent_core.knowledge import (
    DEFAULT_MOST,
    Cause,
    Embed,
    Lesson,
    Outcome,
    change_key,
    edits_of,
    nearest_lessons,
    told,
)
from pipelines.context import Context
from pipelines.stages.embeddings import text_hashes, vector_rows
from pipelines.tasks import TaskRow, list_tasks, transitions
from pipelines.warehouse import replace_rows

_MOST_REASON = 300
_OUTCOMES = frozenset(get_args(Outcome))
_ATTEMPTS = """
SELECT task_id, started_at, lead(started_at) OVER (PARTITION BY task_id ORDER BY started_at),
       status, reason, diff
FROM patch_attempts ORDER BY started_at, attempt_id
"""
_EFFECT = """
SELECT change_low, change_high FROM effects WHERE task_id = ? AND measured_at >= ?
AND verdict = ? ORDER BY measured_at DESC LIMIT 1
"""


def lessons_for(context: Context, task: TaskRow) -> tuple[Lesson, ...]:
    """The nearest attempts at this and other tasks, with what became of them.

    By the embedding model where one is here, its vectors cached; else by type, tool and class.
    Every lesson says by which (`found_by`).
    """
    with context.warehouse() as connection:
        lessons = all_lessons(connection)
    cause = Cause(task.title, task.type, task.tool, task.error_class)
    if len(lessons) <= DEFAULT_MOST:  # all of them are told: no vector could choose
        return nearest_lessons(cause, lessons, None)
    try:
        return nearest_lessons(cause, lessons, _cached(context))
    except ModelError as error:
        context.progress(f"earlier tasks are found by type, tool and class: {error}", 0, 0)
        return nearest_lessons(cause, lessons, None)


def all_lessons(connection: duckdb.DuckDBPyConnection) -> list[Lesson]:
    """One for each attempt that ended, the oldest first."""
    tasks = {task.task_id: task for task in list_tasks(connection)}
    attempts = [_Attempt(*row) for row in connection.execute(_ATTEMPTS).fetchall()]
    return [
        _lesson(connection, tasks[one.task_id], one) for one in attempts if one.task_id in tasks
    ]


class _Attempt(NamedTuple):
    task_id: str
    started_at: datetime
    next_at: datetime | None
    """When the task's next attempt began."""
    status: str
    reason: str
    diff: str


def _lesson(connection: duckdb.DuckDBPyConnection, task: TaskRow, attempt: _Attempt) -> Lesson:
    outcome, reason = _became(connection, attempt)
    edits = edits_of(attempt.diff)
    return Lesson(
        task_id=task.task_id,
        title=task.title,
        type=task.type,
        tool=task.tool,
        error_class=task.error_class,
        tried=told(edits),
        outcome=outcome,
        reason=" ".join(reason.split())[:_MOST_REASON],
        change_key=change_key(edits),
    )


def _became(connection: duckdb.DuckDBPyConnection, attempt: _Attempt) -> tuple[Outcome, str]:
    """The last state that this attempt brought its task to, and why.

    A patch that could not be checked counts as `unscored`, though its task is `failed`.
    """
    outcome, reason = attempt.status, attempt.reason
    for _, to_state, moved_at, why in transitions(connection, attempt.task_id):
        if moved_at < attempt.started_at:
            continue
        if to_state == "open" or (attempt.next_at and moved_at >= attempt.next_at):
            break  # what follows is another attempt's, also where that was killed
        if to_state in _OUTCOMES and (outcome != "unscored" or to_state == "rejected"):
            outcome, reason = to_state, why
    return cast(Outcome, outcome), reason + _effect(connection, attempt, outcome)


def _effect(connection: duckdb.DuckDBPyConnection, attempt: _Attempt, verdict: str) -> str:
    arguments = [attempt.task_id, attempt.started_at, verdict]
    rows = connection.execute(_EFFECT, arguments).fetchall()
    if not rows:
        return ""
    low, high = (100 * bound for bound in rows[0])
    return f" (the rate changed by {low:+.1f} to {high:+.1f} points)"


def _cached(context: Context) -> Embed:
    """The embedding model behind the warehouse's vectors; the model runs while it is closed."""
    embedder = Embedder(context.config.embedding.model_dir)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        hashes = text_hashes(texts).to_list()
        with context.warehouse() as connection:
            known = _vectors(connection, hashes, embedder.model_id)
        missing = [text for text, key in zip(texts, hashes, strict=True) if key not in known]
        if missing:
            rows = vector_rows(embedder, list(dict.fromkeys(missing)))
            with context.warehouse() as connection:
                replace_rows(connection, "embeddings", rows)
            known |= dict(zip(rows["text_hash"], rows["vector"], strict=True))
        return np.array([list(known[key]) for key in hashes], dtype=np.float32)

    return embed


def _vectors(
    connection: duckdb.DuckDBPyConnection, hashes: Sequence[str], model_id: str
) -> dict[str, Sequence[float]]:
    rows = connection.execute(
        "SELECT text_hash, vector FROM embeddings WHERE model = ? AND text_hash IN "
        "(SELECT unnest(?::VARCHAR[]))",
        [model_id, list(hashes)],
    ).fetchall()
    return dict(rows)
