"""Judgements: once for a content and a judge; what cannot be judged is a row with its reason."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from judges.llm import LLMJudge
from judges.publication import sealed
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore
from pipelines.config import Config, JudgeConfig
from pipelines.context import Context
from pipelines.export import export_rows
from pipelines.judging import make_model
from pipelines.stages.ingest import ingest
from pipelines.stages.judgement_rows import load_unchanged, waiting_sessions, write_judgements
from pipelines.stages.model_judgements import judge_by_model
from pipelines.stages.moments import collect_moments
from pipelines.stages.rules_judgements import judge_by_rules
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.fake_openai import Answer, FakeOpenAI, refusal
from tests.judges.answers import find, moment, verify
from tests.pipelines.claude_log import answered, said, write_log

_RULES = JudgeIdentity("rules", "1", "none", "none", "1")
_OBJECTION = "No, that is wrong."


def _ingest(context: Context, folder: Path, *extra: dict[str, Any]) -> None:
    write_log(folder / "a.jsonl", said("s1", "u1", 0, _OBJECTION), answered("s1", "u2", 1, "Ok."),
              *extra)  # fmt: skip
    ingest(context, [folder])
    summarise_sessions(context)


def _later(context: Context, days: int) -> Context:
    moment_ = context.clock() + timedelta(days=days)
    return replace(context, clock=lambda: moment_)


def _by_model(context: Context, endpoint: FakeOpenAI) -> dict[str, int]:
    section = JudgeConfig(base_url=endpoint.base_url, model="m", max_retries=0)
    with make_model(section) as model:
        asking = replace(context, config=Config(judge=section))
        return judge_by_model(asking, LLMJudge(model, salt=b"salt"))


def _by_hand(context: Context, **verdict: Any) -> None:
    """Keep the same verdict for each session that waits for one by the rules."""
    with context.warehouse() as connection:
        waiting = waiting_sessions(connection, _RULES, context.clock())
        hashes = dict(waiting.select("session_key", "content_hash").iter_rows())
        verdicts = [
            sealed(Judgement(session.key, _RULES, **verdict), session)
            for session in load_unchanged(connection, waiting)
        ]
        write_judgements(connection, verdicts, hashes, context.clock())


def _current(context: Context) -> list[tuple[Any, ...]]:
    """Judge and step of the moments that count."""
    collect_moments(context)
    with context.warehouse() as connection:
        sql = "SELECT judge, source_ref FROM moments JOIN judgements USING (judgement_id)"
        return query(connection, sql).rows()


def test_a_session_is_judged_once_until_it_grows(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs")
    judged = [judge_by_rules(context).get("judged", 0) for _ in range(2)]
    _ingest(context, tmp_path / "logs", said("s1", "u3", 2, "Better."))
    assert [*judged, judge_by_rules(context)["judged"]] == [1, 0, 1]
    rows = [(row["status"], row["current"]) for row in export_rows(context, "judgements")]
    assert sorted(rows) == [("judged", False), ("judged", False)]
    collect_moments(context)
    assert [row["current"] for row in export_rows(context, "judgements")].count(True) == 1


def test_a_models_verdict_stands_over_the_rules(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs")
    with FakeOpenAI([find(moment(step=1)), verify((True, "low", 0.9))]) as endpoint:
        _by_model(context, endpoint)
    judge_by_rules(context)
    assert _current(context) == [("llm", "u1")]


@pytest.mark.slow
def test_a_session_without_a_verdict_is_tried_on_three_days_and_then_held(
    context: Context, tmp_path: Path
) -> None:
    _ingest(context, tmp_path / "logs")
    with FakeOpenAI([refusal()] * 6) as endpoint:  # each with one repair
        for day in (0, 0, 2, 4, 6, 8):
            _by_model(_later(context, day), endpoint)
    (row,) = export_rows(context, "judgements")
    assert (row["status"], row["attempts"], row["friction_score"]) == ("unscored", 3, None)
    assert row["reason"] == "model answer: refusal"
    collect_moments(context)
    (session,) = export_rows(context, "sessions")
    assert (session["status"], session["friction_score"]) == ("unscored", None)


@pytest.mark.slow
def test_a_session_that_grows_while_it_is_judged_is_judged_again(
    context: Context, tmp_path: Path
) -> None:
    _ingest(context, tmp_path / "logs")

    class Slow(FakeOpenAI):
        """The first call takes so long that the session grows meanwhile."""

        def _answers_for(self, request: Mapping[str, Any]) -> list[Answer]:
            if not self.requests:
                _ingest(context, tmp_path / "logs", said("s1", "u3", 2, "Better."))
            return super()._answers_for(request)

    found = [find(moment(step=1)), verify((True, "low", 0.9))]
    with Slow([*found, *found]) as endpoint:
        assert _by_model(context, endpoint)["judged"] == 1
        assert _current(context) == []
        assert _by_model(context, endpoint)["judged"] == 1
    assert _current(context) == [("llm", "u1")]


def test_what_is_not_summarised_yet_is_not_judged(context: Context, tmp_path: Path) -> None:
    """Between ingest and the stage `sessions` nobody knows whether a session is selected."""
    log = write_log(
        tmp_path / "a.jsonl", said("s1", "u1", 0, "Go."), answered("s1", "u2", 1, "Ok.")
    )
    ingest(context, [log])
    judge_by_rules(context)
    assert list(export_rows(context, "judgements")) == []


@pytest.mark.parametrize(
    ("costs", "total"),
    [((0.5, 0.25), 0.75), ((None, 0.25), None), ((0.5, None), None)],
    ids=["known", "first unknown", "second unknown"],
)
def test_tokens_and_money_of_every_attempt_add_up(
    context: Context, tmp_path: Path, costs: tuple[float | None, ...], total: float | None
) -> None:
    _ingest(context, tmp_path / "logs")
    for day, cost in enumerate(costs):
        _by_hand(
            _later(context, 2 * day),
            status="unscored",
            reason="model answer: refusal",
            tokens_sent=1000,
            tokens_cached=300,
            tokens_received=20,
            cost_usd=cost,
        )
    with context.warehouse() as connection:
        rows = query(
            connection,
            "SELECT attempts, tokens_sent, tokens_cached, tokens_received, cost_usd "
            "FROM judgements",
        ).rows()
    assert rows == [(2, 2000, 600, 40, total)]


def test_exports_are_keyed_by_the_logs_own_ids(context: Context, tmp_path: Path) -> None:
    _ingest(context, tmp_path / "logs", said("s1", "u3", 2, "Better."))
    objection = Moment(
        "friction", "correction", "low", 0.8, "u1", "u1", "early", "The person objected."
    )
    _by_hand(
        context,
        status="judged",
        moments=(objection,),
        turns=(TurnScore("u1", 1, 0.8, None),),
        friction_score=0.8,
    )
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
