"""Whether a proposed patch is in the target's branch, and which releases hold it. By git alone.

A person may merge without telling. The patch is in the branch where (1) its commit is an ancestor,
(2) a commit since its base makes the same change to its files, whatever else it does (a squash or
a rebase; by `git patch-id`), or (3), only where a person said that it was merged, a commit since
its base changed all of its files (merged with edits). Nothing is fetched: a clone that was not
pulled does not know.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from git import Git, GitCommandError

from agent_core.worktree import readable_git_errors

_MOST_COMMITS = 2000
_PLUMBING = ("--no-ext-diff", "--no-textconv", "--no-color", "--full-index")
_NEW_FILE = re.compile(r"^(?:\+\+\+ b|--- a)/(.+?)\t?$", re.MULTILINE)


class Proposal(NamedTuple):
    """What was put before a person."""

    commit: str
    base_commit: str
    branch: str
    paths: tuple[str, ...]
    """That the patch changes."""


class Merge(NamedTuple):
    """Where the branch took the patch in."""

    commit: str
    merged_at: datetime
    found_by: Literal["commit", "change", "files"]


def changed_paths(diff: str) -> tuple[str, ...]:
    """The paths that a unified diff in git's form changes, sorted."""
    return tuple(sorted(set(_NEW_FILE.findall(diff))))


def find_merge(repository: Path, proposal: Proposal, *, told: bool) -> Merge | None:
    """Where the checked-out branch took the proposal in; None: git does not see that it did.

    `told`: a person said so. Raises TargetError where git fails.
    """
    git = Git(repository)
    with readable_git_errors(f"look for {proposal.branch} in {repository}"):
        for found_by, commit in (
            ("commit", _as_ancestor(git, proposal)),
            ("change", _as_same_change(git, proposal)),
            ("files", _as_same_files(git, proposal) if told else None),
        ):
            if commit is not None:
                return Merge(commit, _committed_at(git, commit), found_by)  # type: ignore[arg-type]
    return None


def _as_ancestor(git: Git, proposal: Proposal) -> str | None:
    """The commit of the branch itself from which on the proposal is in it."""
    if not _is_ancestor(git, proposal.commit, "HEAD"):
        return None
    own = set(_lines(git, "rev-list", "--first-parent", f"{proposal.base_commit}..HEAD"))
    if proposal.commit in own:
        return proposal.commit
    later = _lines(git, "rev-list", "--ancestry-path", "--topo-order", f"{proposal.commit}..HEAD")
    return next((commit for commit in reversed(later) if commit in own), proposal.commit)


def _as_same_change(git: Git, proposal: Proposal) -> str | None:
    """The earliest commit since the base whose change to the files is the proposal's."""
    if not _is_ancestor(git, proposal.base_commit, "HEAD"):
        return None
    wanted = {
        change
        for tip in (proposal.commit, proposal.branch)
        if find_commit(git, tip)
        for change, _ in _changes(git, proposal, "diff", proposal.base_commit, tip)
    }
    since = f"{proposal.base_commit}..HEAD"
    log = ("log", "-p", "--reverse", "--no-merges", "-n", str(_MOST_COMMITS), since)
    made = _changes(git, proposal, *log)
    return next((commit for change, commit in made if change in wanted), None)


def _changes(git: Git, proposal: Proposal, *command: str) -> list[tuple[str, str]]:
    """(patch id, commit) of what the command shows of the proposal's files."""
    with tempfile.TemporaryFile() as shown:
        git.execute(
            ["git", command[0], *_PLUMBING, *command[1:], "--", *proposal.paths],
            output_stream=shown,
        )
        shown.seek(0)
        found = str(git.execute(["git", "patch-id", "--stable"], istream=shown))
    return [(line.split()[0], line.split()[1]) for line in found.splitlines()]


def _as_same_files(git: Git, proposal: Proposal) -> str | None:
    """The earliest commit of the branch since the base that changed all of the files."""
    if not proposal.paths or not _is_ancestor(git, proposal.base_commit, "HEAD"):
        return None
    since = ("rev-list", "--first-parent", f"{proposal.base_commit}..HEAD", "--")
    touching = [_lines(git, *since, path) for path in proposal.paths]
    common = set.intersection(*map(set, touching))
    return next((commit for commit in reversed(touching[0]) if commit in common), None)


def holders(repository: Path, commits: Iterable[str]) -> frozenset[str]:
    """Every commit known to the repository that holds one of `commits`, reverts considered.

    Raises TargetError where git fails.
    """
    git = Git(repository)
    with readable_git_errors(f"read the history of {repository}"):
        return _holders(git, frozenset(commits))


def _holders(git: Git, roots: frozenset[str]) -> frozenset[str]:
    """The roots and their descendants, without the holders of what reverts a root."""
    present = {root for root in roots if find_commit(git, root)}
    held = set(present)
    for root in present:
        held |= set(_lines(git, "rev-list", "--ancestry-path", "--all", "HEAD", f"^{root}"))
    reverting = {
        commit
        for root in present
        for commit in _lines(
            git, "rev-list", "--all", "HEAD", f"^{root}", f"--grep=This reverts commit {root}"
        )
    }
    if reverting:
        held -= _holders(git, frozenset(reverting))
    return frozenset(held)


def _is_ancestor(git: Git, commit: str, of: str) -> bool:
    try:
        git.execute(["git", "merge-base", "--is-ancestor", commit, of])
    except GitCommandError:
        return False
    return True


def find_commit(git: Git, name: str) -> str | None:
    """The id of the commit that the name stands for; None: there is none."""
    try:
        return str(git.execute(["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]))
    except GitCommandError:
        return None


def _committed_at(git: Git, commit: str) -> datetime:
    return datetime.fromisoformat(_lines(git, "show", "-s", "--format=%cI", commit)[0])


def _lines(git: Git, *command: str) -> Sequence[str]:
    return str(git.execute(["git", *command])).splitlines()
