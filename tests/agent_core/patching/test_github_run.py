"""Patch tasks whose pull requests go to GitHub: run, run again, interrupted, overtaken."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_core.errors import ForgeError
from agent_core.forge import ForgeSettings
from agent_core.gates.scenario_worker import ScriptedPolicy
from agent_core.patching import PatchOutcome, PatchTask, Target, run_patch_task
from agent_core.sandbox import Sandbox
from tests.fake_github import FakeGithub, Fault

pytestmark = pytest.mark.slow

_TOKEN = "ghp_made-up-for-these-tests"
_BRANCH = "signals/task-1"
_PERSON = ("-c", "user.name=Person", "-c", "user.email=person@example.org")


@dataclass
class Runs:
    """Runs of one task on a clone of the repository that the server has."""

    clone: Path
    home: Path
    github: FakeGithub
    sandbox: Sandbox

    def run(self, rule: str) -> PatchOutcome:
        """The task, by an agent that puts that rule into the prompt."""
        edit = {
            "path": "CLAUDE.md",
            "old_text": "- Be quick.",
            "new_text": f"- Be quick.\n- {rule}",
        }
        script = [{"tool": "edit_file", "arguments": edit, "only_after_error": False}]
        settings = ForgeSettings("github", "octo/shop", api_url=self.github.api_url)
        return run_patch_task(
            PatchTask("task-1", "Agents guess", "correction", evidence=("@ada saw *it*",)),
            target=Target(self.clone, ("CLAUDE.md",), (), (), is_core=False, forge=settings),
            home=self.home,
            policy=ScriptedPolicy(script),
            sandbox=self.sandbox,
            salt=b"salt",
            clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            on_state=lambda state, reason: None,
        )

    def git(self, *command: str) -> str:
        """What git says of the clone; what is committed is a person's."""
        argv = ["git", "-C", str(self.clone), *_PERSON, *command]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def person_commits(self, path: str, branch: str) -> None:
        """A person commits to a branch and pushes it."""
        self.git("fetch", "-q", str(self.github.bare), branch)
        self.git("switch", "-q", "--detach", "FETCH_HEAD")
        (self.clone / path).write_text("mine\n")
        self.git("add", path)
        self.git("commit", "-qm", "mine")
        self.git("push", "-q", str(self.github.bare), f"HEAD:{branch}")
        self.git("switch", "-q", "main")


@pytest.fixture
def runs(
    foreign_repo: Path, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runs]:
    bare = tmp_path / "shop.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(foreign_repo), str(bare)], check=True)
    monkeypatch.setenv("GITHUB_TOKEN", _TOKEN)
    with FakeGithub(bare, "octo/shop", _TOKEN) as github:
        yield Runs(foreign_repo, tmp_path / "home", github, sandbox)


def _files_with(text: str, folders: Sequence[Path]) -> list[str]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_reruns_add_to_the_same_pull_request(runs: Runs) -> None:
    first = runs.run("Be exact.")
    assert (first.status, first.pr_path) == ("proposed", f"{runs.github.url}/octo/shop/pull/1")
    (pull,) = runs.github.pulls
    assert pull["draft"] is True
    assert "- @\u200bada saw \\*it\\*" in pull["body"]
    assert "| scope | passed |" in pull["body"]
    assert "+- Be exact." not in pull["body"]
    runs.person_commits("app.py", "main")
    runs.git("pull", "-q", str(runs.github.bare), "main")
    second = runs.run("Be right.")
    assert second.commit_sha == runs.github.git("rev-parse", _BRANCH)
    parents = runs.github.git("show", "-s", "--format=%P", _BRANCH).split()
    assert parents == [first.commit_sha, runs.git("rev-parse", "main")]
    assert runs.github.git("diff", "--name-only", f"main...{_BRANCH}") == "CLAUDE.md"
    assert runs.github.git("show", f"{_BRANCH}:CLAUDE.md").endswith("- Be right.")
    third = runs.run("Be right.")
    assert third.commit_sha == second.commit_sha  # the same patch is no new commit
    assert len(runs.github.pulls) == 1
    assert _files_with(_TOKEN, [runs.home, runs.clone]) == []


def test_what_was_lost_after_the_push_is_gone_on_with(runs: Runs) -> None:
    runs.github.faults += [Fault("POST", "/pulls", status=502)] * 3
    lost = runs.run("Be exact.")
    assert (lost.status, lost.pr_path) == ("failed", None)
    assert lost.reason.startswith("the patch passed, the pull request could not be opened: octo/")
    assert len(lost.gate_results) == 6
    assert runs.github.git("rev-parse", _BRANCH) == lost.commit_sha
    again = runs.run("Be exact.")
    assert (again.status, again.commit_sha) == ("proposed", lost.commit_sha)
    assert len(runs.github.pulls) == 1


def test_a_person_at_the_branch_stops_the_task_before_it_begins(runs: Runs) -> None:
    runs.run("Be exact.")
    sessions = len(list((runs.home / "sessions").iterdir()))
    runs.person_commits("CLAUDE.md", _BRANCH)
    kept = runs.github.git("rev-parse", _BRANCH)
    with pytest.raises(ForgeError, match="of a person: it is left as it is"):
        runs.run("Be right.")
    assert runs.github.git("rev-parse", _BRANCH) == kept
    assert len(list((runs.home / "sessions").iterdir())) == sessions
