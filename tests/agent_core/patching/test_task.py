"""Patch tasks and the texts about them."""

import json

import pytest

from agent_core.change import FileChange
from agent_core.errors import BadInputError
from agent_core.gates import GateResult
from agent_core.patching import PatchOutcome, PatchTask
from agent_core.patching.description import (
    change_lines,
    commit_message,
    pull_request_text,
    request_text,
)
from agent_core.playbook_policy import FailureKind, failure_kind

_TASK = PatchTask(
    task_id="task-1",
    title="run_command: timeout errors hurt sessions",
    type="error_event",
    tool="run_command",
    error_class="timeout",
    error_signatures=("timeout:0123456789ab",),
    evidence=("9 of 20 sessions show it",),
    suspected_cause="the limits of run_command",
    acceptance="recorded calls serve",
    affected_sessions=("s1", "s2"),
)


def test_a_task_survives_json() -> None:
    values = json.loads(json.dumps(_TASK.to_dict()))
    assert PatchTask.from_dict(values | {"unknown": 1}) == _TASK


def test_an_incomplete_task_is_refused() -> None:
    with pytest.raises(BadInputError, match="lacks a field"):
        PatchTask.from_dict({"task_id": "task-1"})


@pytest.mark.parametrize("task_id", ["", "../main", "a b", "-x", "a..b", "x" * 81, "a/b"])
def test_an_id_that_cannot_name_a_branch_is_refused(task_id: str) -> None:
    with pytest.raises(BadInputError, match="cannot name a branch"):
        PatchTask(task_id, "t", "error_event")


def test_the_playbook_policy_finds_the_failure_in_the_request() -> None:
    text = request_text(_TASK, ("agent_core/tools",))
    assert failure_kind(text) == FailureKind("run_command", "timeout")
    assert "- 9 of 20 sessions show it" in text


def test_the_commit_names_the_task() -> None:
    assert commit_message(_TASK) == (
        "run_command: timeout errors hurt sessions\n\n"
        "Suspected cause: the limits of run_command\n\nPatch-Task: task-1\n"
    )


def test_changes_of_a_spec_are_told_by_value() -> None:
    before = b'name = "x"\n[limits]\na = 1\n[errors]\nno_match = "no"\n'
    after = b'name = "x"\n[limits]\na = 60\n[errors]\nno_match = "no {path}"\ntimeout = "late"\n'
    changes = [
        FileChange("tools/x.toml", before, after),
        FileChange("prompts/system.md", b"", b"- Be exact.\n"),
        FileChange("playbooks/new.md", None, b"+++\n"),
    ]
    assert change_lines(changes) == [
        "`tools/x.toml`: errors.no_match reworded",
        "`tools/x.toml`: errors.timeout added",
        "`tools/x.toml`: limits.a from 1 to 60",
        "`prompts/system.md` changed",
        "`playbooks/new.md` added",
    ]


def test_the_pull_request_tells_everything() -> None:
    outcome = PatchOutcome(
        status="proposed",
        reason="",
        session_id="patch-1",
        base_commit="a" * 40,
        branch="signals/task-1",
        commit_sha="b" * 40,
        pr_path=None,
        diff="+```\n+limit = 60\n",
        gate_results=(
            GateResult("scope", "passed", "1 file changed", 0.0),
            GateResult("replay", "unscored", "evidence purged: 2 sessions | gone", 1.25),
        ),
        policy="playbook",
        sandbox="bubblewrap",
    )
    change = FileChange("tools/x.toml", b"[limits]\na = 1\n", b"[limits]\na = 60\n")
    text = pull_request_text(_TASK, outcome, [change])
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        *("Evidence", "Suspected cause", "Change", "Gates", "Risk", "Expected effect")
    ]
    assert "| replay | unscored | evidence purged: 2 sessions \\| gone | 1.2 |" in text
    assert "- The gate replay could not tell: evidence purged: 2 sessions \\| gone." in text
