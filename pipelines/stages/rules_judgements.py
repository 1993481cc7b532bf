"""Stage `judgements`, by rules: batches of sessions, judged on both cores where there are many.

The warehouse is open while a batch is loaded and while its verdicts are written, never in between.
"""

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import polars as pl

from agent_core.session import Session
from judges.publication import Sealed, sealed
from judges.rules.batch import RulesSetup
from judges.rules.worker import begin_worker, judge_in_worker
from judges.verdict import JudgeIdentity, Judgement
from pipelines.context import Context
from pipelines.stages.judgement_rows import (
    batches_of_sessions,
    counted,
    load_unchanged,
    waiting_sessions,
    write_judgements,
)

_BATCH_STEPS = 5_000
_WORKERS = 2
_AHEAD = 2 * _WORKERS
"""Batches in memory at a time: those being judged, and one more for each worker."""
# Workers take a second to start, and with embeddings each loads the model: not for less than this.
_PARALLEL_STEPS = 40_000
_PARALLEL_STEPS_EMBEDDED = 10_000
_KILLED = "the process that judged it was killed, perhaps for want of memory"


@dataclass(frozen=True, slots=True)
class _Batch:
    sessions: list[Session]
    hashes: Mapping[str, str]


def judge_by_rules(
    context: Context, *, limit: int | None = None, parallel: bool | None = None
) -> dict[str, int]:
    """Judge what has no verdict of the rules yet and return counts by status.

    Verdicts are kept batch by batch: what a killed run has judged stays judged. `parallel` None:
    in workers of their own where there is enough to do. Raises ModelError where embeddings are
    configured and their model cannot be loaded.
    """
    setup = rules_setup(context)
    identity = setup.build().judge.identity
    with context.warehouse() as connection:
        waiting = waiting_sessions(connection, identity, context.clock())
    chosen = waiting if limit is None else waiting.head(limit)
    enough = _PARALLEL_STEPS_EMBEDDED if setup.embeddings else _PARALLEL_STEPS
    is_parallel = int(chosen["steps"].sum()) >= enough if parallel is None else parallel
    judged = _in_workers if is_parallel else _here
    counts: Counter[str] = Counter(not_idle_yet=0, over_limit=waiting.height - chosen.height)
    for batch, judgements in judged(_loaded(context, chosen), setup, identity):
        with context.warehouse() as connection:
            write_judgements(connection, judgements, batch.hashes, context.clock())
        counts.update(counted(judgements))
        context.progress("sessions judged", counts["judged"] + counts["unscored"], chosen.height)
    return dict(counts)


def rules_setup(context: Context) -> RulesSetup:
    """The rules judge that the configuration asks for."""
    config = context.config
    return RulesSetup(
        context.home.salt(),
        embeddings=config.judge.embeddings,
        model_dir=config.embedding.model_dir,
    )


def _loaded(context: Context, chosen: pl.DataFrame) -> Iterator[_Batch]:
    for rows in batches_of_sessions(chosen, _BATCH_STEPS):
        with context.warehouse() as connection:
            sessions = load_unchanged(connection, rows)
        if sessions:
            yield _Batch(sessions, dict(rows.select("session_key", "content_hash").iter_rows()))


def _here(
    batches: Iterable[_Batch], setup: RulesSetup, _identity: JudgeIdentity
) -> Iterator[tuple[_Batch, list[Sealed]]]:
    judge = setup.build()
    for batch in batches:
        yield batch, judge(batch.sessions)


def _in_workers(
    batches: Iterable[_Batch], setup: RulesSetup, identity: JudgeIdentity
) -> Iterator[tuple[_Batch, list[Sealed]]]:
    """The batches as they are done; the next are loaded meanwhile."""
    workers = _Workers(_WORKERS, setup)
    waiting: dict[Future[list[Sealed]], _Batch] = {}
    try:
        for batch in batches:
            waiting[workers.submit(batch.sessions)] = batch
            if len(waiting) == _AHEAD:
                done = wait(waiting, return_when=FIRST_COMPLETED).done
                for future in done:
                    yield _kept(future, waiting.pop(future), setup, identity)
        for future in list(waiting):
            yield _kept(future, waiting.pop(future), setup, identity)
    finally:
        workers.end()


def _kept(
    future: Future[list[Sealed]], batch: _Batch, setup: RulesSetup, identity: JudgeIdentity
) -> tuple[_Batch, list[Sealed]]:
    """The verdicts of a batch; where its worker died, those that a new one comes to."""
    try:
        return batch, future.result()
    except BrokenProcessPool:
        return batch, _judge_apart(batch.sessions, setup, identity)


def _judge_apart(
    sessions: Sequence[Session], setup: RulesSetup, identity: JudgeIdentity
) -> list[Sealed]:
    """Judge in a process that ends with it; where it dies, halves, until the one is known."""
    worker = _Workers(1, setup)
    try:
        return worker.submit(sessions).result()
    except BrokenProcessPool:
        if len(sessions) == 1:
            lost = Judgement(sessions[0].key, identity, "unscored", reason=_KILLED)
            return [sealed(lost, sessions[0])]
    finally:
        worker.end()
    middle = len(sessions) // 2
    return [
        judgement
        for half in (sessions[:middle], sessions[middle:])
        for judgement in _judge_apart(half, setup, identity)
    ]


class _Workers:
    """Processes that judge; a pool that lost one is replaced by another."""

    def __init__(self, count: int, setup: RulesSetup) -> None:
        self._count = count
        self._setup = setup
        self._pool = _pool(count)

    def submit(self, sessions: Sequence[Session]) -> Future[list[Sealed]]:
        try:
            return self._pool.submit(judge_in_worker, self._setup, sessions)
        except BrokenProcessPool:
            self.end()
            self._pool = _pool(self._count)
            return self._pool.submit(judge_in_worker, self._setup, sessions)

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _pool(count: int) -> ProcessPoolExecutor:
    # spawn: a forked child would inherit the threads of Polars, DuckDB and torch.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=begin_worker)
