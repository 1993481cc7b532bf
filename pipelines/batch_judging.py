"""The configured model through its Batch API, and what people are told of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from agent_core.errors import ModelError
from judges.llm import LLMJudge
from pipelines.budget import Budget
from pipelines.context import Context
from pipelines.judging import api_key
from pipelines.stages.batch_collecting import collect_batches, note_what_is_open
from pipelines.stages.batch_requests import pending_sessions
from pipelines.stages.batch_rows import OpenBatch, open_batches
from pipelines.stages.batches import judge_in_batches

if TYPE_CHECKING:
    from agent_core.batch import OpenAIBatches


def judge_by_batches(
    context: Context, judge: LLMJudge, sessions: pl.DataFrame, budget: Budget | None = None
) -> dict[str, int]:
    """As `judge_in_batches`, over the endpoint of `[judge]`."""
    with _endpoint(context) as endpoint:
        return judge_in_batches(context, judge, endpoint, sessions, budget)


@contextmanager
def with_batches_collected(
    context: Context, judge: LLMJudge, sessions: pl.DataFrame, counts: Counter[str]
) -> Iterator[pl.DataFrame]:
    """`sessions` for calls at once, after those that a batch has answered meanwhile.

    What is open was paid for, whatever `[judge] batch` says by now; what cannot be collected is
    counted, and waits. For a caller that judges alone.
    """
    with context.warehouse() as connection:
        is_open = bool(open_batches(connection))
    if is_open:
        try:
            with _endpoint(context) as endpoint:
                counts.update(collect_batches(context, endpoint))
        except ModelError:
            counts["batches_not_reached"] += 1
    with context.warehouse() as connection:
        going = pending_sessions(connection, judge.identity)
    try:
        both = pl.concat([going, sessions.select(going.columns)])
        yield both.unique("session_key", keep="first", maintain_order=True)
    finally:
        if is_open or going.height:
            counts.update(note_what_is_open(context))


def _endpoint(context: Context) -> "OpenAIBatches":
    from agent_core.batch import OpenAIBatches

    config = context.config.judge
    return OpenAIBatches(
        config.base_url,
        config.model,
        api_key(config),
        timeout=config.timeout_seconds,
        max_retries=config.max_retries,
    )


def open_batches_in_words(context: Context) -> list[str]:
    """A line for each batch whose answers have not come: what waits for it and until when."""
    with context.warehouse() as connection:
        return [_words(batch) for batch in open_batches(connection)]


def _words(batch: OpenBatch) -> str:
    requests = "1 request" if batch.requests == 1 else f"{batch.requests:,} requests"
    return (
        f"batch {batch.batch_id or 'not confirmed yet'}: {requests}, {batch.status}, "
        f"until {batch.until:%Y-%m-%d %H:%M} UTC"
    )
