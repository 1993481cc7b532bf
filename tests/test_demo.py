"""The whole loop, as `make demo` runs it: from sample sessions to pull requests."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from git import Repo

pytestmark = pytest.mark.slow


def _demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the demo ran twice."""
    home = tmp_path_factory.mktemp("demo") / "home"
    for _ in range(2):
        done = _demo(home, "demo")
        assert done.returncode == 0, done.stdout + done.stderr
    return home


def _json(home: Path, *arguments: str) -> Any:
    done = _demo(home, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_both_planted_defects_end_as_pull_requests(demo_home: Path) -> None:
    tasks = {row["task_id"]: _json(demo_home, "tasks", "show", row["task_id"])
             for row in _json(demo_home, "tasks", "list")}  # fmt: skip
    assert sorted(
        (task["tool"], task["error_class"], task["state"]) for task in tasks.values()
    ) == [
        ("edit_file", "no_match", "proposed"),
        ("run_command", "timeout", "proposed"),
    ]
    for task in tasks.values():
        assert [move["to"] for move in task["transitions"]] == [
            "open", "planned", "patching", "verifying", "proposed",
        ]  # fmt: skip
        gates = {gate["gate"]: gate["status"] for gate in task["gates"]}
        assert gates == {
            "scope": "passed",
            "style": "passed",
            "unit tests": "passed",
            "replay": "passed",
            "scenarios": "passed",
            "self-review": "unscored",
        }


def test_each_branch_holds_one_commit_that_touches_tools_only(demo_home: Path) -> None:
    target = Repo(demo_home / "target")
    branches = [head for head in target.heads if head.name.startswith("signals/")]
    assert len(branches) == 2
    for branch in branches:
        ahead = list(target.iter_commits(f"{target.active_branch.name}..{branch.name}"))
        assert len(ahead) == 1
        assert all(str(path).startswith("agent_core/") for path in ahead[0].stats.files)
    assert not target.is_dirty(untracked_files=True)


def test_the_second_demo_did_nothing_twice(demo_home: Path) -> None:
    attempts = [
        attempt
        for row in _json(demo_home, "tasks", "list")
        for attempt in _json(demo_home, "tasks", "show", row["task_id"])["attempts"]
    ]
    assert len(attempts) == 2
    third = _demo(demo_home, "demo")
    assert "Nothing new" in third.stdout


def test_the_sessions_in_which_the_core_patched_were_ingested(demo_home: Path) -> None:
    done = _demo(demo_home, "export", "sessions")
    sessions = [json.loads(line) for line in done.stdout.splitlines()]
    patching = [row for row in sessions if row["session_id"].startswith("patch-")]
    assert [row["status"] for row in patching] == ["judged", "judged"]


def test_the_users_clone_is_untouched(demo_home: Path, repository: Path) -> None:
    assert not [head for head in Repo(repository).heads if head.name.startswith("signals/")]
    assert demo_home.exists()


def test_a_home_in_use_for_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = _demo(tmp_path, "demo", "--fresh")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
