"""Stage `judgements`: every selected session is judged once for its content and the judge.

The warehouse is open while sessions are loaded and verdicts are written, never in between.
"""

from collections import Counter
from collections.abc import Iterator

import polars as pl

from judges.publication import Sealed
from judges.verdict import Judge
from pipelines.context import Context
from pipelines.stages.judgement_rows import (
    batches_of_sessions,
    counted,
    idle_sessions,
    judge_one,
    load_unchanged,
    waiting_sessions,
    write_judgements,
)


def judge_sessions(
    context: Context, judge: Judge, *, limit: int | None = None, is_paid: bool = False
) -> dict[str, int]:
    """Judge what has no verdict of `judge` yet and return counts by status.

    A paid judge leaves sessions for later that were active within `[judge] idle_hours` (it would
    be paid for each version of them), and each of its verdicts is kept as it comes. An unscored
    session is tried again a day later, three times in all. Raises ModelError when the endpoint
    cannot be used at all; what was judged by then is kept.
    """
    with context.warehouse() as connection:
        waiting = waiting_sessions(connection, judge.identity, context.clock())
    idle = idle_sessions(waiting, context) if is_paid else waiting
    chosen = idle.head(limit) if limit is not None else idle
    counts: Counter[str] = Counter(not_idle_yet=waiting.height - idle.height)
    counts["over_limit"] = idle.height - chosen.height
    for batch in batches_of_sessions(chosen):
        for judgements in _judged(context, judge, batch, at_once=1 if is_paid else batch.height):
            counts.update(counted(judgements))
            done = counts["judged"] + counts["unscored"]
            context.progress("sessions judged", done, chosen.height)
    return dict(counts)


def _judged(
    context: Context, judge: Judge, batch: pl.DataFrame, *, at_once: int
) -> Iterator[list[Sealed]]:
    """Judge the sessions of a batch, and keep the verdicts `at_once` at a time."""
    with context.warehouse() as connection:
        sessions = load_unchanged(connection, batch)
    hashes = dict(batch.select("session_key", "content_hash").iter_rows())
    for start in range(0, len(sessions), at_once):
        judgements = [judge_one(judge, session) for session in sessions[start : start + at_once]]
        with context.warehouse() as connection:
            write_judgements(connection, judgements, hashes, context.clock())
        yield judgements
