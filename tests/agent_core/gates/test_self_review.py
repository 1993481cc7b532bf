"""The review by a model, over a scripted endpoint."""

import os
from pathlib import Path

import pytest

from agent_core.gates import Candidate
from agent_core.gates.result import Finding
from agent_core.gates.self_review import review
from agent_core.model import ChatModel, OpenAIModel
from agent_core.replay_records import CallHalf, ReplaySet
from agent_core.sandbox.confinement import SANDBOX_VARIABLE
from tests.fake_openai import Answer, FakeOpenAI, failure, json_text, text

_needs_socket = pytest.mark.skipif(
    SANDBOX_VARIABLE in os.environ, reason="needs a socket, which a sandbox may deny"
)


def _candidate(
    reviewer: ChatModel | None, diff: str = "+ limit = 60\n+ghp_abcdefghijklmnop0123"
) -> Candidate:
    return Candidate(
        changes=(),
        diff=diff,
        description="Repair the agent",
        patchable=(),
        base_commit="0" * 40,
        base=Path("base"),
        tree=Path("tree"),
        scratch=Path("scratch"),
        cache=Path("cache"),
        test_command=(),
        is_core=True,
        calls=ReplaySet(Path("replay"), CallHalf(), CallHalf()),
        sandbox=None,
        reviewer=reviewer,
    )


@_needs_socket
@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (json_text({"verdict": "approve", "reason": "it  fits"}), Finding("passed", "it fits")),
        (json_text({"verdict": "reject", "reason": "it hides"}), Finding("failed", "it hides")),
        (
            json_text({"verdict": "maybe", "reason": ""}),
            Finding("unscored", "the model's review has no verdict"),
        ),
        (text("looks good"), Finding("unscored", "the model's review cannot be read")),
    ],
    ids=["approved", "rejected", "no verdict", "no JSON"],
)
def test_the_models_verdict_is_the_gates(answer: Answer, finding: Finding) -> None:
    with FakeOpenAI([answer]) as endpoint, OpenAIModel(endpoint.base_url, "fake", "key") as model:
        assert review(_candidate(model)) == finding
        (request,) = endpoint.requests
    assert "+ limit = 60\\n+[secret]" in request["messages"][1]["content"]


@_needs_socket
def test_without_an_answer_nothing_is_judged() -> None:
    with (
        FakeOpenAI([failure(401)]) as endpoint,
        OpenAIModel(endpoint.base_url, "fake", "k") as model,
    ):
        finding = review(_candidate(model))
    assert (finding.status, finding.reason[:26]) == ("unscored", "the model gave no review: ")


def test_without_a_model_nothing_is_judged() -> None:
    assert review(_candidate(None)) == Finding("unscored", "no model")
