"""Stage `model_judgements`: sessions judged by a model, several calls at a time.

Calls are made in threads; all else happens in one: sessions, budget and warehouse, which is open
for moments and never across a call. An answer is kept as it comes, so that a run that is killed
goes on where it was without paying twice.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import duckdb
import polars as pl

from agent_core.errors import LockHeldError
from agent_core.model import ModelReply
from judges.llm import Answer, LLMJudge, ModelRequest
from judges.publication import Sealed, sealed
from judges.verdict import JudgeIdentity
from pipelines.budget import Budget, Reservation
from pipelines.context import Context
from pipelines.failing_calls import FailingCalls, failed_by_endpoint
from pipelines.open_session import OpenSession
from pipelines.progress import end_progress
from pipelines.stages.judgement_rows import (
    batches_of_sessions,
    counted,
    idle_sessions,
    load_unjudged,
    waiting_sessions,
    write_judgements,
)
from pipelines.stages.model_replies import (
    PaidReply,
    drop_replies,
    drop_unusable_replies,
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
    came for it are kept for the next run. What the whole budget has no room for is `too_long`, here
    and in the budget. An unscored session is tried again a day later, three times in all; of its
    answers those that could be used are kept. Raises ModelError when the endpoint cannot be used,
    or fails session after session: what came by then is kept, calls on their way included. With
    `[judge] batch` as `judge_in_batches`; without it, sessions go on whose batches are over.
    JudgingHeldError where another run judges by a model.
    """
    counts: Counter[str] = Counter()
    if sessions is None:
        sessions, counts = sessions_for_model(context, judge.identity)
    if context.config.judge.batch:
        from pipelines.batch_judging import judge_by_batches

        return {**counts, **judge_by_batches(context, judge, sessions, budget)}
    from pipelines.batch_judging import with_batches_collected

    counts["changed_meanwhile"] = 0
    budget = budget or Budget()
    with (
        context.judging_alone(),
        with_batches_collected(context, judge, sessions, counts) as chosen,
    ):
        _Run(context, judge, budget, chosen, counts).judge()
    counts["too_long"] = len(budget.too_long)
    ended = counts["judged"] + counts["unscored"] + counts["changed_meanwhile"]
    counts["over_budget"] = chosen.height - ended - counts["too_long"]
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


