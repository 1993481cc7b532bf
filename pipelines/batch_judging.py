"""The configured model through its Batch API, and what people are told of it."""

import polars as pl

from judges.llm import LLMJudge
from pipelines.budget import Budget
from pipelines.context import Context
from pipelines.judging import api_key
from pipelines.stages.batch_requests import sessions_in_batches
from pipelines.stages.batch_rows import OpenBatch, open_batches
from pipelines.stages.batches import judge_in_batches


def judge_by_batches(
    context: Context, judge: LLMJudge, sessions: pl.DataFrame, budget: Budget | None = None
) -> dict[str, int]:
    """As `judge_in_batches`, over the endpoint of `[judge]`."""
    from agent_core.batch import OpenAIBatches

    config = context.config.judge
    with OpenAIBatches(
        config.base_url,
        config.model,
        api_key(config),
        timeout=config.timeout_seconds,
        max_retries=config.max_retries,
    ) as endpoint:
        return judge_in_batches(context, judge, endpoint, sessions, budget)


def with_sessions_in_batches(context: Context, sessions: pl.DataFrame) -> pl.DataFrame:
    """session_key of all that a pass may send text of: what is in a batch may have more to ask."""
    with context.warehouse() as connection:
        going = sessions_in_batches(connection)
    return pl.concat([sessions.select("session_key"), going]).unique(maintain_order=True)


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
