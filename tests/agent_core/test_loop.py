"""The loop with a scripted model and real tools: what is done, claimed, logged and recorded."""

import hashlib
import json
import stat
from pathlib import Path
from typing import Literal

import pytest

from agent_core.errors import ModelError
from agent_core.model import CallRequest, ModelReply
from agent_core.model_policy import ModelPolicy
from agent_core.policy import Action, AgentState, AgentTurn
from agent_core.recorder import MAX_FILE_BYTES
from tests.agent_core.workbench import RELEASE, ScriptedModel, calls, opened, says


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def logged(home: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((home / "sessions/s1.json").read_text())
    return found


def test_works_until_it_submits(workspace: Path, home: Path) -> None:
    model = ScriptedModel(
        calls("read_file", "I look.", path="a.txt"),
        calls("edit_file", number=2, path="a.txt", old_text="one", new_text="two"),
        calls("submit", number=3, summary="It says two now."),
    )
    result = opened(workspace, home, ModelPolicy(model)).send("make it two")
    assert (result.status, result.text, result.steps) == ("done", "It says two now.", 3)
    assert [subtask.status for subtask in result.plan] == ["done", "done", "open"]
    assert (workspace / "a.txt").read_text() == "two\n"


def test_the_model_sees_the_conversation_and_the_plan(workspace: Path, home: Path) -> None:
    model = ScriptedModel(calls("read_file", path="a.txt"), says("It says one."), says("Bye."))
    session = opened(workspace, home, ModelPolicy(model))
    session.send("what does it say?")
    session.send("thanks")
    last = model.prompts[-1]
    assert [(m.role, m.content) for m in last[1:]] == [
        ("user", "what does it say?"),
        ("assistant", ""),
        ("tool", "one\n"),
        ("assistant", "It says one."),
        ("user", "thanks"),
    ]
    assert last[2].tool_calls == (CallRequest("c1", "read_file", '{"path": "a.txt"}'),)
    assert "[x] understand what is there" in model.prompts[1][0].content
    assert {tool.name for tool in model.tools} >= {"read_file", "edit_file", "submit"}


def test_the_log_is_an_atif_document(workspace: Path, home: Path) -> None:
    model = ScriptedModel(
        calls("edit_file", "Now.", path="a.txt", old_text="1", new_text="2"), says("Could not.")
    )
    opened(workspace, home, ModelPolicy(model)).send("change it")
    document = logged(home)
    steps = document.pop("steps")
    assert document == {
        "schema_version": "ATIF-v1.8",
        "session_id": "s1",
        "agent": {"name": "signals-core", "version": "0.1.0"},
        "extra": {"release": RELEASE, "user": "ana", "project": "demo", "policy": "scripted"},
        "final_metrics": {
            "total_prompt_tokens": 20,
            "total_completion_tokens": 10,
            "total_cached_tokens": 2,
            "total_steps": 3,
        },
    }
    assert isinstance(steps, list)
    (failed,) = steps[1].pop("observation")["results"]
    assert failed.pop("content")
    assert failed["extra"].pop("error_signature")
    assert failed == {
        "source_call_id": "c1",
        "extra": {"is_error": True, "error_class": "no_match"},
    }
    assert steps == [
        {
            "step_id": 1,
            "timestamp": "2026-09-01T09:00:01.000Z",
            "source": "user",
            "message": "change it",
        },
        {
            "step_id": 2,
            "timestamp": "2026-09-01T09:00:02.000Z",
            "source": "agent",
            "message": "Now.",
            "llm_call_count": 1,
            "model_name": "scripted",
            "metrics": {"prompt_tokens": 10, "cached_tokens": 2, "completion_tokens": 5},
            "tool_calls": [
                {
                    "tool_call_id": "c1",
                    "function_name": "edit_file",
                    "arguments": {"path": "a.txt", "old_text": "1", "new_text": "2"},
                }
            ],
            "extra": {
                "plan": [
                    {"text": "understand what is there", "status": "open"},
                    {"text": "make the change", "status": "open"},
                    {"text": "check the change by running something", "status": "open"},
                    {"text": "get over no_match in edit_file", "status": "failed"},
                ]
            },
        },
        {
            "step_id": 3,
            "timestamp": "2026-09-01T09:00:03.000Z",
            "source": "agent",
            "message": "Could not.",
            "llm_call_count": 1,
            "model_name": "scripted",
            "metrics": {"prompt_tokens": 10, "cached_tokens": 0, "completion_tokens": 5},
        },
    ]


def test_calls_are_recorded_with_the_files_they_met(workspace: Path, home: Path) -> None:
    model = ScriptedModel(
        calls("write_file", path="b.txt", content="new"),
        calls("read_file", number=2, path="none"),
        says("Done."),
    )
    opened(workspace, home, ModelPolicy(model)).send("go")
    record = json.loads((home / "replay/s1.json").read_text())
    one, new = (hashlib.sha256(text).hexdigest() for text in (b"one\n", b"new"))
    assert record["session_id"] == "s1"
    assert [
        (c["number"], c["tool"], c["arguments"], c["is_error"], c["error_class"], c["files"])
        for c in record["calls"]
    ] == [
        (1, "write_file", {"path": "b.txt", "content": "new"}, False, None, {"a.txt": one}),
        (2, "read_file", {"path": "none"}, True, "not_found", {"a.txt": one, "b.txt": new}),
    ]
    files = [home / "replay/s1.json", *(home / "replay/blobs").iterdir(), home / "sessions/s1.json"]
    assert {blob.name for blob in files[1:-1]} == {one, new}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_workspace_too_large_to_keep_is_marked(workspace: Path, home: Path) -> None:
    (workspace / "large").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    model = ScriptedModel(calls("read_file", path="a.txt"), says("Done."))
    opened(workspace, home, ModelPolicy(model)).send("go")
    (call,) = json.loads((home / "replay/s1.json").read_text())["calls"]
    assert call["not_replayable"] == f"large is larger than {MAX_FILE_BYTES} bytes"
    assert call["files"] == {}


def test_arguments_that_are_no_json_are_an_observation(workspace: Path, home: Path) -> None:
    broken = ModelReply("", (CallRequest("c1", "read_file", "{path"),))
    session = opened(workspace, home, ModelPolicy(ScriptedModel(broken, says("Sorry."))))
    session.send("go")
    turn = session.state.turns[1]
    assert isinstance(turn, AgentTurn)
    assert [(o.is_error, o.error_class) for o in turn.observations] == [(True, "invalid_arguments")]


@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        pytest.param(says("Done."), "done", "Done.", id="answer"),
        pytest.param(says("", refusal="No."), "gave_up", "No.", id="refusal"),
        pytest.param(says("Half a", finish="length"), "gave_up", "Half a", id="cut off"),
        pytest.param(
            calls("submit", summary="Impossible.", status="gave_up"),
            "gave_up",
            "Impossible.",
            id="gave up",
        ),
    ],
)
def test_how_a_turn_ends(
    workspace: Path, home: Path, reply: ModelReply, status: str, text: str
) -> None:
    result = opened(workspace, home, ModelPolicy(ScriptedModel(reply))).send("go")
    assert (result.status, result.text) == (status, text)


