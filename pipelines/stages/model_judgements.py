"""Stage `model_judgements`: sessions judged by a model, several calls at a time.

Calls are made in threads; all else happens in one: sessions, budget and warehouse, which is open
for moments and never across a call. An answer is kept as it comes, so that a run that is killed
goes on where it was without paying twice.
"""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import polars as pl

from agent_core.model import ModelReply
from judges.llm import Answer, LLMJudge, ModelRequest
from judges.publication import sealed
from judges.verdict import JudgeIdentity
from pipelines.budget import Budget, Reservation
from pipelines.context import Context
from pipelines.open_session import OpenSession
from pipelines.stages.judgement_rows import (
    batches_of_sessions,
    counted,
    idle_sessions,
    load_unchanged,
    waiting_sessions,
    write_judgements,
)
from pipelines.stages.model_replies import (
    PaidReply,
    drop_old_replies,
    drop_replies,
    keep_replies,
    kept_replies,
)
from pipelines.warehouse import transaction


def judge_by_model(
    context: Context,
    judge: LLMJudge,
    sessions: pl.DataFrame | None = None,
    budget: Budget | None = None,
) -> dict[str, int]:
    """Judge `sessions` in their order until the budget ends, and return counts by status.

    `sessions` is a frame of session_key, content_hash, steps, active_at; without one all that wait
    and are idle. What the budget does not reach is `over_budget` and stays as it was; answers that
    came for it are kept for the next run. An unscored session is tried again a day later, three
    times in all. Raises ModelError when the endpoint cannot be used: what came by then is kept,
    calls on their way included. With `[judge] batch` as `judge_in_batches`.
    """
    counts: Counter[str] = Counter()
    if sessions is None:
        sessions, counts = sessions_for_model(context, judge.identity)
    if context.config.judge.batch:
        from pipelines.batch_judging import judge_by_batches

        return {**counts, **judge_by_batches(context, judge, sessions, budget)}
    with context.warehouse() as connection:
        drop_old_replies(connection, context.clock())
    counts["changed_meanwhile"] = 0
    _Run(context, judge, budget or Budget(), sessions, counts).judge()
    ended = counts["judged"] + counts["unscored"] + counts["changed_meanwhile"]
    counts["over_budget"] = sessions.height - ended
    return dict(counts)


def sessions_for_model(
    context: Context, identity: JudgeIdentity, limit: int | None = None
) -> tuple[pl.DataFrame, Counter[str]]:
    """The first `limit` sessions that wait and are idle, and how many are left out and why."""
    with context.warehouse() as connection:
        waiting = waiting_sessions(connection, identity, context.clock())
    idle = idle_sessions(waiting, context)
    chosen = idle.head(limit) if limit is not None else idle
    left_out = {
        "not_idle_yet": waiting.height - idle.height,
        "over_limit": idle.height - chosen.height,
    }
    return chosen, Counter(left_out)


class _Run:
    """One run over sessions; only the calls themselves happen in other threads."""

    def __init__(
        self,
        context: Context,
        judge: LLMJudge,
        budget: Budget,
        sessions: pl.DataFrame,
        counts: Counter[str],
    ) -> None:
        self._context = context
        self._judge = judge
        self._budget = budget
        self._counts = counts
        self._total = sessions.height
        self._waiting = self._opened(sessions)
        self._next: OpenSession | None = None
        self._open: dict[str, OpenSession] = {}
        self._calls: dict[Future[Answer], tuple[OpenSession, Reservation]] = {}
        self._failure: BaseException | None = None
        self._pool = ThreadPoolExecutor(context.config.judge.concurrency, "model-call")

    def judge(self) -> None:
        """Judge all, or until the budget ends; raises the first failure of the endpoint itself."""
        try:
            self._send()
            while self._calls:
                self._collect(wait(self._calls, return_when=FIRST_COMPLETED).done)
                self._send()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._failure is not None:
            raise self._failure

    def _send(self) -> None:
        """Make as many calls as may stand beside each other; none after a failure."""
        while self._failure is None and len(self._calls) < self._context.config.judge.concurrency:
            session = self._with_request()
            if session is None:
                return
            made = self._budget.reserve(session.key, session.unsent[0])
            if made is None:
                return
            session.sent()
            self._calls[self._pool.submit(self._judge.answer, made.request)] = session, made

    def _with_request(self) -> OpenSession | None:
        """A session that has something to ask: one that is begun, before another is."""
        for begun in self._open.values():
            if begun.unsent:
                return begun
        while (new := self._next or next(self._waiting, None)) is not None:
            self._next = new
            if new.judgement is None and not self._budget.hold(new.key, new.unsent):
                return None  # until there is room again, or for good
            self._next = None
            if new.judgement is None:
                self._open[new.key] = new
                return new
            self._finish([new])
        return None

    def _opened(self, sessions: pl.DataFrame) -> Iterator[OpenSession]:
        """The sessions in their order, read as they are needed."""
        for batch in batches_of_sessions(sessions):
            with self._context.warehouse() as connection:
                found = {session.key: session for session in load_unchanged(connection, batch)}
                kept = kept_replies(connection, list(found))
            for key, content_hash in batch.select("session_key", "content_hash").iter_rows():
                if key in found:
                    judging = self._judge.judging(found[key])
                    yield OpenSession(found[key], content_hash, judging, kept)
                else:
                    self._counts["changed_meanwhile"] += 1

    def _collect(self, done: Set[Future[Answer]]) -> None:
        """Keep the answers that came, then let their sessions go on."""
        answered = [(*self._calls.pop(call), call) for call in done]
        came: list[tuple[OpenSession, ModelRequest, Answer]] = []
        for session, made, call in answered:
            error = call.exception()
            answer = None if error else call.result()
            self._failure = self._failure or error
            self._budget.settle(made, answer if isinstance(answer, ModelReply) else None)
            if answer is not None:
                came.append((session, made.request, answer))
        self._keep(came)
        for session, request, answer in came:
            session.take(request, answer)
        self._finish([session for session in self._open.values() if session.judgement])

    def _keep(self, came: Sequence[tuple[OpenSession, ModelRequest, Answer]]) -> None:
        paid = [
            PaidReply(session.key, request.request_hash, answer)
            for session, request, answer in came
            if isinstance(answer, ModelReply)
        ]
        if paid:
            with self._context.warehouse() as connection:
                keep_replies(connection, paid, self._context.clock())

    def _finish(self, ended: Sequence[OpenSession]) -> None:
        """Keep verdicts, forget the answers that they came of."""
        judgements = [sealed(each.judgement, each.session) for each in ended if each.judgement]
        if not judgements:
            return
        hashes = {each.key: each.content_hash for each in ended}
        with self._context.warehouse() as connection, transaction(connection):
            write_judgements(connection, judgements, hashes, self._context.clock())
            drop_replies(connection, list(hashes))
        for each in ended:
            self._open.pop(each.key, None)
            self._budget.release(each.key)
            self._counts["answers_reused"] += each.reused
        self._counts.update(counted(judgements))
        so_far = self._counts["judged"] + self._counts["unscored"]
        self._context.progress("sessions judged by the model", so_far, self._total)
