"""Advice from outside in the loop: where it stands in the log and what the policies make of it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent_core.loop import Advise, AgentResult
from agent_core.model import OpenAIModel
from agent_core.model_policy import ModelPolicy
from agent_core.playbook import load_playbooks
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.session import Step
from tests.agent_core.workbench import ScriptedModel, calls, opened, says
from tests.fake_openai import FakeOpenAI, text, tool_calls


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


def _logged(home: Path) -> list[dict[str, Any]]:
    document: dict[str, list[dict[str, Any]]] = json.loads((home / "sessions/s1.json").read_text())
    return document["steps"]


def test_every_step_is_shown_in_canonical_form(workspace: Path, tmp_path: Path) -> None:
    shown: list[Step] = []

    def look(step: Step) -> None:
        shown.append(step)

    model = ScriptedModel(calls("read_file", "I look.", path="a.txt"), says("It says one."))
    opened(workspace, tmp_path / "home", ModelPolicy(model), advise=look).send("what is it?")
    assert [(s.source_ref, s.source, s.text, s.is_person, len(s.observations)) for s in shown] == [
        ("#/steps/0", "user", "what is it?", True, 0),
        ("#/steps/1", "agent", "I look.", False, 1),
        ("#/steps/2", "agent", "It says one.", False, 0),
    ]
    assert len(_logged(tmp_path / "home")) == 3


def test_advice_is_logged_and_stands_in_the_next_prompts(workspace: Path, tmp_path: Path) -> None:
    model = ScriptedModel(calls("read_file", path="a.txt"), says("It says one."))
    home = tmp_path / "home"
    session = opened(
        workspace,
        home,
        ModelPolicy(model),
        advise=lambda step: "go slowly" if step.observations else None,
    )
    session.send("what is it?")
    assert ["- go slowly" in prompt[0].content for prompt in model.prompts] == [False, True]
    assert [message.role for message in model.prompts[1]] == ["system", "user", "assistant", "tool"]
    advised = [step for step in _logged(home) if step.get("extra", {}).get("event") == "advice"]
    assert [(step["step_id"], step["source"], step["message"]) for step in advised] == [
        (3, "system", "go slowly")
    ]


def test_old_advice_is_let_go(workspace: Path, tmp_path: Path) -> None:
    reads = [calls("read_file", number=n, path="a.txt") for n in range(7)]
    model = ScriptedModel(*reads, says("done"))
    seen: list[Step] = []

    def once(step: Step) -> str | None:
        seen.append(step)
        return "go slowly" if len(seen) == 2 else None

    opened(workspace, tmp_path / "home", ModelPolicy(model), advise=once).send("read")
    assert ["go slowly" in prompt[0].content for prompt in model.prompts] == [
        False,
        *[True] * 6,
        False,
    ]


def _repaired(root: Path, advise: Advise | None) -> tuple[AgentResult, str, int]:
    """The result of a playbook on a tool of its own, what became of the tool, and the advice."""
    tool = root / "workspace" / "agent_core" / "tools" / "run_command.toml"
    tool.parent.mkdir(parents=True)
    tool.write_text("[limits]\ntimeout_seconds = 2\n")
    policy = PlaybookPolicy([one for one in load_playbooks() if one.front.name == "raise_limit"])
    session = opened(root / "workspace", root / "home", policy, advise=advise)
    result = session.send("tool: run_command\nerror class: timeout", by="system")
    events = [step.get("extra", {}).get("event") for step in _logged(root / "home")]
    return result, tool.read_text(), events.count("advice")


def test_a_playbook_goes_on_as_without_advice(tmp_path: Path) -> None:
    result, tool, advised = _repaired(tmp_path / "plain", None)
    assert (result.status, advised) == ("done", 0)
    assert tool != "[limits]\ntimeout_seconds = 2\n"
    again = _repaired(tmp_path / "advised", lambda _: "go slowly")
    assert again[:2] == (result, tool)
    assert again[2] == 5


@pytest.mark.skipif("SIGNALS_SANDBOX" in os.environ, reason="needs a socket")
def test_a_model_is_told_over_http(workspace: Path, tmp_path: Path) -> None:
    read = ("read_file", '{"path": "missing.txt"}')
    script = [tool_calls(read), tool_calls(read), text("I cannot find it.")]
    failures = 0

    def count(step: Step) -> str | None:
        nonlocal failures
        failures += sum(one.is_error for one in step.observations)
        return "take another way" if failures == 2 else None

    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "tiny", max_retries=0) as model,
    ):
        opened(workspace, tmp_path / "home", ModelPolicy(model), advise=count).send("read it")
    systems = [request["messages"][0]["content"] for request in endpoint.requests]
    assert ["take another way" in system for system in systems] == [False, False, True]
