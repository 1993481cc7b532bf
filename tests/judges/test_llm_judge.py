"""The model judge through the real client against a scripted endpoint."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import (
    ChatMessage,
    ModelReply,
    OpenAIModel,
    ResponseSchema,
    read_completion,
)
from agent_core.session import Session
from judges.llm import CostOf, LLMJudge, ModelRequest
from judges.rubric import load_rubric
from judges.verdict import Judgement, TurnScore
from tests.fake_openai import Answer, FakeOpenAI, failure, json_text, raw, refusal, text
from tests.judges.answers import CITATION, SUMMARY, find, moment, verify
from tests.judges.build import agent, edited, person, ran, session
from tests.judges.nobody import Nobody

PLAIN = session(
    person("Please add a retry option to the download command."),
    agent("All done.", edited("a.py"), ran("pytest")),
    person("That one is green when I press it, secret sk-abcdefghijklmnop1234"),
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
    instructions, asked = requests[0]["messages"]
    assert instructions["role"] == "system"
    assert "abandoned_tool_flow" in instructions["content"]
    assert "retry option" not in instructions["content"]
    data, _, task = asked["content"].partition("\n\n")
    lines = data.splitlines()
    assert [json.loads(line)["step"] for line in lines[1:-1]] == [1, 2, 3]
    assert task.startswith("Task: find\n")
    assert "sk-abc" not in data
    schema = requests[0]["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    kinds = schema["schema"]["$defs"]["FoundMoment"]["properties"]["type"]["enum"]
    names = [name for kind in ("friction", "delight") for name in load_rubric().names(kind)]
    assert kinds == list(dict.fromkeys(names))


FOUND_NOTHING: dict[str, Any] = {
    "summary": "",
    "intent": "fix",
    "outcome": "success",
    "moments": [],
}
UNUSABLE = {
    "refusal": (refusal(), "refusal"),
    "cut": (text('{"summary": "The', finish_reason="length"), "truncated"),
    "filtered": (text("", finish_reason="content_filter"), "refusal"),
    "prose": (text("I think it went well."), "bad_json"),
    "keys": (json_text({"answer": {"moments": []}}), "bad_json"),
    "other task": (verify((True, "low", 0.9)), "bad_json"),
    "extra": (json_text({"answer": FOUND_NOTHING | {"friction": True}}), "bad_json"),
    "beside": (json_text({"answer": FOUND_NOTHING, "friction": True}), "bad_json"),
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
    ("answer", "why"),
    [
        (failure(500), "no usable answer came"),
        (raw(b"oops"), "no usable answer came"),
        (failure(400), "refused"),
    ],
    ids=["500", "body", "400"],
)
def test_a_failed_call_is_unscored(answer: Answer, why: str) -> None:
    judgement, _ = judge([answer])
    assert (judgement.status, judgement.reason) == ("unscored", f"model call failed: {why}")


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
        find(again, praise),
        verify((True, "low", 0.6)),
        verify((True, "high", 0.8), (True, "low", 0.7)),
    ]
    judgement, requests = judge(script, session(*steps), window_chars=1_300)
    assert [_steps_in(request) for request in requests] == [
        [1, 2, 3, 4, 5],
        [5, 6, 7, 8],
        [1, 2, 3, 4, 5],
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


def test_judging_calls_nobody_and_asks_in_rounds() -> None:
    """Both windows at once, then repairs of what is unusable alone, then both verified at once."""
    steps = [person("x " * 100) if n % 2 else agent("y " * 100) for n in range(1, 9)]
    judging = LLMJudge(Nobody(), salt=b"salt", window_chars=1_300).judging(session(*steps))
    found = next(judging)
    repaired = judging.send([ModelReply("no JSON"), _reply(find(moment(step=7)))])
    verified = judging.send([_reply(find(moment(step=1)))])
    assert [len(found), len(repaired), len(verified)] == [2, 1, 2]
    assert repaired[0].messages[: len(found[0].messages)] == found[0].messages
    held = _reply(verify((True, "low", 0.9)))
    with pytest.raises(StopIteration) as done:
        judging.send([held, held])
    assert [m.source_ref for m in done.value.value.moments] == ["s1", "s7"]


def test_one_failed_call_of_a_round_is_unscored_and_the_rest_is_counted() -> None:
    steps = [person("x " * 100) if n % 2 else agent("y " * 100) for n in range(1, 9)]
    judging = LLMJudge(Nobody(), salt=b"salt", window_chars=1_300).judging(session(*steps))
    next(judging)
    with pytest.raises(StopIteration) as done:
        judging.send([ModelReplyError("cut"), _reply(find())])
    judgement = done.value.value
    assert (judgement.status, judgement.reason) == ("unscored", "model call failed: refused")
    assert (judgement.tokens_sent, judgement.tokens_received) == (11, 7)


def _reply(answer: Answer) -> ModelReply:
    """What the client makes of a scripted answer."""
    return read_completion(ChatCompletion.model_validate_json(answer.body))


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ({}, True),
        ({"model": "n"}, False),
        ({"messages": (ChatMessage("user", "say \ud83d!"),)}, False),
        ({"schema": ResponseSchema("other", {"type": "object"})}, False),
        ({"schema": ResponseSchema("s", {"type": "array"})}, False),
    ],
    ids=["same", "model", "messages", "schema name", "schema"],
)
def test_a_request_has_a_stable_name(changed: dict[str, Any], is_same: bool) -> None:
    request = ModelRequest(
        "m", (ChatMessage("user", "say \ud83d"),), ResponseSchema("s", {"type": "object"})
    )
    known = "b0a39c64915ae3d1dcfe4d76788145ad408a2ee341a267e82ebf1c95192ec227"
    assert (replace(request, **changed).request_hash == known) is is_same


def _shared_prefix(one: dict[str, Any], other: dict[str, Any]) -> str:
    pairs = zip(_as_sent(one), _as_sent(other), strict=False)
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _as_sent(request: dict[str, Any]) -> str:
    """In the order in which an endpoint reads it: schema, system, data, task."""
    return json.dumps([request["response_format"], request["messages"]])


def test_verify_repeats_what_find_sent_before_its_task() -> None:
    _, (find_, verify_) = judge([find(moment()), verify((True, "low", 0.9))])
    shared = _shared_prefix(find_, verify_)
    assert shared.endswith("ends =====\\n\\nTask: ")


def test_verify_sends_the_steps_near_its_moments_alone_in_a_long_window() -> None:
    steps = [person("x" * 50) if n % 2 else agent("y" * 50) for n in range(100)]
    _, requests = judge([find(moment(step=50)), verify((True, "low", 0.9))], session(*steps))
    assert _steps_in(requests[1]) == list(range(44, 57))


def test_two_sessions_share_schema_and_rubric() -> None:
    _, (one,) = judge([find()])
    _, (other,) = judge([find()], session(person("Something else."), agent("Done.")))
    shared = _shared_prefix(one, other)
    assert "abandoned_tool_flow" in shared
    assert shared.endswith('{\\"step\\": 1, \\"by\\": \\"person\\", \\"text\\": \\"')


def test_tokens_and_money_of_all_calls_add_up() -> None:
    """Also of unusable answers; without a price the cost is unknown, never nothing."""
    script = [text("no JSON"), find(moment()), verify((False, "low", 0.1))]
    priced, unpriced = (_spent(script, cost_of) for cost_of in (lambda _: 0.5, lambda _: None))
    assert priced == (33, 9, 21, 1.5)
    assert unpriced == (33, 9, 21, None)


def _spent(script: list[Answer], cost_of: CostOf) -> tuple[int, int, int, float | None]:
    with FakeOpenAI(script) as endpoint, OpenAIModel(endpoint.base_url, "m", "k") as model:
        made = LLMJudge(model, salt=b"salt", cost_of=cost_of)(PLAIN)
    return made.tokens_sent, made.tokens_cached, made.tokens_received, made.cost_usd
