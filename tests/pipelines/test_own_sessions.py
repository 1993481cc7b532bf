"""The bundled agent's own sessions, read back as any other log: nothing of the loop is lost."""

import json
from pathlib import Path
from typing import Any

from agent_core.model import CallRequest, ModelReply
from agent_core.model_policy import ModelPolicy, TokenLimits
from agent_core.session import Session, Tokens
from pipelines.sources import read_file
from tests.agent_core.workbench import ScriptedModel, opened, says


def _call(number: int, tool: str, sent: int = 3_000, **arguments: Any) -> ModelReply:
    request = CallRequest(f"c{number}", tool, json.dumps(arguments))
    return ModelReply("", (request,), Tokens(sent, 0, 10), "tool_calls")


def _session(folder: Path, budget: int | None, *replies: ModelReply) -> Session:
    """Two turns of a person with a window that a file of 80,000 characters fills."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    (workspace / "long.txt").write_text("a line of a long file\n" * 1_900)
    policy = ModelPolicy(ScriptedModel(*replies), limits=TokenLimits(16_000, budget))
    session = opened(workspace, folder / "home", policy)
    session.send("mend it")
    session.send("the first one")
    reading = read_file(folder / "home/sessions/s1.json")
    assert (reading.status, reading.format, reading.quarantined) == ("read", "atif", ())
    (found,) = reading.sessions
    return found


def test_plan_question_and_compaction_survive(tmp_path: Path) -> None:
    subtasks = [{"text": "mend the first", "status": "open"}]
    session = _session(
        tmp_path,
        None,
        _call(1, "request_user_input", question="Which of the two?"),
        _call(2, "update_plan", subtasks=subtasks),
        _call(3, "read_file", path="long.txt"),
        _call(4, "read_file", path="none.txt"),
        says("Mended."),
    )
    told = [(s.source, s.is_person, s.event, [c.name for c in s.tool_calls]) for s in session.steps]
    assert told == [
        ("user", True, None, []),
        ("agent", False, None, ["request_user_input"]),
        ("user", True, None, []),
        ("agent", False, None, ["update_plan"]),
        ("agent", False, None, ["read_file"]),
        ("system", False, "compaction", []),
        ("agent", False, None, ["read_file"]),
        ("agent", False, None, []),
    ]
    question, plan = session.steps[1], session.steps[3]
    assert question.text == "Which of the two?"
    assert plan.tool_calls[0].arguments == {"subtasks": subtasks}
    assert session.steps[5].text.startswith("The conversation was shortened from about ")
    assert [one.error_class for one in session.steps[6].observations] == ["not_found"]
    assert sum(s.tokens.input for s in session.steps if s.tokens) == 4 * 3_000 + 10


def test_the_end_of_a_budget_survives(tmp_path: Path) -> None:
    session = _session(
        tmp_path,
        8_000,
        _call(1, "list_files"),
        _call(2, "request_user_input", question="Which?"),
    )
    last = session.steps[-1]
    assert (last.source, last.is_person) == ("system", False)
    assert last.text.startswith("Stopped: 6020 tokens are spent, and the next call would exceed")
