"""Judging by rules in batches: alike in workers and here, kept batch by batch."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from agent_core.errors import ModelError
from agent_core.session import Session
from judges.publication import Sealed
from judges.rules.batch import BatchJudge, RulesSetup
from pipelines.config import Config, EmbeddingConfig, JudgeConfig
from pipelines.context import Context
from pipelines.stages import rules_judgements
from pipelines.stages.ingest import ingest
from pipelines.stages.rules_judgements import judge_by_rules
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.pipelines.claude_log import answered, said, write_log

_COMPLAINTS = ["No, that is wrong.", "Perfect, thank you!", "It still fails.", "Now the next page."]
_DEADLY = "s2"


def _ingest(context: Context, folder: Path, count: int = 6) -> None:
    for number in range(count):
        name = f"s{number}"
        write_log(
            folder / f"{name}.jsonl",
            said(name, f"{name}-1", 0, "Please add a retry option to the download command."),
            answered(name, f"{name}-2", 1, "Done, it works now."),
            said(name, f"{name}-3", 2, _COMPLAINTS[number % len(_COMPLAINTS)]),
            answered(name, f"{name}-4", 3, "I see."),
        )
    ingest(context, [folder])
    summarise_sessions(context)


def _rows(context: Context) -> list[dict[str, Any]]:
    with context.warehouse() as connection:
        return query(connection, "SELECT * FROM judgements ORDER BY session_key").to_dicts()


def _forget(context: Context) -> None:
    with context.warehouse() as connection:
        connection.execute("DELETE FROM judgements")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions of four steps to a batch."""
    monkeypatch.setattr(rules_judgements, "_BATCH_STEPS", 9)


@pytest.mark.slow
@pytest.mark.usefixtures("small_batches")
def test_workers_come_to_the_same_verdicts(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs")
    counts = judge_by_rules(context, parallel=False)
    alone = _rows(context)
    _forget(context)
    assert judge_by_rules(context, parallel=True) == counts
    assert _rows(context) == alone
    assert (counts["judged"], counts["moments"] > 0, len(alone)) == (6, True, 6)


def test_few_sessions_start_no_worker(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(count: int) -> NoReturn:
        raise AssertionError(f"{count} workers for six sessions")

    monkeypatch.setattr(rules_judgements, "_pool", refuse)
    _ingest(context, tmp_path / "logs")
    assert judge_by_rules(context)["judged"] == 6


def test_what_is_judged_is_not_judged_again_and_the_limit_holds(
    context: Context, tmp_path: Path
) -> None:
    _ingest(context, tmp_path / "logs")
    first = judge_by_rules(context, limit=4)
    assert (first["judged"], first["over_limit"]) == (4, 2)
    second = judge_by_rules(context)
    assert (second["judged"], second["over_limit"]) == (2, 0)
    assert judge_by_rules(context).get("judged", 0) == 0


class _Stopped(BaseException):
    """As a kill would: nothing on the way out catches it."""


@pytest.mark.slow
@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_stopped_run_goes_on_where_it_was(context: Context, tmp_path: Path, stop_at: int) -> None:
    _ingest(context, tmp_path / "logs")

    def stop(_what: str, done: int, _total: int) -> None:
        if done >= stop_at:
            raise _Stopped

    with pytest.raises(_Stopped):
        judge_by_rules(replace(context, progress=stop), parallel=False)
    kept = _rows(context)
    assert stop_at <= len(kept) < 6
    assert judge_by_rules(context)["judged"] == 6 - len(kept)
    assert [row for row in _rows(context) if row in kept] == kept


@pytest.mark.usefixtures("small_batches")
def test_the_warehouse_is_closed_while_sessions_are_judged(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ingest(context, tmp_path / "logs")
    is_open: list[bool] = []
    opened = Context.warehouse

    @contextmanager
    def watched(self: Context) -> Iterator[Any]:
        is_open.append(True)
        with opened(self) as connection:
            yield connection
        is_open.pop()

    judge = BatchJudge.__call__
    seen: list[list[bool]] = []

    def observed(self: BatchJudge, sessions: Sequence[Session]) -> list[Sealed]:
        seen.append(list(is_open))
        return judge(self, sessions)

    monkeypatch.setattr(Context, "warehouse", watched)
    monkeypatch.setattr(BatchJudge, "__call__", observed)
    judge_by_rules(context)
    assert len(seen) > 1
    assert not any(seen)


@pytest.mark.parametrize("parallel", [False, True], ids=["here", "in-workers"])
def test_a_missing_model_stops_the_run_with_its_own_error(
    context: Context, tmp_path: Path, parallel: bool
) -> None:
    _ingest(context, tmp_path / "logs", count=1)
    config = Config(
        judge=JudgeConfig(embeddings=True), embedding=EmbeddingConfig(model_dir=tmp_path / "none")
    )
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        judge_by_rules(replace(context, config=config), parallel=parallel)
    assert _rows(context) == []


@dataclass(frozen=True, slots=True)
class _DeadlySetup(RulesSetup):
    """A judge whose process is killed by one session, as it is when memory runs out."""

    def build(self, *, threads: int | None = None) -> BatchJudge:
        made = RulesSetup.build(self, threads=threads)
        return _DeadlyJudge(made.judge, made.setup)


@dataclass(frozen=True, slots=True)
class _DeadlyJudge(BatchJudge):
    def __call__(self, sessions: Sequence[Session]) -> list[Sealed]:
        if any(session.session_id == _DEADLY for session in sessions):
            os._exit(9)
        return BatchJudge.__call__(self, sessions)


@pytest.mark.slow
@pytest.mark.usefixtures("small_batches")
def test_a_session_that_kills_its_worker_is_unscored_and_the_others_are_judged(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ingest(context, tmp_path / "logs", count=12)
    monkeypatch.setattr(rules_judgements, "rules_setup", lambda _: _DeadlySetup(b"salt"))
    counts = judge_by_rules(context, parallel=True)
    assert (counts["judged"], counts["unscored"]) == (11, 1)
    (lost,) = [row for row in _rows(context) if row["status"] == "unscored"]
    assert lost["session_key"].endswith(_DEADLY)
    assert lost["reason"] == "the process that judged it was killed, perhaps for want of memory"
    assert (lost["friction_score"], lost["moments"]) == (None, "[]")


@pytest.mark.slow
@pytest.mark.usefixtures("small_batches")
def test_workers_with_embeddings_come_to_the_same_verdicts(
    context: Context, tmp_path: Path
) -> None:
    _ingest(context, tmp_path / "logs")
    embedding = replace(context, config=Config(judge=JudgeConfig(embeddings=True)))
    judge_by_rules(embedding, parallel=False)
    alone = _rows(context)
    _forget(context)
    judge_by_rules(embedding, parallel=True)
    assert _rows(context) == alone
    assert {row["model"].split("@")[0] for row in alone} == {"words+all-MiniLM-L6-v2"}
