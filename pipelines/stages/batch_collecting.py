"""What became of batches that were handed in: confirm them, and collect those that are over."""

from collections import Counter
from collections.abc import Mapping

import polars as pl

from agent_core.batch import BatchState, OpenAIBatches
from agent_core.batch_file import Answer
from agent_core.errors import ModelReplyError
from agent_core.model import ModelReply, shown_url
from pipelines.batch_state import OpenAtEndpoint, write_batch_state
from pipelines.context import Context
from pipelines.stages.batch_requests import mark_pending, outcomes_of, settle_judged
from pipelines.stages.batch_rows import (
    OpenBatch,
    note_state,
    open_batches,
    settle_batch,
    withdraw,
)
from pipelines.stages.model_replies import PaidReply, keep_replies
from pipelines.warehouse import transaction

_UNANSWERED = {
    "completed": "the batch held no answer to the request",
    "expired": "the batch expired before it was answered",
    "cancelled": "the batch was cancelled before it was answered",
}


def collect_batches(context: Context, endpoint: OpenAIBatches) -> dict[str, int]:
    """Keep the answers of the batches that are over; one that cannot be asked now waits.

    Those that were begun and never confirmed are looked for first: a killed run pays for none
    twice. Raises ModelError when the endpoint cannot be used.
    """
    with context.warehouse() as connection:
        found = open_batches(connection)
    counts: Counter[str] = Counter()
    for batch in found:
        try:
            if shown_url(batch.base_url) != endpoint.base_url:
                counts.update(_give_up(context, None, batch, "the batch is at another endpoint"))
            elif batch.batch_id is None:
                counts.update(_confirm(context, endpoint, batch))
            else:
                state = endpoint.state(batch.batch_id)
                counts.update(_collect(context, endpoint, batch, state))
        except ModelReplyError:
            counts["batches_not_reached"] += 1
    return dict(counts)


def note_what_is_open(context: Context) -> dict[str, int]:
    """Say until when sessions are pending, here and in the file that the sensor reads."""
    with context.warehouse() as connection:
        settle_judged(connection)
        pending = mark_pending(connection)
        found = open_batches(connection)
    at_endpoint = [
        OpenAtEndpoint(
            batch_id=one.batch_id,
            base_url=shown_url(one.base_url),
            given_up_at=one.given_up_at,
        )
        for one in found
        if one.batch_id is not None
    ]
    write_batch_state(context.home, at_endpoint)
    return {"pending": pending, "batches_open": len(found)}


def _confirm(context: Context, endpoint: OpenAIBatches, batch: OpenBatch) -> Counter[str]:
    state = endpoint.find(batch.marker, batch.input_file)
    if state is not None:
        with context.warehouse() as connection:
            note_state(connection, batch.marker, state)
        return Counter(batches_found=1)
    counts: Counter[str] = Counter()
    if batch.input_file is not None:
        _forget(endpoint, BatchState("", "", None, batch.input_file), counts)
    elif not endpoint.forget_uploads(batch.marker):  # of an upload nobody wrote down the id
        counts["batches_with_files_left"] += 1
    with context.warehouse() as connection:
        withdraw(connection, batch.marker)
    return counts


def _collect(
    context: Context, endpoint: OpenAIBatches, batch: OpenBatch, state: BatchState | None
) -> Counter[str]:
    if state is None:  # another key, or a fault of the endpoint: it may be known again
        why = "the endpoint does not know the batch any more"
        return _give_up(context, endpoint, batch, why) or Counter(batches_unknown=1)
    if state.is_over:
        are_given_up = context.clock() > batch.given_up_at
        answers = endpoint.answers(state, are_given_up=are_given_up)
        why = _UNANSWERED.get(state.status, f"the batch failed: {state.problem or 'no code'}")
        status = f"{state.status}: {state.problem}" if state.problem else state.status
        counts = _close(context, batch, status, answers, why)
        _forget(endpoint, state, counts)
        return counts
    with context.warehouse() as connection:
        note_state(connection, batch.marker, state)
    return _give_up(context, endpoint, batch, "the batch did not end in time")


def _give_up(
    context: Context, endpoint: OpenAIBatches | None, batch: OpenBatch, why: str
) -> Counter[str]:
    """Nothing where the batch may still end; else it is to cost nothing more, and to hold no text.

    Without an `endpoint` it cannot be told so.
    """
    if context.clock() <= batch.given_up_at:
        return Counter()
    counts: Counter[str] = Counter()
    if endpoint is not None and batch.batch_id is not None:
        if not endpoint.cancel(batch.batch_id):
            counts["batches_not_cancelled"] += 1
        _forget(endpoint, BatchState("", "", None, batch.input_file or ""), counts)
    return counts + _close(context, batch, "lost", {}, why)


def _close(
    context: Context, batch: OpenBatch, status: str, answers: Mapping[str, Answer], why: str
) -> Counter[str]:
    """Keep the answers that somebody can use, in one transaction with what became of them."""
    now = context.clock()
    with context.warehouse() as connection, transaction(connection):
        outcomes = outcomes_of(connection, batch.marker, answers, why)
        keep_replies(connection, _kept(outcomes, answers), now)
        settled = settle_batch(connection, batch, status, outcomes, now)
    counts = Counter({f"requests_{name}": number for name, number in settled.items()})
    counts["answers_of_others"] = len(answers.keys() - set(outcomes["custom_id"]))
    counts["batches_collected"] = 1
    return counts


def _kept(outcomes: pl.DataFrame, answers: Mapping[str, Answer]) -> list[PaidReply]:
    """The replies that somebody can use, once for each session that can."""
    asked = outcomes.filter("is_kept").select("session_key", "custom_id").iter_rows()
    return [
        PaidReply(key, custom_id, reply)
        for key, custom_id in asked
        if isinstance(reply := answers.get(custom_id), ModelReply)
    ]


def _forget(endpoint: OpenAIBatches, state: BatchState, counts: Counter[str]) -> None:
    """Leave no text of sessions at the endpoint; what it does not delete is counted."""
    if not endpoint.forget(state):
        counts["batches_with_files_left"] += 1
