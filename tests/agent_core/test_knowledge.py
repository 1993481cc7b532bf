"""Lessons of earlier tasks: which are told, and whether a change has failed before."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent_core.change import FileChange, diff_text
from agent_core.knowledge import (
    Cause,
    Edit,
    Lesson,
    Outcome,
    change_key,
    edits_of,
    lesson_rows,
    lessons_in,
    nearest_lessons,
    refused_before,
    told,
)
from agent_core.playbook import load_playbooks
from agent_core.playbook_policy import PlaybookPolicy
from tests.agent_core.workbench import opened

_BEFORE = b"[limits]\n# Tests take long.\ntimeout_seconds = 2\nmemory_mb = 2048\n"
_AFTER = b"[limits]\n# Tests take long.\ntimeout_seconds = 20\nmemory_mb = 2048\n"
_SPEC = "agent_core/tools/run_command.toml"
_DIFF = diff_text([FileChange(_SPEC, _BEFORE, _AFTER)])
_EDIT = Edit(
    _SPEC, "# Tests take long.\ntimeout_seconds = 2\n", "# Tests take long.\ntimeout_seconds = 20\n"
)


def _lesson(
    task_id: str,
    tool: str | None = "run_command",
    error_class: str | None = "timeout",
    *,
    type: str = "error_event",
    outcome: Outcome = "failed",
) -> Lesson:
    key = change_key(edits_of(_DIFF))
    return Lesson(task_id, f"{tool} hurts", type, tool, error_class, "x", outcome, "y", key)


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Near are texts of about one length."""
    angles = np.array([len(text) / 100 for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


_LESSONS = (
    _lesson("a", "search", "no_match"),
    _lesson("b"),
    _lesson("c", "edit_file", "timeout"),
    _lesson("d", None, None, type="correction"),
    _lesson("e"),
)


def test_those_of_the_same_failure_come_first_then_the_nearest() -> None:
    cause = Cause("run_command hurts", "error_event", "run_command", "timeout")
    found = nearest_lessons(cause, _LESSONS, _embed, 4)
    assert [(one.task_id, one.found_by) for one in found] == [
        ("e", "same tool and error class"),
        ("b", "same tool and error class"),
        ("c", "meaning"),
        ("a", "meaning"),
    ]


def test_without_the_model_names_decide_and_that_is_said() -> None:
    cause = Cause("search", "correction", "search", "timeout")
    found = nearest_lessons(cause, _LESSONS, None, 3)
    by_names = "type, tool and error class (no embedding)"
    assert [(one.task_id, one.found_by) for one in found] == [
        ("e", by_names),
        ("c", by_names),
        ("b", by_names),
    ]


def test_a_change_is_known_again_by_its_lines() -> None:
    assert change_key([_EDIT]) == change_key(edits_of(_DIFF)) != ""
    other = _EDIT._replace(new_text="timeout_seconds = 30\n")
    assert change_key([other]) != change_key([_EDIT])
    assert change_key([_EDIT._replace(new_text=_EDIT.old_text)]) == ""


def test_what_was_tried_is_told_without_a_line_of_it() -> None:
    guidance = FileChange("agent_core/prompts/system.md", b"a\nb\n", b"a\nsecret words\nb\n")
    new = FileChange("agent_core/playbooks/new.md", None, b"--- x\n")
    diff = diff_text([FileChange(_SPEC, _BEFORE, _AFTER), guidance, new])
    assert told(edits_of(diff)) == (
        f"{_SPEC}: timeout_seconds from 2 to 20; "
        "agent_core/prompts/system.md: 1 lines added, 0 removed; "
        "agent_core/playbooks/new.md: 1 lines added, 0 removed"
    )


@pytest.mark.parametrize(
    ("outcome", "tool", "is_refused"),
    [
        pytest.param("failed", "run_command", True, id="a gate refused it"),
        pytest.param("rejected", "run_command", True, id="a person rejected it"),
        pytest.param("regressed", "run_command", True, id="it made things worse"),
        pytest.param("unscored", "run_command", False, id="it could not be checked"),
        pytest.param("resolved", "run_command", False, id="it helped"),
        pytest.param("failed", "search", False, id="for another failure"),
    ],
)
def test_a_change_that_failed_for_the_same_failure_is_refused(
    outcome: Outcome, tool: str, is_refused: bool
) -> None:
    file = json.dumps({"task": {}, "earlier": lesson_rows([_lesson("t", outcome=outcome)])})
    found = refused_before([_EDIT], lessons_in(file), tool, "timeout")
    assert (found is not None) == is_refused


@pytest.mark.parametrize("text", ["", "{", "[]", '{"earlier": [1, {"task_id": "t"}]}', '{"a": 1}'])
def test_a_task_file_without_lessons_has_none(text: str) -> None:
    assert lessons_in(text) == ()


_REQUEST = "tool: run_command\nerror class: timeout\n- The file's `earlier` says what was tried."


def _one_playbook() -> PlaybookPolicy:
    return PlaybookPolicy([one for one in load_playbooks() if one.front.name == "raise_limit"])


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("rejected", "gave_up"), ("unscored", "done")],
    ids=["what was rejected is not tried again", "what could not be judged is"],
)
def test_a_playbook_heeds_lessons(tmp_path: Path, outcome: Outcome, status: str) -> None:
    workspace = tmp_path / "workspace"
    spec, task_file = workspace / _SPEC, workspace / ".signals/task.json"
    for file in (spec, task_file):
        file.parent.mkdir(parents=True)
    spec.write_bytes(_BEFORE)
    lesson = _lesson("task-1", outcome=outcome)
    task_file.write_text(json.dumps({"failed_calls": [], "earlier": lesson_rows([lesson])}))
    result = opened(workspace, tmp_path / "home", _one_playbook()).send(_REQUEST, by="system")
    assert result.status == status
    assert (spec.read_bytes() == _BEFORE) == (status == "gave_up")
    if status == "gave_up":
        said = "Nothing was changed: the same change was rejected before, in task-1."
        assert result.text == said
