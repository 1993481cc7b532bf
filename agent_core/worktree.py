"""A separate checkout of the target repository, and the commit that a patch becomes.

The user's checkout, index, branch and hooks are left alone: the work is done in a detached
worktree, and the branch is set in one step once there is a commit to point it at. So a killed
run leaves no branch behind, and a proposal made earlier stays until a new one takes its place.

What changes the repository is done by one at a time, among all threads and processes: git's own
locks make the second one fail where it should wait.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from git import Git, GitCommandError, GitCommandNotFound, Repo
from git.exc import InvalidGitRepositoryError, NoSuchPathError

from agent_core.errors import TargetError

AUTHOR_NAME = "Signals"
AUTHOR_EMAIL = "signals@localhost"
BRANCH_PREFIX = "signals/"
_WAIT_SECONDS = 120

# Hooks of the repository are code of others, and signing may ask for a passphrase.
# Nothing that the target's configuration names is run on its behalf.
_OPTIONS = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "gc.auto=0",
]


class Worktree:
    """A detached checkout of one commit of `repo` in `folder`."""

    def __init__(self, repo: Repo, folder: Path, base_commit: str) -> None:
        self.repo = repo
        self.folder = folder
        self.base_commit = base_commit

    def commit(
        self,
        changes: Mapping[str, bytes],
        message: str,
        branch: str,
        at: datetime,
        onto: str | None = None,
    ) -> str:
        """Write the files, commit them and set the branch; the commit's id.

        With `onto` (an earlier proposal that others may have seen) the commit follows that one
        and holds the base too, so that nothing has to be forced over it; where the files are the
        same already, it is `onto` itself. Raises TargetError where a person has committed to the
        branch or has it checked out.
        """
        for path, content in changes.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        with alone_in(self.repo), readable_git_errors("commit the patch"):
            check_branch(self.repo, branch)
            _run(self.folder, "add", "--", *changes)
            _run(self.folder, "commit", "-m", message, "--", *changes, env=_identity(at))
            sha = _run(self.folder, "rev-parse", "HEAD")
            if onto is not None:
                sha = self._following(onto, sha, message, at)
            _run(self.folder, "update-ref", f"refs/heads/{branch}", sha)
        return sha

    def _following(self, earlier: str, sha: str, message: str, at: datetime) -> str:
        """A commit of the same files as `sha` that follows `earlier`."""
        if self._holds(self.base_commit, earlier):
            return sha
        has_base = self._holds(earlier, self.base_commit)
        if has_base and not _run(self.folder, "diff", "--name-only", earlier, sha):
            return earlier
        parents = ["-p", earlier, *([] if has_base else ["-p", self.base_commit])]
        tree = f"{sha}^{{tree}}"
        return _run(self.folder, "commit-tree", tree, *parents, "-m", message, env=_identity(at))

    def _holds(self, tip: str, commit: str) -> bool:
        return bool(self.repo.is_ancestor(self.repo.commit(commit), self.repo.commit(tip)))


@contextmanager
def checkout(repository: Path, folder: Path) -> Iterator[Worktree]:
    """A worktree at the repository's HEAD, removed afterwards; what a killed run left goes first.

    Raises TargetError without git, a repository or a commit. Uncommitted changes of the user
    stay out of it.
    """
    repo = open_repository(repository)
    with readable_git_errors(f"read the last commit of {repository}"):
        base = repo.head.commit.hexsha
    with alone_in(repo), readable_git_errors(f"check out {repository}"):
        discard(repo, folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run(repository, "worktree", "add", "--detach", str(folder), base)
    try:
        yield Worktree(repo, folder, base)
    finally:
        with alone_in(repo):
            discard(repo, folder)
        repo.close()


@contextmanager
def alone_in(repo: Repo) -> Iterator[None]:
    """Hold the repository against other runs of Signals; a kill frees it.

    Raises TargetError where another run holds it for minutes.
    """
    place = Path(repo.common_dir)
    lock = FileLock(place / "signals.lock", timeout=_WAIT_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise TargetError(
            f"{repo.working_dir}: another run has been changing it for {_WAIT_SECONDS} s; "
            "wait for that one to end"
        ) from None
    try:
        # Whoever held one of these was killed: nobody else writes below this name.
        for left in (place / "refs" / "heads" / BRANCH_PREFIX).glob("*.lock"):
            left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def open_repository(path: Path) -> Repo:
    """The repository whose root is `path`; TargetError says what is missing."""
    if shutil.which("git") is None:
        raise TargetError("git is not installed: install it, patches are git branches")
    try:
        repo = Repo(path)
    except NoSuchPathError:
        raise TargetError(f"{path} does not exist: name the target repository") from None
    except InvalidGitRepositoryError:
        raise TargetError(f"{path} is no git repository: run `git init` or name another") from None
    if repo.bare:
        raise TargetError(f"{path} is a bare repository: name a clone with a checkout")
    if not _has_commit(repo):
        raise TargetError(f"{path} has no commit yet: commit the agent's files first")
    return repo


def check_branch(repo: Repo, branch: str) -> None:
    """TargetError where moving the branch would take something from a person."""
    if branch not in {head.name for head in repo.heads}:
        return
    if f"branch refs/heads/{branch}" in repo.git.worktree("list", "--porcelain").splitlines():
        raise TargetError(f"branch {branch} is checked out: switch to another one and run again")
    made_by_us = (AUTHOR_EMAIL, AUTHOR_EMAIL)
    commits = repo.iter_commits(f"HEAD..{branch}")
    # Who amends a commit keeps its author and becomes its committer.
    theirs = next((c for c in commits if (c.author.email, c.committer.email) != made_by_us), None)
    if theirs is not None:
        raise TargetError(
            f"branch {branch} holds the commit {theirs.hexsha[:12]} of a person: merge it or "
            "rename the branch, then run again"
        )


def copy_tree(source: Path, destination: Path, left_out: tuple[str, ...] = ()) -> None:
    """Copy a checkout without `.git` and without the paths `left_out` (relative to its root)."""
    shutil.rmtree(destination, ignore_errors=True)

    def ignored(folder: str, names: list[str]) -> set[str]:
        place = Path(folder).relative_to(source)
        return {n for n in names if n == ".git" or (place / n).as_posix() in left_out}

    shutil.copytree(source, destination, symlinks=True, ignore=ignored)


def discard(repo: Repo, folder: Path) -> None:
    """Remove a worktree in whatever state a killed run left it. The caller is `alone_in` it."""
    root = Path(repo.working_dir)
    with suppress(GitCommandError):
        # Twice: a worktree that was killed while being made is still locked.
        _run(root, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(GitCommandError):
        _run(root, "worktree", "prune")


def _has_commit(repo: Repo) -> bool:
    try:
        return bool(repo.head.commit.hexsha)
    except ValueError:
        return False


def _run(folder: Path, *command: str, env: Mapping[str, str] | None = None) -> str:
    options = [part for option in _OPTIONS for part in ("-c", option)]
    return str(Git(folder).execute(["git", *options, *command], env=env))


def _identity(at: datetime) -> dict[str, str]:
    stamp = at.isoformat()
    return {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", AUTHOR_NAME), ("EMAIL", AUTHOR_EMAIL), ("DATE", stamp))
    }


@contextmanager
def readable_git_errors(action: str) -> Iterator[None]:
    """What git says against `action` comes out as one line, a TargetError."""
    try:
        yield
    except GitCommandNotFound:
        raise TargetError("git is not installed: install it, patches are git branches") from None
    except (GitCommandError, ValueError, OSError) as error:
        text = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise TargetError(
            f"cannot {action}: {text[-1] if text else type(error).__name__}"
        ) from None
