"""Which releases of the agent hold a patch: told by the commits that they were made from.

A release of the bundled core is named by a hash of its prompts, tools and playbooks: it holds the
patch where a commit with exactly these files does, and no commit without the patch has them (a
patch that was reverted is not in what it was reverted to). A release named by a commit holds what
the commit holds. Any other name, and files that were never committed, say nothing.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from git import Commit, Repo
from git.objects import Blob, Tree

from agent_core.release import PATCHABLE
from agent_core.worktree import open_repository, readable_git_errors
from pipelines.merges import find_commit, holders

_HASH = re.compile(r"\+(?P<hash>[0-9a-f]{12})$")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_MOST_COMMITS = 2000
_IGNORED = "__pycache__"


class Releases(NamedTuple):
    """Names of releases; of those in neither set it is not known."""

    having: frozenset[str]
    lacking: frozenset[str]


def sort_releases(repository: Path, patch_commits: Iterable[str], names: Iterable[str]) -> Releases:
    """Which of the releases hold one of the commits of a patch. Raises TargetError."""
    held = holders(repository, patch_commits)
    repo = open_repository(repository)
    try:
        with readable_git_errors(f"read the releases in {repository}"):
            return _sorted(repo, held, frozenset(names))
    finally:
        repo.close()


def _sorted(repo: Repo, held: frozenset[str], names: frozenset[str]) -> Releases:
    hashes = {name: match["hash"] for name in names if (match := _HASH.search(name))}
    having, lacking = _tree_hashes(repo, held, frozenset(hashes.values()))
    by_commit = {
        name: commit
        for name in names - hashes.keys()
        if _COMMIT.fullmatch(name) and (commit := find_commit(repo.git, name))
    }
    return Releases(
        frozenset(name for name, hash_ in hashes.items() if hash_ in having - lacking)
        | frozenset(name for name, commit in by_commit.items() if commit in held),
        frozenset(name for name, hash_ in hashes.items() if hash_ in lacking)
        | frozenset(name for name, commit in by_commit.items() if commit not in held),
    )


def _tree_hashes(
    repo: Repo, held: frozenset[str], wanted: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Hashes of the commits that hold the patch, and of those that do not."""
    if not wanted:
        return frozenset(), frozenset()
    known: dict[tuple[str | None, ...], str] = {}
    found: tuple[set[str], set[str]] = set(), set()
    commits = repo.git.rev_list(
        "--all", "HEAD", "--full-history", "-n", str(_MOST_COMMITS), "--", *PATCHABLE
    ).split()
    for sha in commits:
        found[0 if sha in held else 1].add(_tree_hash(repo.commit(sha), known))
    return frozenset(found[0]), frozenset(found[1])


def _tree_hash(commit: Commit, known: dict[tuple[str | None, ...], str]) -> str:
    """`agent_core.release.tree_hash` of the commit's files; equal folders are read once."""
    folders = [_folder(commit, path) for path in PATCHABLE]
    key = tuple(None if folder is None else folder.hexsha for folder in folders)
    if key not in known:
        known[key] = _hash_of([folder for folder in folders if folder is not None])
    return known[key]


def _folder(commit: Commit, path: str) -> Tree | None:
    try:
        found = commit.tree / path
    except KeyError:
        return None
    return found if isinstance(found, Tree) else None


def _hash_of(folders: list[Tree]) -> str:
    blobs = {
        str(item.path): item
        for folder in folders
        for item in folder.traverse()
        if isinstance(item, Blob) and _IGNORED not in Path(item.path).parts
    }
    digest = hashlib.sha256()
    for path in sorted(blobs):
        digest.update(path.encode() + b"\0" + blobs[path].data_stream.read() + b"\0")
    return digest.hexdigest()[:12]
