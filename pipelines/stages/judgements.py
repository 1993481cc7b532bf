"""Stage `judgements`: every selected session is judged once for its content and the judge.

For a judge that costs nothing; `model_judgements` is the stage of one that is paid for. The
warehouse is open while sessions are loaded and verdicts are written, never in between.
"""

from collections import Counter

import polars as pl

from judges.publication import Sealed
from judges.verdict import Judge
from pipelines.context import Context
from pipelines.stages.judgement_rows import (
    batches_of_sessions,
    counted,
    judge_one,
    load_unchanged,
    waiting_sessions,
    write_judgements,
)


def judge_sessions(context: Context, judge: Judge, *, limit: int | None = None) -> dict[str, int]:
    """Judge what has no verdict of `judge` yet and return counts by status.

    An unscored session is tried again a day later, three times in all. Raises SignalsError when
    the judge cannot be used at all; what was judged by then is kept.
    """
    with context.warehouse() as connection:
        waiting = waiting_sessions(connection, judge.identity, context.clock())
    chosen = waiting.head(limit) if limit is not None else waiting
    counts: Counter[str] = Counter(over_limit=waiting.height - chosen.height)
    for batch in batches_of_sessions(chosen):
        counts.update(counted(_judged(context, judge, batch)))
        done = counts["judged"] + counts["unscored"]
        context.progress("sessions judged", done, chosen.height)
    return dict(counts)


def _judged(context: Context, judge: Judge, batch: pl.DataFrame) -> list[Sealed]:
    """Judge the sessions of a batch, and keep the verdicts."""
    with context.warehouse() as connection:
        sessions = load_unchanged(connection, batch)
    hashes = dict(batch.select("session_key", "content_hash").iter_rows())
    judgements = [judge_one(judge, session) for session in sessions]
    if judgements:
        with context.warehouse() as connection:
            write_judgements(connection, judgements, hashes, context.clock())
    return judgements
