"""What a run of the model judge is expected to send, before anything is sent."""

import sys
from dataclasses import dataclass
from math import ceil, inf

import polars as pl

from agent_core.model import shown_url
from agent_core.session import Tokens
from judges.transcript import (
    MAX_RESULT_CHARS,
    MAX_TEXT_CHARS,
    OVERLAP_SHARE,
    OVERLAP_STEPS,
    WINDOW_CHARS,
)
from pipelines.budget import Budget
from pipelines.context import Context
from pipelines.progress import end_progress
from pipelines.stages.batch_requests import sessions_in_batches
from pipelines.token_rates import BYTES_PER_TOKEN, RECEIVED_A_CALL
from pipelines.warehouse import query

_LEADING_BYTES = 9_300
"""Rubric, schema and task, before and after the data of each request."""
_STEP_BYTES, _CALL_BYTES = 45, 45
"""Of the JSON around a step's text, and around each call and each result."""
_SHARE_VERIFIED = 0.5
"""Of windows in which something is found, to be read once more."""

# As judges/transcript.py cuts a step: what is left out of a long text is not sent.
SESSION_BYTES = f"""
SELECT session_key, count(*) AS steps, count(*) * {_STEP_BYTES} + sum(
           least(strlen(text), {MAX_TEXT_CHARS})
         + least(strlen(tool_calls), calls * {MAX_RESULT_CHARS + _CALL_BYTES})
         + least(strlen(observations),
                 json_array_length(observations) * {MAX_RESULT_CHARS + _CALL_BYTES})
       ) AS bytes
FROM steps WHERE NOT is_copied_context AND session_key IN (SELECT unnest(?)) GROUP BY session_key
"""


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """About what a run will take; `usd` is None where the model has no price."""

    sessions: int
    tokens: int
    usd: float | None
    most_tokens: float = inf
    most_usd: float = inf

    def words(self) -> str:
        """`the text of 12 sessions: about 340,000 tokens, about 0.21 USD by list price`.

        In two digits: it promises no more.
        """
        price = "at a price unknown to the price table"
        if self.usd is not None:
            price = f"about {self.usd:.2g} USD by list price"
        limits = [f"{self.most_tokens:,.0f} tokens"] if self.most_tokens < inf else []
        limits += [f"{self.most_usd:g} USD"] if self.most_usd < inf else []
        most = f", at most {' and '.join(limits)}" if limits else ""
        what = "1 session" if self.sessions == 1 else f"{self.sessions:,} sessions"
        return f"the text of {what}: about {float(f'{self.tokens:.2g}'):,.0f} tokens, {price}{most}"


def estimate_run(context: Context, sessions: pl.DataFrame, budget: Budget) -> RunEstimate:
    """About what `sessions` (session_key) will take, before the budget cuts it."""
    calls = list(estimated_calls(context, sessions))
    tokens = Tokens(input=sum(t.input for t in calls), output=sum(t.output for t in calls))
    costs = [budget.price.cost(call) for call in calls] if budget.price else [None]
    known = [cost for cost in costs if cost is not None]
    usd = sum(known) if len(known) == len(costs) else None
    return RunEstimate(
        sessions.height, tokens.input + tokens.output, usd, budget.tokens, budget.usd
    )


@dataclass(frozen=True, slots=True)
class Sending:
    """What a pass is about to send, in words; both are empty where it sends nothing."""

    what: str
    doing: str
    """The same in a sentence with the endpoint, from its verb on."""


def what_is_sent(context: Context, sessions: pl.DataFrame, budget: Budget) -> Sending:
    """The text of `sessions` (session_key), and what those in a batch may have to ask further.

    Whether they have is known when their batch is collected, and nobody is asked then.
    """
    with context.warehouse() as connection:
        in_batches = sessions_in_batches(connection)
    going = in_batches.join(sessions, on="session_key", how="anti")
    parts = [estimate_run(context, sessions, budget).words()] if sessions.height else []
    if going.height:
        most = estimate_run(context, going, budget).words()
        parts.append(f"what is asked further where a batch has ended, at most {most}")
    what, verb = ", and ".join(parts), "sending" if sessions.height else "collecting, and sending"
    endpoint = shown_url(context.config.judge.base_url)
    return Sending(what, f"{verb} {what}, secrets redacted, to {endpoint}" if what else "")


def announce(context: Context, sessions: pl.DataFrame, budget: Budget) -> None:
    """Say on stderr what a run that was agreed to beforehand is about to send, where it sends."""
    sending = what_is_sent(context, sessions, budget)
    if sending.what:
        end_progress()
        print(f"signals: {sending.doing}", file=sys.stderr)


def estimated_calls(context: Context, sessions: pl.DataFrame) -> list[Tokens]:
    """The mean call on each window of `sessions`; a session takes at least one."""
    with context.warehouse() as connection:
        rows = query(connection, SESSION_BYTES, [sessions["session_key"].to_list()])
    sizes = rows.select("bytes", "steps").iter_rows()
    return [call for size, steps in sizes for call in calls_of(int(size), steps)]


def calls_of(size: int, steps: int = 1) -> list[Tokens]:
    """The mean call on each window of a session of `size` bytes in `steps`.

    A window repeats the end of the one before: as much as it may, where nobody counted the steps.
    """
    overlap = min(OVERLAP_STEPS * size / steps, WINDOW_CHARS / OVERLAP_SHARE)
    windows = max(1, ceil((size - overlap) / (WINDOW_CHARS - overlap)))
    data = (size + (windows - 1) * overlap) / windows
    sent = (data + _LEADING_BYTES) * (1 + _SHARE_VERIFIED) / BYTES_PER_TOKEN
    received = RECEIVED_A_CALL * (1 + _SHARE_VERIFIED)
    return [Tokens(input=round(sent), output=round(received))] * windows