_LOCK_TRIES = 10
"""Times a minute that answers in hand wait for another process that writes to the home."""
_MOST_PASSED_OVER = 50
"""Sessions in a row that may be too much for what is left, until the run counts as over."""


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
        self._in_hand: list[tuple[OpenSession, ModelRequest, Answer]] = []
        self._endpoint = FailingCalls()
        self._failed: list[OpenSession] = []
        self._passed_over = 0
        self._pool = ThreadPoolExecutor(context.config.judge.concurrency, "model-call")

    def judge(self) -> None:
        """Judge all, or until the budget ends; raises the first failure of the endpoint itself."""
        try:
            self._send()
            while self._calls:
                self._collect(wait(self._calls, return_when=FIRST_COMPLETED).done)
                self._send()
            self._end()
        except BaseException as error:
            self._rescue(error)
            raise
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _end(self) -> None:
        """Raise what ended the run; what failed beside calls that did not is unscored."""
        failure = self._failure or self._endpoint.verdict(is_over=True)
        if failure is not None:
            raise failure
        self._finish(self._failed)

    def _rescue(self, error: BaseException) -> None:
        """Keep what the calls on their way bring: it is paid for. A second Ctrl-C gives them up."""
        if self._calls and isinstance(error, KeyboardInterrupt):
            end_progress()
            waits = f"waiting for {len(self._calls)} answers on their way"
            print(f"signals: {waits}; Ctrl-C again gives them up", file=sys.stderr)
        while self._calls:
            self._take_in(wait(self._calls, return_when=FIRST_COMPLETED).done)
        self._keep()

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
            self._next = None
            if new.judgement is not None:
                self._finish([new])
            elif self._budget.hold(new.key, new.unsent):
                self._passed_over = 0
                self._open[new.key] = new
                return new
            elif new.key not in self._budget.too_long:
                if self._calls:
                    self._next = new  # there may be room when they have come
                    return None
                self._passed_over += 1
                if self._passed_over == _MOST_PASSED_OVER:
                    return None
        return None

    def _opened(self, sessions: pl.DataFrame) -> Iterator[OpenSession]:
        """The sessions in their order, read as they are needed."""
        for batch in batches_of_sessions(sessions):
            with self._context.warehouse() as connection:
                now = self._context.clock()
                unjudged = load_unjudged(connection, batch, self._judge.identity, now)
                found = {session.key: session for session in unjudged}
                kept = kept_replies(connection, list(found))
            for key, content_hash in batch.select("session_key", "content_hash").iter_rows():
                if key in found:
                    judging = self._judge.judging(found[key])
                    yield OpenSession(found[key], content_hash, judging, kept)
                else:
                    self._counts["changed_meanwhile"] += 1

    def _collect(self, done: Set[Future[Answer]]) -> None:
        """Keep the answers that came, then let their sessions go on."""
        self._take_in(done)
        came = self._keep()
        for session, request, answer in came:
            session.take(request, answer)
        self._failure = self._failure or self._endpoint.verdict()
        ended = [session for session in self._open.values() if session.judgement]
        if self._failure is None and any(isinstance(one, ModelReply) for _, _, one in came):
            ended, self._failed = [*self._failed, *ended], []
        else:
            self._failed += [session for session in ended if failed_by_endpoint(session)]
            ended = [session for session in ended if not failed_by_endpoint(session)]
        for session in self._failed:
            self._close(session)
        self._finish(ended)

    def _take_in(self, done: Set[Future[Answer]]) -> None:
        """Take calls that have ended in hand, and count what they took."""
        for call in done:
            session, made = self._calls.pop(call)
            error = call.exception()
            answer = None if error else call.result()
            self._failure = self._failure or error
            self._budget.settle(made, answer)
            if answer is not None:
                self._in_hand.append((session, made.request, answer))
                self._endpoint.note(session.key, answer)

    def _keep(self) -> list[tuple[OpenSession, ModelRequest, Answer]]:
        """Write down the answers in hand, and hand them out."""
        paid = [
            PaidReply(session.key, request.request_hash, answer)
            for session, request, answer in self._in_hand
            if isinstance(answer, ModelReply)
        ]
        if paid:
            self._write(lambda connection: keep_replies(connection, paid, self._context.clock()))
        came, self._in_hand = self._in_hand, []
        return came

    def _write(self, rows: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Write to the warehouse, also where another process holds it for minutes."""
        for tries_left in reversed(range(_LOCK_TRIES)):
            try:
                with self._context.warehouse() as connection:
                    rows(connection)
                return
            except LockHeldError:
                if not tries_left:
                    raise

    def _finish(self, ended: Sequence[OpenSession]) -> None:
        """Keep verdicts, forget the answers that they came of and those that cannot be used."""
        judgements = [self._sealed(session) for session in ended]
        if not judgements:
            return

        def rows(connection: duckdb.DuckDBPyConnection) -> None:
            with transaction(connection):
                hashes = {each.key: each.content_hash for each in ended}
                write_judgements(connection, judgements, hashes, self._context.clock())
                drop_replies(connection, [each.key for each in ended if not each.can_go_on])
                for each in ended:
                    drop_unusable_replies(connection, each.key, list(each.unusable))

        self._write(rows)
        for each in ended:
            self._close(each)
            self._counts["answers_reused"] += each.reused
        self._counts.update(counted(judgements))
        so_far = self._counts["judged"] + self._counts["unscored"]
        self._context.progress("sessions judged by the model", so_far, self._total)

    def _sealed(self, ended: OpenSession) -> Sealed:
        """The verdict; what its next attempt uses again is counted when that ends."""
        judgement = ended.judgement
        assert judgement is not None
        if ended.can_go_on:
            judgement = self._judge.charged(judgement, ended.unusable.values())
        return sealed(judgement, ended.session)

    def _close(self, ended: OpenSession) -> None:
        self._open.pop(ended.key, None)
        self._budget.release(ended.key)
