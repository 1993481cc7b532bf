"""Worktrees and branches in real repositories; the user's checkout stays as it is."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git import Repo

from agent_core.errors import TargetError
from agent_core.worktree import checkout, copy_tree, open_repository

_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "target"
    with Repo.init(root, initial_branch="main") as repo:
        (root / "tool.toml").write_text("limit = 1\n")
        (root / "secret").mkdir()
        (root / "secret" / "answer").write_text("42\n")
        repo.git.add(".")
        commit_as_person(root, "begin")
    return root


def commit_as_person(root: Path, message: str) -> None:
    person = ["-c", "user.name=Person", "-c", "user.email=person@example.org"]
    subprocess.run(["git", *person, "commit", "-qam", message], cwd=root, check=True)


def git(root: Path, *command: str) -> str:
    done = subprocess.run(["git", *command], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_patch_becomes_a_commit_on_its_branch_and_nothing_else_moves(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "tool.toml").write_text("limit = 7\n")
    (repository / "notes").write_text("mine\n")
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = (
        git(repository, "status", "--porcelain", "--branch"),
        git(repository, "rev-parse", "HEAD"),
    )
    with checkout(repository, tmp_path / "work") as worktree:
        assert (worktree.folder / "tool.toml").read_text() == "limit = 1\n"
        contents = {"tool.toml": b"limit = 2\n", "new/one": b"1\n"}
        sha = worktree.commit(contents, "Raise it", "signals/t1", _AT)
    after = (
        git(repository, "status", "--porcelain", "--branch"),
        git(repository, "rev-parse", "HEAD"),
    )
    assert after == before
    assert git(repository, "rev-parse", "signals/t1") == sha
    assert git(repository, "rev-parse", "signals/t1^") == before[1]
    shown = git(repository, "show", "--format=%an <%ae> %aI%n%s", "--stat=60", "signals/t1")
    assert shown.splitlines()[:2] == [
        "Signals <signals@localhost> 2026-01-02T03:04:05+00:00",
        "Raise it",
    ]
    assert git(repository, "show", "signals/t1:tool.toml") == "limit = 2"
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert not (tmp_path / "work").exists()


def test_what_a_killed_run_left_is_removed(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    git(repository, "worktree", "add", "--detach", str(folder), "HEAD")
    git(repository, "worktree", "lock", str(folder))
    (folder / "tool.toml").write_text("half a patch")
    with checkout(repository, folder) as worktree:
        assert (worktree.folder / "tool.toml").read_text() == "limit = 1\n"
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    # The folder is gone, git still lists it.
    git(repository, "worktree", "add", "--detach", str(folder), "HEAD")
    (folder / ".git").unlink()
    with checkout(repository, folder) as worktree:
        assert worktree.folder.is_dir()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_an_own_proposal_is_replaced(repository: Path, tmp_path: Path) -> None:
    shas = []
    for value in (b"2", b"3"):
        with checkout(repository, tmp_path / "work") as worktree:
            shas.append(worktree.commit({"tool.toml": value}, "Raise it", "signals/t1", _AT))
    assert git(repository, "rev-parse", "signals/t1") == shas[1]
    assert git(repository, "rev-list", "--count", "main..signals/t1") == "1"


@pytest.mark.slow
def test_a_proposal_that_others_have_seen_is_followed(repository: Path, tmp_path: Path) -> None:
    def commit(value: bytes, onto: str | None) -> str:
        with checkout(repository, tmp_path / "work") as worktree:
            return worktree.commit({"tool.toml": value}, "Raise it", "signals/t1", _AT, onto)

    first = commit(b"2", None)
    assert commit(b"2", first) == first
    second = commit(b"3", first)
    (repository / "secret" / "answer").write_text("43\n")
    commit_as_person(repository, "goes on")
    third = commit(b"4", second)
    assert git(repository, "show", "-s", "--format=%P", second) == first
    assert git(repository, "show", "-s", "--format=%P", third).split() == [
        second,
        git(repository, "rev-parse", "main"),
    ]
    assert git(repository, "diff", "--name-only", "main", third) == "tool.toml"
    git(repository, "merge", "-q", "--ff-only", third)
    merged = commit(b"5", third)  # the task came back after its merge
    assert git(repository, "show", "-s", "--format=%P", merged) == third


def test_a_persons_commit_on_the_branch_is_kept(repository: Path, tmp_path: Path) -> None:
    with checkout(repository, tmp_path / "work") as worktree:
        worktree.commit({"tool.toml": b"2"}, "Raise it", "signals/t1", _AT)
    git(repository, "switch", "-q", "signals/t1")
    with (
        checkout(repository, tmp_path / "work") as worktree,
        pytest.raises(TargetError, match="is checked out"),
    ):
        worktree.commit({"tool.toml": b"3"}, "Raise it", "signals/t1", _AT)
    (repository / "tool.toml").write_text("limit = 9\n")
    commit_as_person(repository, "mine")
    git(repository, "switch", "-q", "main")
    with (
        checkout(repository, tmp_path / "work") as worktree,
        pytest.raises(TargetError, match="of a person"),
    ):
        worktree.commit({"tool.toml": b"3"}, "Raise it", "signals/t1", _AT)
    assert git(repository, "show", "signals/t1:tool.toml") == "limit = 9"


def test_the_agents_copy_has_neither_git_nor_what_is_held_out(
    repository: Path, tmp_path: Path
) -> None:
    copy_tree(repository, tmp_path / "export", left_out=("secret",))
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["tool.toml"]


def test_unusable_targets_are_named_in_one_line(tmp_path: Path) -> None:
    plain, empty, bare = (tmp_path / name for name in ("plain", "empty", "bare"))
    plain.mkdir()
    Repo.init(empty).close()
    Repo.init(bare, bare=True).close()
    messages = []
    for path in (tmp_path / "absent", plain, empty, bare):
        with pytest.raises(TargetError) as error:
            open_repository(path)
        messages.append(str(error.value).replace(f"{tmp_path}/", ""))
    assert messages == [
        "absent does not exist: name the target repository",
        "plain is no git repository: run `git init` or name another",
        "empty has no commit yet: commit the agent's files first",
        "bare is a bare repository: name a clone with a checkout",
    ]
