"""The model judge through the real client against a scripted endpoint."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.model import OpenAIModel
from agent_core.session import Session
from judges.llm import LLMJudge
from judges.rubric import load_rubric
from judges.verdict import Judgement, TurnScore
from tests.fake_openai import Answer, FakeOpenAI, failure, json_text, raw, refusal, text
from tests.judges.build import agent, edited, person, ran, session

SUMMARY = "The person asked for a new option and was not content with the first attempt."
CITATION = "The person reported that the delivered option does nothing."
PLAIN = session(
    person("Please add a retry option to the download command."),
    agent("All done.", edited("a.py"), ran("pytest")),
    person("That one is green when I press it, secret sk-abcdefghijklmnop1234"),
)


def moment(**changed: Any) -> dict[str, Any]:
    return {
        "polarity": "friction",
        "type": "correction",
        "step": 3,
        "severity": "low",
        "confidence": 0.7,
        "citation": CITATION,
    } | changed


def find(*moments: dict[str, Any], summary: str = SUMMARY) -> Answer:
    return json_text(
        {"summary": summary, "intent": "feature", "outcome": "partial", "moments": list(moments)}
    )


def verify(*verdicts: tuple[bool, str, float]) -> Answer:
    return json_text(
        {
            "verdicts": [
                {"moment": n, "holds": holds, "severity": severity, "confidence": confidence}
                for n, (holds, severity, confidence) in enumerate(verdicts, start=1)
            ]
        }
    )


def judge(
    script: Sequence[Answer], judged: Session = PLAIN, *, window_chars: int = 100_000
) -> tuple[Judgement, list[dict[str, Any]]]:
    """The judgement and the requests; the endpoint fails on a call too many or too few."""
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "m", "k", max_retries=0) as model,
    ):
        made = LLMJudge(model, salt=b"salt", window_chars=window_chars)(judged)
    return made, endpoint.requests


def test_finds_and_verifies() -> None:
    judgement, requests = judge(
        [
            find(moment(), moment(type="backtracking", step=2)),
            verify((True, "medium", 0.9), (False, "low", 0.1)),
        ]
    )
    (found,) = judgement.moments
    assert (judgement.status, judgement.summary, judgement.facets) == (
        "judged",
        SUMMARY,
        {"intent": "feature", "outcome": "partial"},
    )
    assert (found.type, found.severity, found.confidence, found.source_ref, found.turn_ref) == (
        "correction",
        "medium",
        0.9,
        "s3",
        "s3",
    )
    assert found.citation == CITATION
    assert found.evidence[0] == "model"
    assert judgement.turns == (TurnScore("s1", 1, 0.0, 0.0), TurnScore("s3", 2, 0.9, 0.0))
    assert (judgement.tokens_sent, judgement.tokens_received) == (22, 14)
    assert judgement.identity.model == "m"
    assert len(requests) == 2


def test_sends_stable_instructions_then_redacted_data() -> None:
    _, requests = judge([find()])
    instructions, data = requests[0]["messages"]
    assert instructions["role"] == "system"
    assert "abandoned_tool_flow" in instructions["content"]
    assert "retry option" not in instructions["content"]
    lines = data["content"].splitlines()
    assert [json.loads(line)["step"] for line in lines[1:-1]] == [1, 2, 3]
    assert "sk-abc" not in data["content"]
    schema = requests[0]["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    kinds = schema["schema"]["$defs"]["FoundMoment"]["properties"]["type"]["enum"]
    names = [name for kind in ("friction", "delight") for name in load_rubric().names(kind)]
    assert kinds == list(dict.fromkeys(names))


UNUSABLE = {
    "refusal": (refusal(), "refusal"),
    "cut": (text('{"summary": "The', finish_reason="length"), "truncated"),
    "filtered": (text("", finish_reason="content_filter"), "refusal"),
    "prose": (text("I think it went well."), "bad_json"),
    "keys": (json_text({"moments": []}), "bad_json"),
    "extra": (
        json_text(
            {"summary": "", "intent": "fix", "outcome": "success", "moments": [], "friction": True}
        ),
        "bad_json",
    ),
    "step": (find(moment(step=99)), "unknown_step"),
    "zero": (find(moment(step=0)), "unknown_step"),
    "type": (find(moment(type="praise")), "unknown_type"),
    "flood": (find(*[moment()] * 201), "bad_json"),
    "citation": (find(moment(citation="x" * 601)), "bad_json"),
    "summary": (find(summary="x" * 601), "bad_json"),
}


@pytest.mark.parametrize(("answer", "problem"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_answer_is_unscored_after_one_repair(answer: Answer, problem: str) -> None:
    judgement, requests = judge([answer, answer])
    assert (judgement.status, judgement.reason) == ("unscored", f"model answer: {problem}")
    assert (judgement.moments, judgement.turns, judgement.friction_score) == ((), (), None)
    assert judgement.tokens_sent == 22
    assert requests[1]["messages"][-1]["content"].startswith("This answer cannot be used: ")


@pytest.mark.parametrize("answer", [a for a, _ in UNUSABLE.values()], ids=UNUSABLE.keys())
def test_a_repaired_answer_counts(answer: Answer) -> None:
    judgement, _ = judge([answer, find()])
    assert (judgement.status, judgement.moments, judgement.friction_score) == ("judged", (), 0.0)


@pytest.mark.parametrize(
    "answer",
    [verify(), verify((True, "low", 0.9), (True, "low", 0.9)), text("yes")],
    ids=["none", "too many", "prose"],
)
def test_a_moment_without_a_verdict_is_unscored(answer: Answer) -> None:
    judgement, _ = judge([find(moment()), answer, answer])
    assert judgement.status == "unscored"
    assert judgement.moments == ()


@pytest.mark.parametrize(
    "answer", [failure(500), raw(b"oops"), failure(400)], ids=["500", "body", "400"]
)
def test_a_failed_call_is_unscored(answer: Answer) -> None:
    judgement, _ = judge([answer])
    assert (judgement.status, judgement.reason) == ("unscored", "model call failed")


@pytest.mark.parametrize("status", [401, 404, 429])
def test_an_unusable_endpoint_stops_the_run(status: int) -> None:
    with pytest.raises(ModelError, match=f"{status}"):
        judge([failure(status)])


@pytest.mark.parametrize(
    ("rewritten", "citation"),
    [
        (json_text({"texts": [SUMMARY, CITATION]}), CITATION),
        (json_text({"texts": [SUMMARY, "It was the retry option to the download command"]}), None),
        (json_text({"texts": []}), None),
        (refusal(), None),
        (failure(500), None),
    ],
    ids=["rewritten", "still quoting", "too few", "refused", "failed"],
)
def test_quoting_text_is_rewritten_or_replaced(rewritten: Answer, citation: str | None) -> None:
    quoting = "The person said: please add a retry option to the download command."
    judgement, requests = judge(
        [
            find(moment(citation=quoting), summary="A retry option to the download command."),
            verify((True, "low", 0.9)),
            rewritten,
        ]
    )
    assert len(requests) == 3
    assert judgement.status == "judged"
    published = f"{judgement.summary} {judgement.moments[0].citation}"
    assert "retry" not in published
    template = (
        "The person redirected the agent after the agent edited files and ran commands and said "
        "that it was done."
    )
    assert judgement.moments[0].citation == (citation or template)


def test_windows_are_judged_each_and_merged() -> None:
    steps = [person("x " * 100) if n % 2 else agent("y " * 100) for n in range(1, 9)]
    praise = moment(step=5, polarity="delight", type="praise")
    again = moment(step=5, confidence=0.8)
    script = [
        find(moment(step=5, confidence=0.6)),
        verify((True, "low", 0.6)),
        find(again, praise),
        verify((True, "high", 0.8), (True, "low", 0.7)),
    ]
    judgement, requests = judge(script, session(*steps), window_chars=1_300)
    assert [_steps_in(request) for request in requests] == [
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4, 5],
        [5, 6, 7, 8],
        [5, 6, 7, 8],
    ]
    assert [(m.polarity, m.source_ref, m.severity) for m in judgement.moments] == [
        ("friction", "s5", "high"),
        ("delight", "s5", "low"),
    ]


def _steps_in(request: dict[str, Any]) -> list[int]:
    lines = request["messages"][1]["content"].splitlines()
    return [json.loads(line)["step"] for line in lines if line.startswith("{")]


def test_autonomous_runs_have_error_events_only() -> None:
    run = session(person("task"), agent("", ran("x", "timeout")), autonomous=True)
    judgement, _ = judge(
        [find(moment(step=2, type="error_event"), moment(step=1)), verify((True, "low", 0.9))], run
    )
    (found,) = judgement.moments
    assert (found.type, found.tool, found.error_class) == ("error_event", "run_command", "timeout")


def test_an_answer_that_is_too_long_is_told_so() -> None:
    _, requests = judge([find(*[moment()] * 201), find()])
    assert (
        "over 200 moments, or a text over 600 characters"
        in (requests[1]["messages"][-1]["content"])
    )
    # A strict endpoint turns such keywords down.
    assert "maxItems" not in json.dumps(requests[0]["response_format"])
    assert "maxLength" not in json.dumps(requests[0]["response_format"])


def test_a_purged_session_costs_nothing() -> None:
    judgement, requests = judge([], session(person(""), agent("")))
    assert (judgement.status, judgement.reason, requests) == ("unscored", "purged", [])
