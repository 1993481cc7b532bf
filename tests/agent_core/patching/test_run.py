"""A patch task from the agent's copy to the pull request, on a small foreign repository."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ConfigError, TargetError
from agent_core.forge import ForgeSettings
from agent_core.gates.scenario_worker import ScriptedPolicy
from agent_core.knowledge import Lesson
from agent_core.patching import PatchOutcome, PatchTask, Target, bundled_target, run_patch_task
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.policy import Policy
from agent_core.sandbox import Sandbox

_TASK = PatchTask("task-1", "Agents guess instead of reading", "correction")
_TESTS = ("python", "-c", "import app; assert 'Be' in open('CLAUDE.md').read()")
_QUOTED = "In /home/ann/notes.md the user wrote: my password is zebra-quokka-7781."
_RULE = {"path": "CLAUDE.md", "old_text": "- Be quick.", "new_text": "- Be exact.\n- Be quick."}


@dataclass
class Attempt:
    """Runs attempts on one repository and keeps the states they report."""

    repo: Path
    home: Path
    states: list[str] = field(default_factory=list)

    def run(
        self, actions: Sequence[tuple[str, dict[str, Any]]], sandbox: Sandbox | None, **target: Any
    ) -> PatchOutcome:
        script = [
            {"tool": tool, "arguments": arguments, "only_after_error": False}
            for tool, arguments in actions
        ]
        return self.driven_by(ScriptedPolicy(script), sandbox, **target)

    def driven_by(self, policy: Policy, sandbox: Sandbox | None, **target: Any) -> PatchOutcome:
        lessons = target.pop("lessons", ())
        settings = {"patchable": ("CLAUDE.md",), "test_command": _TESTS} | target
        return run_patch_task(
            _TASK,
            target=Target(self.repo, held_out=("answers",), is_core=False, **settings),
            home=self.home,
            policy=policy,
            sandbox=sandbox,
            salt=b"salt",
            clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            on_state=lambda state, reason: self.states.append(state),
            lessons=lessons,
        )

    def git(self, *command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=self.repo, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


@pytest.fixture
def attempt(foreign_repo: Path, tmp_path: Path) -> Attempt:
    return Attempt(foreign_repo, tmp_path / "home")


def test_a_patch_that_passes_waits_as_a_pull_request(attempt: Attempt, sandbox: Sandbox) -> None:
    (attempt.repo / "app.py").write_text("x = 'work of the user'\n")
    outcome = attempt.run([("edit_file", _RULE)], sandbox)
    assert [(gate.gate, gate.status) for gate in outcome.gate_results] == [
        ("scope", "passed"),
        ("style", "unscored"),
        ("unit tests", "passed"),
        ("replay", "unscored"),
        ("scenarios", "unscored"),
        ("self-review", "unscored"),
    ]
    assert (outcome.status, outcome.reason) == (
        "proposed",
        "branch signals/task-1 waits for a person",
    )
    assert attempt.states == ["planned", "patching", "verifying", "proposed"]
    assert outcome.commit_sha == attempt.git("rev-parse", "signals/task-1")
    assert outcome.base_commit == attempt.git("rev-parse", "main")
    assert attempt.git("show", "signals/task-1:CLAUDE.md").endswith("- Be exact.\n- Be quick.")
    assert attempt.git("status", "--porcelain", "--branch") == "## main\n M app.py"
    assert outcome.pr_path == str(attempt.home / "pull_requests" / "task-1.md")
    assert "+- Be exact." in Path(outcome.pr_path).read_text()
    log = json.loads((attempt.home / "sessions" / f"{outcome.session_id}.json").read_text())
    assert log["steps"][0]["message"].startswith("Repair the agent: Agents guess")
    assert list((attempt.home / "work" / "task-1").iterdir()) == []


def test_a_second_attempt_takes_the_place_of_the_first(attempt: Attempt, sandbox: Sandbox) -> None:
    first = attempt.run([("edit_file", _RULE)], sandbox)
    second = attempt.run([("edit_file", _RULE | {"new_text": "- Be right."})], sandbox)
    assert second.commit_sha != first.commit_sha
    assert attempt.git("branch", "--format=%(refname:short)").split() == ["main", "signals/task-1"]
    assert attempt.git("rev-list", "--count", "main..signals/task-1") == "1"
    assert second.pr_path is not None
    assert "+- Be right." in Path(second.pr_path).read_text()
    assert list((attempt.home / "pull_requests").iterdir()) == [Path(second.pr_path)]


@pytest.mark.parametrize(
    ("actions", "reason"),
    [
        (
            [("edit_file", _RULE), ("write_file", {"path": "app.py", "content": "x = 2\n"})],
            "the gate scope failed",
        ),
        (
            [("write_file", {"path": "CLAUDE.md", "content": "# Rules\n- Do well.\n"})],
            "the gate unit tests failed",
        ),
        ([], "the agent ended with done, nothing was changed"),
        (
            [("edit_file", _RULE), ("submit", {"summary": _QUOTED, "status": "gave_up"})],
            "the agent ended with gave_up",
        ),
    ],
    ids=["out of bounds", "tests fail", "no change", "gave up"],
)
def test_a_patch_that_fails_leaves_no_branch(
    attempt: Attempt,
    sandbox: Sandbox,
    actions: Sequence[tuple[str, dict[str, Any]]],
    reason: str,
) -> None:
    outcome = attempt.run(actions, sandbox)
    assert (outcome.status, outcome.reason) == ("failed", reason)
    assert (outcome.branch, outcome.commit_sha, outcome.pr_path) == (None, None, None)
    assert attempt.states[-1] == "failed"
    assert attempt.git("branch", "--format=%(refname:short)") == "main"
    assert attempt.git("worktree", "list").count("\n") == 0


@pytest.mark.slow
def test_without_a_model_a_foreign_prompt_gets_a_rule(attempt: Attempt, sandbox: Sandbox) -> None:
    outcome = attempt.driven_by(PlaybookPolicy(), sandbox)
    assert outcome.status == "proposed", outcome.reason
    rule = "- When the user corrects the work, go through the whole request again"
    added = [
        line for line in outcome.diff.splitlines() if line.startswith("+") and line[1:2] != "+"
    ]
    assert added[:-1] == ["+", "+## Understanding"]
    assert added[-1].startswith(f"+{rule}")


def test_the_playbooks_own_words_are_the_reason(attempt: Attempt) -> None:
    outcome = attempt.driven_by(PlaybookPolicy(), None, patchable=("app.py",))
    assert (outcome.status, outcome.reason) == (
        "failed",
        "the agent ended with gave_up: "
        "Nothing was changed: no Markdown file is among those that may be changed.",
    )


def test_lessons_reach_the_agent_as_data(attempt: Attempt) -> None:
    lesson = Lesson("task-0", "Edit fails", "correction", None, None, "CLAUDE.md", "rejected", "no")
    outcome = attempt.run([("read_file", {"path": ".signals/task.json"})], None, lessons=(lesson,))
    log = json.loads((attempt.home / "sessions" / f"{outcome.session_id}.json").read_text())
    assert "Its `earlier` says what was tried" in log["steps"][0]["message"]
    read = json.dumps(log["steps"])
    assert '\\"earlier\\": [' in read
    assert '\\"outcome\\": \\"rejected\\"' in read


def test_without_a_sandbox_there_is_a_patch_and_a_reason(attempt: Attempt) -> None:
    outcome = attempt.run([("edit_file", _RULE)], None)
    assert outcome.status == "unscored"
    assert outcome.reason.startswith("unit tests: no sandbox works on this machine")
    assert "+- Be exact." in outcome.diff
    assert (outcome.branch, outcome.sandbox) == (None, None)


def test_the_agent_sees_neither_git_nor_what_is_held_out(attempt: Attempt) -> None:
    outcome = attempt.run(
        [
            ("list_files", {}),
            ("read_file", {"path": "answers/key"}),
            ("read_file", {"path": ".git/config"}),
            ("read_file", {"path": ".signals/task.json"}),
        ],
        None,
    )
    log = json.loads((attempt.home / "sessions" / f"{outcome.session_id}.json").read_text())
    results = [
        result
        for step in log["steps"]
        for result in step.get("observation", {"results": []})["results"]
    ]
    assert results[0]["content"].split() == ["CLAUDE.md", "app.py", ".signals/task.json"]
    assert [one["extra"].get("error_class") for one in results[1:3]] == ["not_found", "permission"]
    assert '"title": "Agents guess instead of reading"' in results[3]["content"]


def test_what_cannot_begin_says_so(attempt: Attempt, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='forge "hub"'):
        attempt.run([], None, forge=ForgeSettings("hub"))
    with pytest.raises(TargetError, match="is no git repository"):
        bundled_target(tmp_path)
    assert attempt.states == []
