"""A clone with a branch to propose, and the GitHub that it is proposed to."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_core.forge import ForgeSettings, PullRequest
from agent_core.forge.github import GithubForge
from agent_core.worktree import AUTHOR_EMAIL, AUTHOR_NAME
from tests.fake_github import FakeGithub

TOKEN = "ghp_made-up-for-tests"
BRANCH = "signals/task-1"
_PERSON = ("Person", "person@example.org")


def git(folder: Path, *command: str, by: tuple[str, str] = _PERSON) -> str:
    """What git says, with an identity of its own."""
    who = ["-c", f"user.name={by[0]}", "-c", f"user.email={by[1]}"]
    argv = ["git", "-C", str(folder), *who, *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class World:
    """The clone, the server, and the pauses that the forge asked for instead of making them."""

    clone: Path
    github: FakeGithub
    pauses: list[float] = field(default_factory=list)

    def forge(self, token: str = TOKEN, **settings: Any) -> GithubForge:
        """The forge of the clone."""
        given = {"name": "github", "repository": "octo/shop", "api_url": self.github.api_url}
        forge = GithubForge(ForgeSettings(**given | settings), self.clone, token)
        forge.api.sleep = self.pauses.append
        forge.api.now = lambda: 1_000_000.0
        return forge

    @property
    def base(self) -> str:
        """The commit that patches are based on."""
        return git(self.clone, "rev-parse", "main")

    def committed(self, text: str, by: tuple[str, str] = (AUTHOR_NAME, AUTHOR_EMAIL)) -> str:
        """A commit that follows what the branch has, not checked out."""
        branches = git(self.clone, "branch", "--list", BRANCH)
        git(self.clone, "switch", "-q", *([BRANCH] if branches else ["-c", BRANCH]))
        (self.clone / "CLAUDE.md").write_text(text)
        git(self.clone, "commit", "-qam", text, by=by)
        git(self.clone, "switch", "-q", "main")
        return git(self.clone, "rev-parse", BRANCH)

    def request(self, commit: str, text: str = "The text.") -> PullRequest:
        """A proposal of that commit."""
        return PullRequest("task-1", "Be exact", BRANCH, commit, text, "+diff\n")

    def published(self, text: str = "first", **settings: Any) -> int:
        """The number of the pull request of a new commit."""
        number = self.forge(**settings).publish(self.request(self.committed(text), text)).number
        assert number is not None
        return number
