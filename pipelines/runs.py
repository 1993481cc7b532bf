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
