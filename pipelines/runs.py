"""The record of what each stage did: table `runs`."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from agent_core.errors import HomeError
from pipelines.context import Context

Counts = Mapping[str, int]


def run_stage(context: Context, stage: str, work: Callable[[], Counts]) -> dict[str, int]:
    """Do the work of a stage, record it under the run, and return its counts.

    A stage that fails is recorded as failed, with the class of its error, and the error goes on.
    """
    started = context.clock()
    context.progress(stage.replace("_", " "), 0, 0)
    try:
        counts = dict(work())
    except HomeError:
        raise  # without a usable home there is nowhere to record it
    except Exception as error:
        _record(context, stage, started, "failed", {"error": type(error).__name__})
        raise
    _record(context, stage, started, "done", counts)
    return counts


def record_failure(context: Context, stage: str, error: Exception) -> None:
    """Record under the run why something failed that the run goes on without."""
    failed = {"error": type(error).__name__, "reason": str(error)}
    _record(context, stage, context.clock(), "failed", failed)


def failure_of(context: Context, stage: str) -> str | None:
    """The reason that `record_failure` kept of this run; None where nothing failed."""
    with context.warehouse() as connection:
        found = connection.execute(
            "SELECT counts ->> 'reason' FROM runs WHERE (run_id, stage, status) = (?, ?, 'failed')",
            [context.run_id, stage],
        ).fetchone()
    return str(found[0]) if found else None


def _record(
    context: Context,
    stage: str,
    started: datetime,
    status: str,
    counts: Mapping[str, int | str],
) -> None:
    with context.warehouse() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
            [context.run_id, stage, started, context.clock(), status, json.dumps(counts)],
        )
