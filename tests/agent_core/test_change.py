"""What differs between two trees, as values and as a diff that git can apply."""

import subprocess
from pathlib import Path

import pytest

from agent_core.change import FileChange, changes_between, diff_text, write_change


def _tree(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_changes_are_found_by_path(tmp_path: Path) -> None:
    base = _tree(
        tmp_path / "base",
        {"same": "1", "changed": "a\n", "gone": "x", "hidden/answer": "42", "run.sh": "ls\n"},
    )
    patched = _tree(
        tmp_path / "patched",
        {
            "same": "1",
            "changed": "b\n",
            "new/file": "n",
            ".signals/task.json": "{}",
            "__pycache__/x.pyc": "",
            "run.sh": "ls\n",
        },
    )
    (patched / "run.sh").chmod(0o755)
    (patched / "link").symlink_to("/etc/passwd")
    assert changes_between(base, patched, left_out=("hidden",)) == [
        FileChange("changed", b"a\n", b"b\n"),
        FileChange("gone", b"x", None),
        FileChange("link", None, b"/etc/passwd", is_plain=False),
        FileChange("new/file", None, b"n"),
        FileChange("run.sh", b"ls\n", b"ls\n", is_plain=False),
    ]


def test_git_applies_the_diff(tmp_path: Path) -> None:
    before = {"a.toml": "x = 1\ny = 2\nz = 3", "b.md": "one\n"}
    base = _tree(tmp_path / "base", before)
    patched = _tree(tmp_path / "patched", {"a.toml": "x = 1\ny = 9\nz = 3\n", "c/new": "n\n"})
    diff = diff_text(changes_between(base, patched))
    subprocess.run(["git", "apply"], cwd=base, input=diff.encode(), check=True)
    assert changes_between(base, patched) == []


def test_a_binary_file_is_named_only() -> None:
    diff = diff_text([FileChange("x.bin", b"\0\1", b"\0\2")])
    assert diff == "diff --git a/x.bin b/x.bin\nBinary files a/x.bin and b/x.bin differ\n"


def test_a_plain_change_is_written(tmp_path: Path) -> None:
    assert write_change(tmp_path, FileChange("a/b.txt", None, b"new"))
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"new"


@pytest.mark.parametrize("path", ["link.md", "folder/inner.md", "file/inner.md", "real"])
def test_nothing_is_written_through_a_link_or_over_another_kind(tmp_path: Path, path: str) -> None:
    outside = _tree(tmp_path / "outside", {"inner.md": "mine", "own.md": "mine"})
    tree = _tree(tmp_path / "tree", {"file": "x", "real/y": "y"})
    (tree / "link.md").symlink_to(outside / "own.md")
    (tree / "folder").symlink_to(outside)
    assert not write_change(tree, FileChange(path, b"", b"overwritten"))
    assert {file.read_text() for file in outside.iterdir()} == {"mine"}


def test_what_was_a_link_is_no_plain_change(tmp_path: Path) -> None:
    base, patched = tmp_path / "base", tmp_path / "patched"
    base.mkdir()
    (base / "CLAUDE.md").symlink_to("/etc/hostname")
    _tree(patched, {"CLAUDE.md": "mine now"})
    (change,) = changes_between(base, patched)
    assert not change.is_plain
