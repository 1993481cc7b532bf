"""Whether git sees a patch in the target's branch, and in which releases. Real repositories."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git import Repo

from agent_core.release import PATCHABLE, current_release, tree_hash
from pipelines.merges import Merge, Proposal, changed_paths, find_merge, holders
from pipelines.releases import Releases, sort_releases

pytestmark = pytest.mark.slow

_TOOL = "agent_core/tools/search.toml"
_LINES = [f"line {number}\n" for number in range(20)]


class Clone:
    """A target on branch `main` with a proposal on `signals/task-1`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = Repo.init(folder, initial_branch="main")
        self.git = self.repo.git
        with self.repo.config_writer() as config:
            config.set_value("user", "name", "A Person").set_value("user", "email", "p@example.org")
        base = self.write("first", {_TOOL: "".join(_LINES), "README.md": "about\n"})
        self.git.checkout("-b", "signals/task-1")
        fixed = self.write("a remedy", {_TOOL: "".join(["limit = 9\n", *_LINES[1:]])})
        self.git.checkout("main")
        self.proposal = Proposal(fixed, base, "signals/task-1", (_TOOL,))

    def write(self, message: str, files: dict[str, str]) -> str:
        """Commit the files; the commit's id."""
        for path, text in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            self.git.add(path)
        self.git.commit("-m", message)
        return self.head

    @property
    def head(self) -> str:
        """The checked-out commit."""
        return str(self.repo.head.commit.hexsha)

    def find(self, *, told: bool = False) -> Merge | None:
        """The merge of the proposal."""
        return find_merge(self.folder, self.proposal, told=told)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def _fast_forward(clone: Clone) -> str:
    clone.git.merge("signals/task-1")
    return clone.proposal.commit


def _merge(clone: Clone) -> str:
    clone.write("elsewhere", {"README.md": "more\n"})
    clone.git.merge("--no-ff", "-m", "take it", "signals/task-1")
    return clone.head


def _squash(clone: Clone) -> str:
    """With a change of a file that the patch does not touch, and one above it in its own."""
    clone.write("below", {_TOOL: "".join([*_LINES[:-1], "another end\n"])})
    clone.git.merge("--squash", "signals/task-1")
    return clone.write("squashed", {"README.md": "told\n"})


def _rebase(clone: Clone) -> str:
    clone.write("elsewhere", {"README.md": "more\n"})
    clone.git.cherry_pick(clone.proposal.commit)
    return clone.head


@pytest.mark.parametrize(
    ("take", "found_by"),
    [
        (_fast_forward, "commit"),
        (_merge, "commit"),
        (_squash, "change"),
        (_rebase, "change"),
    ],
    ids=["fast-forward", "merge", "squash", "rebase"],
)
def test_a_merge_is_seen_however_it_was_made(
    clone: Clone, take: Callable[[Clone], str], found_by: str
) -> None:
    taken = take(clone)
    at = clone.repo.commit(taken).committed_datetime
    clone.write("later", {"README.md": "and more\n"})
    assert clone.find() == Merge(taken, at, found_by)  # type: ignore[arg-type]


def test_what_was_not_merged_is_not_seen(clone: Clone) -> None:
    clone.write("another change of the file", {_TOOL: "".join(["limit = 8\n", *_LINES[1:]])})
    assert clone.find() is None


def test_a_patch_merged_with_edits_is_seen_where_a_person_said_so(clone: Clone) -> None:
    edited = clone.write("by hand", {_TOOL: "".join(["limit = 8\n", *_LINES[1:]])})
    found = clone.find(told=True)
    assert found is not None
    assert (found.commit, found.found_by) == (edited, "files")


def test_a_revert_takes_the_patch_out_again_and_its_revert_puts_it_back(clone: Clone) -> None:
    fixed = _fast_forward(clone)
    later = clone.write("later", {"README.md": "more\n"})
    clone.git.revert("--no-edit", fixed)
    without = clone.head
    clone.git.revert("--no-edit", without)
    held = holders(clone.folder, [fixed])
    assert held & {fixed, later, without, clone.head} == {fixed, later, clone.head}


def test_a_release_holds_the_patch_where_its_files_do(clone: Clone) -> None:
    before = current_release(clone.folder)
    fixed = _squash(clone)
    after = current_release(clone.folder)
    clone.write("a prompt", {"agent_core/prompts/system.md": "be kind\n"})
    newer = current_release(clone.folder)
    (clone.folder / _TOOL).write_text("never committed\n", encoding="utf-8")
    dirty = current_release(clone.folder)
    names = {before, after, newer, dirty, "2.1.52"}
    found = sort_releases(clone.folder, [clone.proposal.commit, fixed], names)
    assert found == Releases(having=frozenset({after, newer}), lacking=frozenset({before}))


def test_what_a_revert_went_back_to_does_not_hold_it(clone: Clone) -> None:
    before = current_release(clone.folder)
    fixed = _fast_forward(clone)
    after = current_release(clone.folder)
    clone.git.revert("--no-edit", fixed)
    assert current_release(clone.folder) == before
    found = sort_releases(clone.folder, [fixed], {before, after})
    assert found == Releases(frozenset({after}), frozenset({before}))


def test_a_release_named_by_a_commit_holds_what_the_commit_does(clone: Clone) -> None:
    fixed = _merge(clone)
    names = {clone.proposal.base_commit[:12], fixed[:12], "0123456789ab"}
    found = sort_releases(clone.folder, [clone.proposal.commit, fixed], names)
    assert found == Releases(frozenset({fixed[:12]}), frozenset({clone.proposal.base_commit[:12]}))


def test_the_hash_is_the_one_that_the_core_writes(clone: Clone) -> None:
    clone.write("more", {f"{folder}/{name}": name for folder in PATCHABLE for name in ("b", "a/c")})
    name = f"0.1.0+{tree_hash(clone.folder, PATCHABLE)}"
    assert sort_releases(clone.folder, [clone.head], [name]).having == {name}


def test_the_paths_of_a_diff() -> None:
    diff = "--- a/old name.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n--- /dev/null\n+++ b/new.md\n"
    assert changed_paths(diff) == ("new.md", "old name.md")


def test_the_time_of_a_merge_is_that_of_the_branch(clone: Clone) -> None:
    at = datetime(2026, 9, 1, 12, tzinfo=UTC)
    with clone.repo.git.custom_environment(GIT_COMMITTER_DATE=at.isoformat()):
        _merge(clone)
    found = clone.find()
    assert found is not None
    assert found.merged_at == at
