"""What a model is sent when the conversation grows."""

from pathlib import Path

from agent_core.model import ChatMessage
from agent_core.model_policy import ModelPolicy, compacted
from tests.agent_core.workbench import ScriptedModel, calls, opened, says

LONG = "x" * 1000
NOTE = "[1000 characters of an earlier result left out; call the tool again if needed]"


def test_the_oldest_results_are_left_out_first() -> None:
    messages = [ChatMessage("user", "task")]
    messages += [ChatMessage("tool", LONG, call_id=str(n)) for n in range(8)]
    kept = compacted(messages, 7500)
    assert [message.content for message in kept] == ["task", NOTE, *[LONG] * 7]
    assert [message.call_id for message in kept] == [message.call_id for message in messages]


def test_the_last_messages_stay_whole_whatever_their_length() -> None:
    messages = [ChatMessage("tool", LONG, call_id=str(n)) for n in range(8)]
    assert [m.content for m in compacted(messages, 10)] == [NOTE, NOTE, *[LONG] * 6]


def test_secrets_do_not_reach_the_model(tmp_path: Path) -> None:
    key = "ghp_abcdefghijklmnop0123"
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "a.txt").write_text(f"use {key}\n")
    model = ScriptedModel(calls("read_file", path="a.txt"), says("Done."))
    opened(workspace, tmp_path / "home", ModelPolicy(model)).send(f"try {key}")
    sent = [message.content for message in model.prompts[-1]]
    assert not any(key in content for content in sent)
    assert "try [secret]" in sent
    assert any("use [secret]" in content for content in sent)
