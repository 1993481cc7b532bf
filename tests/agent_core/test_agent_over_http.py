"""The whole agent against a real HTTP endpoint that speaks chat completions."""

import json
import os
from pathlib import Path

import pytest

from agent_core.errors import ModelReplyError
from agent_core.model import OpenAIModel
from agent_core.model_policy import ModelPolicy, TokenLimits
from tests.agent_core.workbench import opened
from tests.fake_openai import Answer, FakeOpenAI, text, tool_calls

pytestmark = pytest.mark.skipif(
    "SIGNALS_SANDBOX" in os.environ, reason="needs a socket, which the sandbox denies"
)


def test_edits_a_file_and_answers(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "a.txt").write_text("one\n")
    edit = '{"path": "a.txt", "old_text": "one", "new_text": "two"}'
    script = [tool_calls(("edit_file", edit), content="I change it."), text("It says two now.")]
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "tiny", max_retries=0) as model,
    ):
        result = opened(workspace, tmp_path / "home", ModelPolicy(model)).send("make it two")
    assert (result.status, result.text) == ("done", "It says two now.")
    assert (workspace / "a.txt").read_text() == "two\n"
    first, second = endpoint.requests
    assert {tool["function"]["name"] for tool in first["tools"]} >= {"edit_file", "submit"}
    assert [message["role"] for message in second["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert second["messages"][3] == {
        "role": "tool",
        "content": "replaced 1 occurrence in a.txt",
        "tool_call_id": "call_1",
    }


_TOO_LONG = "This model's maximum context length is 8192 tokens. Please reduce the messages."


def test_an_endpoint_that_refuses_what_is_too_long_is_sent_less(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "a.txt").write_text("one line of many\n" * 1_900)
    refused = Answer(json.dumps({"error": {"message": _TOO_LONG}}).encode(), 400)
    read = tool_calls(("read_file", '{"path": "a.txt"}'))
    with (
        FakeOpenAI([read, refused, text("It repeats one line.")]) as endpoint,
        OpenAIModel(endpoint.base_url, "tiny", max_retries=0) as model,
    ):
        policy = ModelPolicy(model, limits=TokenLimits(context=100_000))
        result = opened(workspace, tmp_path / "home", policy).send("what does it say?")
    assert (result.status, result.text) == ("done", "It repeats one line.")
    _, long, short = (len(json.dumps(request["messages"])) for request in endpoint.requests)
    assert short < long / 2
    assert endpoint.requests[2]["messages"][1]["content"] == "what does it say?"


def test_any_other_refusal_is_the_models_error(tmp_path: Path) -> None:
    refused = Answer(json.dumps({"error": {"message": "tools are not supported"}}).encode(), 400)
    with (
        FakeOpenAI([refused]) as endpoint,
        OpenAIModel(endpoint.base_url, "tiny", max_retries=0) as model,
        pytest.raises(ModelReplyError, match="refused the request"),
    ):
        opened(tmp_path, tmp_path / "home", ModelPolicy(model)).send("go")
