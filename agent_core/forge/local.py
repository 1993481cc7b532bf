"""The forge without a server: a branch in the repository, the text as Markdown in the home."""

from pathlib import Path

from git import GitCommandError, Repo

from agent_core.forge.request import ForgeStatus, Published, PullRequest
from agent_core.markdown import escaped, fenced
from agent_core.private_files import write_private


class LocalForge:
    """Pull requests as files, `<folder>/<task id>.md`."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self._folder = folder
        self._repository = repository

    def tip(self, branch: str, base_commit: str) -> str | None:
        """None: the worktree keeps a person's commits, and an own branch is set anew."""
        return None

    def publish(self, request: PullRequest) -> Published:
        """Write the text whole or not at all; only the owner may read it."""
        path = self._folder / f"{request.task_id}.md"
        lines = [f"# {escaped(request.title)}", "", request.text, "", "## Diff", ""]
        text = "\n".join([*lines, *fenced(request.diff, "diff"), ""])
        write_private(path, text.encode("utf-8", "replace"))
        return Published(str(path))

    def status(self, branch: str) -> ForgeStatus:
        """Merged where the checked-out branch holds it; what was squashed is not recognised."""
        with Repo(self._repository) as repo:
            if branch not in {head.name for head in repo.heads}:
                return ForgeStatus("none")
            try:
                repo.git.merge_base("--is-ancestor", branch, "HEAD")
            except GitCommandError:
                return ForgeStatus("open")
            return ForgeStatus("merged")