class _Asks:
    """A policy that knows nothing of who gave the task."""

    name = "asks"

    def next_action(self, state: AgentState) -> Action:
        return Action("Which of the two?", ending="asked")


@pytest.mark.parametrize(
    ("by", "status", "text"),
    [
        ("user", "asked", "Which of the two?"),
        ("system", "gave_up", "The task is not clear, and nobody can be asked: Which of the two?"),
    ],
)
def test_a_question_needs_a_person(
    workspace: Path, home: Path, by: Literal["user", "system"], status: str, text: str
) -> None:
    result = opened(workspace, home, _Asks()).send("go", by=by)
    assert (result.status, result.text) == (status, text)


def test_a_submission_that_fails_ends_nothing(workspace: Path, home: Path) -> None:
    model = ScriptedModel(calls("submit"), calls("submit", number=2, summary="Now."))
    result = opened(workspace, home, ModelPolicy(model)).send("go")
    assert (result.status, result.text, result.steps) == ("done", "Now.", 2)


def test_endless_work_is_stopped(workspace: Path, home: Path) -> None:
    model = ScriptedModel(*(calls("list_files", number=i) for i in range(60)))
    result = opened(workspace, home, ModelPolicy(model)).send("go")
    assert (result.status, result.steps) == ("step_limit", 60)


def test_the_watcher_interrupts(workspace: Path, home: Path) -> None:
    def after_two(state: AgentState) -> bool:
        return sum(isinstance(turn, AgentTurn) for turn in state.turns) == 2

    model = ScriptedModel(calls("list_files"), calls("list_files", number=2), says("Fine."))
    session = opened(workspace, home, ModelPolicy(model), watch=after_two)
    assert session.send("go").status == "interrupted"
    assert session.send("answer me").status == "done"
    steps = logged(home)["steps"]
    assert isinstance(steps, list)
    assert [(s["source"], s.get("extra", {}).get("event")) for s in steps] == [
        ("user", None),
        ("agent", None),
        ("agent", None),
        ("user", "interrupt"),
        ("user", None),
        ("agent", None),
    ]


def test_a_model_that_cannot_be_reached_is_logged_and_raised(workspace: Path, home: Path) -> None:
    model = ScriptedModel(ModelError("endpoint x cannot be reached"))
    with pytest.raises(ModelError, match="cannot be reached"):
        opened(workspace, home, ModelPolicy(model)).send("go")
    steps = logged(home)["steps"]
    assert isinstance(steps, list)
    assert steps[-1]["extra"] == {"event": "api_error"}


def test_text_that_json_cannot_hold_does_not_end_the_session(workspace: Path, home: Path) -> None:
    model = ScriptedModel(says("half a character: \ud83d"))
    opened(workspace, home, ModelPolicy(model)).send("go")
    assert "half a character: ?" in (home / "sessions/s1.json").read_text()
