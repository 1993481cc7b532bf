"""What a model is sent: the conversation, made to fit, the plan, and what it may call."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from agent_core.model import CallRequest, ModelReply
from agent_core.model_policy import ModelPolicy, TokenLimits
from agent_core.playbook import load_playbooks
from agent_core.session import Tokens
from tests.agent_core.workbench import ScriptedModel, calls, opened, says

LONG = "\n".join(f"line {number} of a long file" for number in range(400))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.txt").write_text(LONG)
    return folder


def test_secrets_do_not_reach_the_model(workspace: Path, tmp_path: Path) -> None:
    key = "ghp_abcdefghijklmnop0123"
    (workspace / "a.txt").write_text(f"use {key}\n")
    model = ScriptedModel(calls("read_file", path="a.txt"), says("Done."))
    opened(workspace, tmp_path / "home", ModelPolicy(model)).send(f"try {key}")
    sent = [message.content for message in model.prompts[-1]]
    assert not any(key in content for content in sent)
    assert "try [secret]" in sent
    assert any("use [secret]" in content for content in sent)


def _unmeasured(reply: ModelReply) -> ModelReply:
    return ModelReply(reply.text, reply.tool_calls, Tokens(), reply.finish_reason)


def test_a_conversation_that_fills_the_window_is_shortened_once(
    workspace: Path, tmp_path: Path
) -> None:
    reads = [_unmeasured(calls("read_file", number=n, path="a.txt")) for n in range(9)]
    model = ScriptedModel(*reads, says("Done."))
    policy = ModelPolicy(model, limits=TokenLimits(context=24_000))
    session = opened(workspace, tmp_path / "home", policy)
    assert session.send("read it all").status == "done"
    sizes = [sum(len(message.content) for message in prompt) for prompt in model.prompts]
    assert max(sizes) < 24_000 * 4
    assert [late < early for early, late in pairwise(sizes)].count(True) == 1
    assert all(prompt[1].content == "read it all" for prompt in model.prompts)
    steps = json.loads((tmp_path / "home/sessions/s1.json").read_text())["steps"]
    (compaction,) = (step for step in steps if step.get("extra", {}).get("event") == "compaction")
    assert compaction["message"].startswith("The conversation was shortened from about ")
    assert steps[compaction["step_id"]]["source"] == "agent"


def test_the_endpoints_own_count_decides_when_it_is_shortened(
    workspace: Path, tmp_path: Path
) -> None:
    """It counts several times as many tokens as were estimated."""
    request = CallRequest("c1", "read_file", '{"path": "a.txt"}')
    counted = ModelReply("", (request,), Tokens(input=14_000, output=10), "tool_calls")
    model = ScriptedModel(counted, says("Done."))
    policy = ModelPolicy(model, limits=TokenLimits(context=16_000))
    opened(workspace, tmp_path / "home", policy).send("read it")
    assert LONG not in [message.content for message in model.prompts[1]]


def test_a_task_ends_where_its_budget_does(workspace: Path, tmp_path: Path) -> None:
    reads = [calls("list_files", number=n) for n in range(9)]
    sent = [
        ModelReply(reply.text, reply.tool_calls, Tokens(input=3_000, output=100), "tool_calls")
        for reply in reads
    ]
    model = ScriptedModel(*sent)
    policy = ModelPolicy(model, limits=TokenLimits(budget=10_000))
    result = opened(workspace, tmp_path / "home", policy).send("go")
    assert (result.status, len(model.prompts), result.steps) == ("budget", 3, 3)
    assert result.text == (
        "Stopped: 9300 tokens are spent, and the next call would exceed the budget of 10000."
    )
    steps = json.loads((tmp_path / "home/sessions/s1.json").read_text())["steps"]
    assert (steps[-1]["source"], steps[-1]["message"], steps[-1]["extra"]) == (
        "system",
        result.text,
        {"event": "budget"},
    )


def test_an_answer_to_a_question_is_paid_from_the_same_budget(
    workspace: Path, tmp_path: Path
) -> None:
    asked = ModelReply(
        "",
        (CallRequest("c1", "request_user_input", '{"question": "Which?"}'),),
        Tokens(6_000, 0, 10),
    )
    policy = ModelPolicy(ScriptedModel(asked), limits=TokenLimits(budget=10_000))
    session = opened(workspace, tmp_path / "home", policy)
    assert session.send("go").status == "asked"
    assert session.send("this one").status == "budget"


def test_what_fits_no_window_is_not_sent(workspace: Path, tmp_path: Path) -> None:
    policy = ModelPolicy(ScriptedModel(), limits=TokenLimits(context=8_000))
    result = opened(workspace, tmp_path / "home", policy).send("word " * 20_000)
    assert (result.status, result.text) == (
        "gave_up",
        "The conversation is too long for a window of 8000 tokens, also when shortened.",
    )


def _plan(*subtasks: tuple[str, str]) -> list[dict[str, str]]:
    return [{"text": text, "status": status} for text, status in subtasks]


def test_a_model_revises_the_plan(workspace: Path, tmp_path: Path) -> None:
    subtasks = [*_plan(("read", "done")), {"text": "list", "tools": ["list_files"]}]
    model = ScriptedModel(
        calls("update_plan", subtasks=subtasks),
        calls("list_files", number=2),
        calls("write_file", number=3, path="b.txt", content="b"),
        says("Done."),
    )
    session = opened(workspace, tmp_path / "home", ModelPolicy(model))
    result = session.send("go")
    assert [(one.text, one.status) for one in result.plan] == [("read", "done"), ("list", "done")]
    assert "[x] read\n[ ] list\n" in model.prompts[1][0].content
    assert "[x] read\n[x] list\n" in model.prompts[2][0].content
    assert model.prompts[1][-1].content == "the plan has 2 subtasks now"
    assert "update_plan" in [tool.name for tool in model.tools]
    # It is no call of a tool: nothing of it is replayed.
    record = json.loads((tmp_path / "home/replay/s1.json").read_text())
    assert [call["tool"] for call in record["calls"]] == ["list_files", "write_file"]


@pytest.mark.parametrize(
    ("subtasks", "problem"),
    [
        pytest.param([], "subtasks", id="empty"),
        pytest.param([{"text": "x", "status": "later"}], "subtasks.0.status", id="status"),
        pytest.param("read, then write", "subtasks", id="text"),
    ],
)
def test_a_plan_that_is_none_is_refused(
    workspace: Path, tmp_path: Path, subtasks: object, problem: str
) -> None:
    model = ScriptedModel(calls("update_plan", subtasks=subtasks), says("Done."))
    result = opened(workspace, tmp_path / "home", ModelPolicy(model)).send("go")
    assert model.prompts[1][-1].content.startswith(f"invalid argument: {problem}: ")
    assert result.plan[-1].text == "get over invalid_arguments in update_plan"


def test_the_playbook_for_a_failure_gives_the_first_plan(workspace: Path, tmp_path: Path) -> None:
    playbook = next(one for one in load_playbooks() if one.front.name == "raise_limit")
    tool, error_class = playbook.front.applies.tools[0], playbook.front.applies.error_classes[0]
    model = ScriptedModel(calls("list_files"), says("Done."))
    policy = ModelPolicy(model, playbooks=[playbook])
    (workspace / "agent_core/tools").mkdir(parents=True)
    session = opened(workspace, tmp_path / "home", policy)
    result = session.send(f"Repair.\n\ntool: {tool}\nerror class: {error_class}", by="system")
    assert [one.text for one in result.plan] == [one.text for one in playbook.front.steps]
    assert f"[ ] {playbook.front.steps[0].text}" in model.prompts[0][0].content
    assert all(playbook.text in prompt[0].content for prompt in model.prompts)


def test_of_several_playbooks_the_plan_is_to_choose(workspace: Path, tmp_path: Path) -> None:
    both = [one for one in load_playbooks() if one.applies_to("run_command", "timeout")][:2]
    model = ScriptedModel(says("Done."), says("Done."))
    policy = ModelPolicy(model, playbooks=both)
    opened(workspace, tmp_path / "elsewhere", policy).send(
        "tool: run_command\nerror class: timeout"
    )
    assert "## Playbooks" not in model.prompts[0][0].content
    (workspace / "agent_core/tools").mkdir(parents=True)
    result = opened(workspace, tmp_path / "home", policy).send(
        "tool: run_command\nerror class: timeout"
    )
    names = ", ".join(one.front.name for one in both)
    assert [one.text for one in result.plan] == [
        f"find out by the recorded calls which playbook fits: {names}",
        "make the change",
        "check the change by running something",
    ]
    assert all(one.text in model.prompts[1][0].content for one in both)


def test_a_question_ends_the_turn_and_the_answer_goes_on_with_the_plan(
    workspace: Path, tmp_path: Path
) -> None:
    model = ScriptedModel(
        calls("read_file", path="a.txt"),
        calls("request_user_input", number=2, question="Which of the two lines?"),
        calls("submit", number=3, summary="Done."),
    )
    session = opened(workspace, tmp_path / "home", ModelPolicy(model))
    asked = session.send("remove the line")
    assert (asked.status, asked.text) == ("asked", "Which of the two lines?")
    assert asked.plan[0].status == "done"
    answered = session.send("the second")
    assert (answered.status, answered.plan[0].status) == ("done", "done")
    assert [message.role for message in model.prompts[2]] == [
        *("system", "user", "assistant", "tool", "assistant", "tool", "user")
    ]


def test_a_program_is_not_asked(workspace: Path, tmp_path: Path) -> None:
    model = ScriptedModel(calls("request_user_input", question="Which?"), says("I took the first."))
    session = opened(workspace, tmp_path / "home", ModelPolicy(model))
    assert session.send("repair", by="system").status == "done"
    assert "request_user_input" not in [tool.name for tool in model.tools]
    assert model.prompts[1][-1].content.startswith("nobody can be asked here")
