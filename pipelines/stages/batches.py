"""Stage `batches`: sessions judged by a model through its Batch API, a round a batch.

One pass collects the batches that have ended, runs each session as far as its answers lead, and
hands in what is missing: what is found in all sessions is verified in the next batch, and so on.
The warehouse is open for seconds, never across a call.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import duckdb
import polars as pl

from agent_core.batch import BatchState, OpenAIBatches
from agent_core.batch_file import Answer, parts
from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import ModelReply
from agent_core.session import Session
from judges.batch import Missing, Reached, advance
from judges.llm import LLMJudge, ModelRequest
from judges.publication import Sealed, sealed
from judges.verdict import Judgement
from pipelines.budget import Budget
from pipelines.context import Context
from pipelines.stages.batch_collecting import collect_batches, note_what_is_open
from pipelines.stages.batch_requests import (
    BatchFailedError,
    Owner,
    add_owners,
    failures_of,
    pending_sessions,
    settle_sessions,
    waiting_markers,
)
from pipelines.stages.batch_rows import (
    OpenBatch,
    add_intent,
    note_state,
    note_upload,
    part_limit,
    withdraw,
)
from pipelines.stages.judgement_rows import (
    batches_of_sessions,
    counted,
    load_unjudged,
    write_judgements,
)
from pipelines.stages.model_replies import drop_replies, drop_unusable_replies, kept_replies
from pipelines.warehouse import transaction


def judge_in_batches(
    context: Context,
    judge: LLMJudge,
    endpoint: OpenAIBatches,
    sessions: pl.DataFrame,
    budget: Budget | None = None,
) -> dict[str, int]:
    """Collect what has ended, hand in what is missing, and return counts.

    Sessions that are in a batch go on, then `sessions` are begun in their order, as far as the
    budget leads. What it does not reach is `over_budget` and waits, with the answers that came for
    it; what the whole of it has no room for is `too_long`, here and in the budget. A session whose
    request failed or expired is unscored, and tried again like any other; answers that came are
    kept. Raises ModelError when the endpoint cannot be used; what was done by then stands.
    """
    counts: Counter[str] = Counter()
    with context.judging_alone():
        try:
            counts.update(collect_batches(context, endpoint))
            work = _Round(context, judge, endpoint, budget or Budget())
            counts.update(work.go_on(sessions))
        finally:
            counts.update(note_what_is_open(context))
    return dict(counts)


@dataclass
class _Round:
    """All sessions taken one round further."""

    context: Context
    judge: LLMJudge
    endpoint: OpenAIBatches
    budget: Budget
    counts: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, str] = field(default_factory=dict)
    """The batch that a request waits in, by its hash."""
    owners: dict[str, list[Session]] = field(default_factory=dict)
    """The sessions, without their steps, that a request is to be handed in for."""
    hashes: dict[str, str] = field(default_factory=dict)
    """What each session held, by its key."""

    def go_on(self, sessions: pl.DataFrame) -> Counter[str]:
        """Run every session as far as it gets, and hand in what is missing."""
        with self.context.warehouse() as connection:
            self.waiting = waiting_markers(connection)
            going = pending_sessions(connection, self.judge.identity)
            limit = part_limit(connection, self.endpoint, self.context.clock())
        chosen = pl.concat([going, sessions.select(going.columns)])
        lines = self._lines(chosen.unique("session_key", keep="first", maintain_order=True))
        for number, part in enumerate(parts(lines, max_requests=limit.requests)):
            if number < limit.parts:
                self._hand_in(part)
            else:
                self._hold_back(part)
        self.counts["too_long"] = len(self.budget.too_long)
        return self.counts

    def _lines(self, chosen: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
        """The requests that nobody was asked yet; verdicts that are reached are kept."""
        for chunk in batches_of_sessions(chosen):
            self.hashes.update(chunk.select("session_key", "content_hash").iter_rows())
            verdicts: list[_Verdict] = []
            for session, result in self._advanced(chunk):
                if isinstance(result, Missing):
                    yield from self._unasked(session, result)
                else:
                    verdicts.append(result)
            self._keep(verdicts)

    def _advanced(self, chunk: pl.DataFrame) -> Iterator[tuple[Session, "Missing | _Verdict"]]:
        with self.context.warehouse() as connection:
            now = self.context.clock()
            sessions = load_unjudged(connection, chunk, self.judge.identity, now)
            keys = [session.key for session in sessions]
            kept = kept_replies(connection, keys)
            failures = failures_of(connection, keys)
        for session in sessions:
            answers: dict[str, Answer] = {**failures.get(session.key, {}), **kept}
            result = advance(self.judge.judging(session), answers)
            if isinstance(result, Reached):
                yield session, self._verdict(result, session, kept)
            else:
                yield session, result

    def _verdict(
        self, reached: Reached, session: Session, kept: Mapping[str, ModelReply]
    ) -> "_Verdict":
        """What its next attempt uses again is counted when that ends."""
        judgement, failure = reached.judgement, reached.failure
        unusable = [name for name in judgement.unusable if name in kept]
        can_go_on = judgement.status == "unscored" and bool(failure or unusable)
        if can_go_on:
            judgement = self.judge.charged(judgement, [kept[name] for name in unusable])
        if can_go_on and failure is not None:
            judgement = replace(judgement, reason=str(failure))
        was_tried = judgement.status == "judged" or not isinstance(failure, BatchFailedError)
        return _Verdict(sealed(judgement, session), unusable, not can_go_on, was_tried)

    def _unasked(self, session: Session, missing: Missing) -> Iterator[tuple[str, bytes]]:
        """What is still to be handed in; nothing where the budget has no room for all of it."""
        asked = {name: one for name, one in missing.requests.items() if name not in self.waiting}
        if not self._afford(session, list(asked.values())):
            self.counts["over_budget"] += session.key not in self.budget.too_long
            return
        bare = replace(session, steps=())
        self._join(bare, [name for name in missing.requests if name not in asked])
        for name, request in asked.items():
            self.owners.setdefault(name, []).append(bare)
            yield name, self.endpoint.line(name, request.messages, request.schema)

    def _afford(self, session: Session, requests: Sequence[ModelRequest]) -> bool:
        """Count requests as spent by their estimate: what they take is known in another run."""
        if not self.budget.hold(session.key, requests):
            return False
        for request in requests:
            made = self.budget.reserve(session.key, request)
            if made is not None:
                self.budget.settle(made, None)
        self.budget.release(session.key)
        return True

    def _join(self, session: Session, names: Sequence[str]) -> None:
        """Let a session wait for answers that another one is waiting for."""
        if names:
            with self.context.warehouse() as connection, transaction(connection):
                owners = {name: [self._owner(session)] for name in names}
                add_owners(connection, {name: self.waiting[name] for name in names}, owners)
                self._write_pending(connection, [session])

    def _hand_in(self, part: Mapping[str, bytes]) -> None:
        """Write down what is meant, hand it in, write down what it is called: in this order."""
        batch = OpenBatch(secrets.token_hex(16), None, None, self.endpoint.base_url, "unconfirmed",
                          len(part), self.context.clock(), None)  # fmt: skip
        sessions = {name: self.owners.pop(name) for name in part}
        owners = {name: [self._owner(one) for one in sessions[name]] for name in part}
        with self.context.warehouse() as connection, transaction(connection):
            add_intent(connection, batch, self.endpoint.model, owners)
            self._write_pending(connection, [one for some in sessions.values() for one in some])
        state = self._created(batch.marker, part)
        with self.context.warehouse() as connection:
            note_state(connection, batch.marker, state)
        self.waiting.update(dict.fromkeys(part, batch.marker))
        self.counts["batches_handed_in"] += 1
        self.counts["requests_handed_in"] += len(part)

    def _hold_back(self, part: Mapping[str, bytes]) -> None:
        """Leave requests to a later pass: the endpoint takes no more at a time."""
        for name in part:
            self.owners.pop(name)
        self.counts["requests_held_back"] += len(part)

    def _created(self, marker: str, part: Mapping[str, bytes]) -> BatchState:
        file_id: str | None = None
        try:
            file_id = self.endpoint.upload(marker, part.values())
            self.counts["batches_with_files_left"] = self.endpoint.uploads_left
            with self.context.warehouse() as connection:
                note_upload(connection, marker, file_id)
            return self.endpoint.create(marker, file_id)
        except ModelReplyError:
            raise  # it may stand there all the same: the next pass looks for it
        except ModelError:
            if file_id is not None:
                self.endpoint.forget(BatchState("", "", None, file_id))
            with self.context.warehouse() as connection:
                withdraw(connection, marker)
            raise

    def _write_pending(
        self, connection: duckdb.DuckDBPyConnection, sessions: Sequence[Session]
    ) -> None:
        """Nobody else begins what is pending; why and until when is said when the pass ends."""
        pending = {
            one.key: sealed(Judgement(one.key, self.judge.identity, "pending"), one)
            for one in sessions
        }
        write_judgements(connection, [*pending.values()], self.hashes, self.context.clock())

    def _keep(self, verdicts: Sequence["_Verdict"]) -> None:
        if not verdicts:
            return
        judgements = [verdict.judgement for verdict in verdicts]
        untried = [one.judgement.session_key for one in verdicts if not one.is_attempt]
        with self.context.warehouse() as connection, transaction(connection):
            now = self.context.clock()
            write_judgements(connection, judgements, self.hashes, now, untried=untried)
            settle_sessions(connection, [judgement.session_key for judgement in judgements])
            done = [verdict.judgement.session_key for verdict in verdicts if verdict.is_done]
            drop_replies(connection, done)
            for one in verdicts:
                if one.unusable:
                    drop_unusable_replies(connection, one.judgement.session_key, one.unusable)
        self.counts.update(counted(judgements))

    def _owner(self, session: Session) -> Owner:
        return session.key, self.hashes[session.key]


class _Verdict(NamedTuple):
    judgement: Sealed
    unusable: Sequence[str]
    """Requests whose answers its next attempt cannot use."""
    is_done: bool
    """Its answers are done with; else its next attempt uses those that it can."""
    is_attempt: bool
    """Not where its batch failed as a whole: that says nothing of the session."""
