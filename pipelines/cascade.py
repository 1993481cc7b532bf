"""The cascade: the rules have judged everything; the model judges what the budget allows.

The warehouse is open while sessions are screened, while draws are kept and while the audit is
measured, never across a model call.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import polars as pl

from judges.cascade import Screened, audit_rate, audit_tokens_share, judging_order
from judges.llm import LLMJudge
from judges.verdict import JudgeIdentity
from pipelines.audit import draw_audit, measure_audit
from pipelines.budget import Budget
from pipelines.context import Context
from pipelines.screening import Seen, reading_sizes, seen_sessions
from pipelines.stages.judgement_rows import idle_sessions, waiting_sessions
from pipelines.stages.model_judgements import judge_by_model
from pipelines.warehouse import transaction


class Plan(NamedTuple):
    """What the model is to judge, in this order, until the budget ends."""

    order: pl.DataFrame
    """session_key, is_audit, tokens, content_hash, steps, active_at."""
    too_long: frozenset[str]
    """Sessions that the budget of the whole run has no room for, judged or not: none of them is
    drawn or sent."""


def judge_by_cascade(
    context: Context, judge: LLMJudge, plan: Plan, budget: Budget
) -> dict[str, int]:
    """Let the model judge by the plan until the budget ends, measure the audit, return counts.

    Raises as `judge_by_model`; what was judged by then is kept, and the next run measures it.
    """
    counts = judge_by_model(context, judge, plan.order, budget)
    too_long = plan.too_long | budget.too_long  # some are seen to be only when they are sent
    figures = measure_audit(context, judge.identity, too_long=too_long)
    audit = {"audit_drawn": figures.drawn, "audited": figures.audited}
    return {**counts, "too_long": len(too_long), **audit}


def plan_cascade(
    context: Context, identity: JudgeIdentity, *, tokens: float = inf, limit: int | None = None
) -> Plan:
    """Draw the audit, keep its draws, and put the sessions that wait for the model in order.

    The rules have to have judged by now. `tokens` is the budget of the run, `limit` the most
    sessions. Sessions that were active within `[judge] idle_hours` wait, as with the model alone.
    """
    settings = context.config.judge
    with context.warehouse() as connection, transaction(connection):
        waiting = idle_sessions(waiting_sessions(connection, identity, context.clock()), context)
        seen = seen_sessions(connection, identity, context)
        all_sizes = reading_sizes(connection, [session.session_key for session in seen])
        # Of all, not of those that wait: who was judged under a larger budget would stay alone.
        too_long = frozenset(key for key, size in all_sizes.items() if _ROOM * size > tokens)
        sizes = {key: all_sizes[key] for key in waiting["session_key"] if key in all_sizes}
        drawable = [session for session in seen if session.session_key not in too_long]
        to_spend = int(min(sum(sizes.values()), tokens))
        rate = _rate(drawable, sizes, settings.audit_share, to_spend)
        draws = draw_audit(connection, drawable, rate=rate, context=context)
    numbers = {key: draws[key].number for key in sizes if key in draws and key not in too_long}
    share = audit_tokens_share(
        share=settings.audit_share,
        audit_tokens=sum(sizes[key] for key in numbers),
        budget=to_spend,
    )
    order = judging_order(_screened(drawable, sizes), numbers, audit_tokens_share=share)
    frame = pl.DataFrame(order[:limit], schema=_ORDER_SCHEMA, orient="row")
    return Plan(frame.join(waiting, on="session_key", maintain_order="left"), too_long)


_ROOM = 1.5
"""A run begins a session only with room for twice its first round, which is most of its size."""
_ORDER_SCHEMA = {"session_key": pl.String, "is_audit": pl.Boolean, "tokens": pl.Int64}


def _rate(seen: Sequence[Seen], sizes: Mapping[str, int], share: float, to_spend: int) -> float:
    """The audit's rate over all that the model has been sent, this run included."""
    spent = sum(session.tokens_sent for session in seen)
    return audit_rate(
        share=share,
        tokens=spent + to_spend,
        all_tokens=spent + sum(sizes.get(session.session_key, 0) for session in seen),
        sessions=len(seen),
    )


def _screened(seen: Sequence[Seen], sizes: Mapping[str, int]) -> list[Screened]:
    return [
        Screened(
            session.session_key,
            sizes[session.session_key],
            session.rules.expected_change() if session.rules else None,
        )
        for session in seen
        if session.session_key in sizes
    ]
