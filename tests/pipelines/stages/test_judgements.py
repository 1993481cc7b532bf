"""Judging: once for a content and a judge; what cannot be judged is a row with its reason."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.session import Session
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore
from pipelines.context import Context
from pipelines.export import export_rows
from pipelines.stages.ingest import ingest
from pipelines.stages.judgements import judge_sessions
from pipelines.stages.moments import collect_moments
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.pipelines.claude_log import answered, said, write_log


@dataclass
class _Judge:
    """A judge that says what the test wants, and remembers whom it was asked about."""

    verdict: Callable[[Session, JudgeIdentity], Judgement]
    identity: JudgeIdentity

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, session: Session) -> Judgement:
        self.asked.append(session.session_id)
        return self.verdict(session, self.identity)


_RULES = JudgeIdentity("rules", "1", "none", "none", "1")
_MODEL = JudgeIdentity("llm", "1", "p1", "made-up", "1")


def _finds(descriptor: str) -> Callable[[Session, JudgeIdentity], Judgement]:
    def verdict(session: Session, identity: JudgeIdentity) -> Judgement:
        ref = session.steps[0].source_ref
        moment = Moment(
            "friction", "correction", "low", 0.8, ref, ref, descriptor, "The person objected."
        )
        scores = (TurnScore(ref, 1, 0.8, None),)
        return Judgement(
            session.key, identity, "judged", moments=(moment,), turns=scores, friction_score=0.8
        )

    return verdict


def _fails(session: Session, _identity: JudgeIdentity) -> Judgement:
    raise ValueError(session.steps[0].text)


def _ingest(context: Context, folder: Path, *extra: dict[str, Any]) -> None:
    write_log(folder / "a.jsonl", said("s1", "u1", 0, "No, wrong."), answered("s1", "u2", 1, "Ok."),
              *extra)  # fmt: skip
    ingest(context, [folder])
    summarise_sessions(context)


def _at(context: Context, moved: timedelta) -> Context:
    moment = context.clock() + moved
    return replace(context, clock=lambda: moment)


def _moments(context: Context) -> list[tuple[Any, ...]]:
    collect_moments(context)
    with context.warehouse() as connection:
        return query(connection, "SELECT source_ref, descriptor FROM moments ORDER BY ALL").rows()


def test_a_session_is_judged_once_until_it_grows(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs")
    judge = _Judge(_finds("early"), _RULES)
    judge_sessions(context, judge)
    judge_sessions(context, judge)
    assert judge.asked == ["s1"]
    _ingest(context, tmp_path / "logs", said("s1", "u3", 2, "Better."))
    judge_sessions(context, judge)
    assert judge.asked == ["s1", "s1"]
    assert _moments(context) == [("u1", "early")]


def test_a_models_verdict_stands_over_the_rules(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs")
    judge_sessions(context, _Judge(_finds("by the model"), _MODEL))
    judge_sessions(context, _Judge(_finds("by rules"), _RULES))
    assert _moments(context) == [("u1", "by the model")]


def test_a_failure_is_unscored_never_friction_and_tried_again_later(
    context: Context, tmp_path: Path
) -> None:
    _ingest(context, tmp_path / "logs")
    judge = _Judge(_fails, _RULES)
    for _ in range(2):
        judge_sessions(context, judge)
    assert judge.asked == ["s1"]
    for days in (2, 4, 6, 8):
        judge_sessions(_at(context, timedelta(days=days)), judge)
    assert judge.asked == ["s1"] * 3
    (row,) = export_rows(context, "judgements")
    assert (row["status"], row["attempts"], row["friction_score"]) == ("unscored", 3, None)
    assert row["reason"].startswith("the judge failed: ValueError in _fails")
    assert "wrong" not in row["reason"]
    (session,) = export_rows(context, "sessions")
    assert (session["status"], session["friction_score"]) == ("unscored", None)


def test_an_endpoint_that_cannot_be_used_stops_the_run(context: Context, tmp_path: Path) -> None:
    def unreachable(_session: Session, _identity: JudgeIdentity) -> Judgement:
        raise ModelError("http://127.0.0.1:9: not reachable")

    _ingest(context, tmp_path / "logs")
    with pytest.raises(ModelError):
        judge_sessions(context, _Judge(unreachable, _MODEL))
    assert list(export_rows(context, "judgements")) == []


def test_a_session_that_grows_while_it_is_judged_is_judged_again(
    context: Context, tmp_path: Path
) -> None:
    _ingest(context, tmp_path / "logs")

    def slow(session: Session, identity: JudgeIdentity) -> Judgement:
        if len(session.steps) == 2:
            _ingest(context, tmp_path / "logs", said("s1", "u3", 2, "Better."))
        return _finds("found")(session, identity)

    judge = _Judge(slow, _RULES)
    judge_sessions(context, judge)
    assert _moments(context) == []
    judge_sessions(context, judge)
    assert judge.asked == ["s1", "s1"]
    assert _moments(context) == [("u1", "found")]


def test_what_is_not_summarised_yet_is_not_judged(context: Context, tmp_path: Path) -> None:
    """Between ingest and the stage `sessions` nobody knows whether a session is selected."""
    log = write_log(
        tmp_path / "a.jsonl", said("s1", "u1", 0, "Go."), answered("s1", "u2", 1, "Ok.")
    )
    ingest(context, [log])
    judge = _Judge(_finds("x"), _RULES)
    judge_sessions(context, judge)
    assert judge.asked == []


@pytest.mark.parametrize(
    ("costs", "total"),
    [((0.5, 0.25), 0.75), ((None, 0.25), None), ((0.5, None), None)],
    ids=["known", "first unknown", "second unknown"],
)
def test_tokens_and_money_of_every_attempt_add_up(
    context: Context, tmp_path: Path, costs: tuple[float | None, ...], total: float | None
) -> None:
    left = iter(costs)

    def refuses(session: Session, identity: JudgeIdentity) -> Judgement:
        return Judgement(session.key, identity, "unscored", reason="model answer: refusal",
                         tokens_sent=1000, tokens_cached=300, tokens_received=20,
                         cost_usd=next(left))  # fmt: skip

    _ingest(context, tmp_path / "logs")
    for days in (0, 2):
        judge_sessions(_at(context, timedelta(days=days)), _Judge(refuses, _MODEL))
    with context.warehouse() as connection:
        rows = query(
            connection,
            "SELECT attempts, tokens_sent, tokens_cached, tokens_received, cost_usd "
            "FROM judgements",
        ).rows()
    assert rows == [(2, 2000, 600, 40, total)]


def test_exports_are_keyed_by_the_logs_own_ids(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs", said("s1", "u3", 2, "Better."))
    judge_sessions(context, _Judge(_finds("early"), _RULES))
    collect_moments(context)
    path = str(tmp_path / "logs" / "a.jsonl")
    assert list(export_rows(context, "moments")) == [
        {
            "session_id": "s1",
            "source_path": path,
            "source_ref": "u1",
            "turn_ref": "u1",
            "polarity": "friction",
            "type": "correction",
            "severity": "low",
            "confidence": 0.8,
            "descriptor": "early",
            "citation": "The person objected.",
            "judge": "rules",
        }
    ]
    assert [tuple(row.values()) for row in export_rows(context, "turns")] == [
        ("s1", path, "u1", 1, 0.8, None),
        ("s1", path, "u3", 2, None, None),
    ]
