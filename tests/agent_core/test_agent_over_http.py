"""The whole agent against a real HTTP endpoint that speaks chat completions."""

import os
from pathlib import Path

import pytest

from agent_core.model import OpenAIModel
from agent_core.model_policy import ModelPolicy
from tests.agent_core.workbench import opened
from tests.fake_openai import FakeOpenAI, text, tool_calls

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
