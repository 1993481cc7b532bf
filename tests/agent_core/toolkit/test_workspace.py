"""Nothing outside the workspace is within reach."""

from pathlib import Path

import pytest

from agent_core.toolkit import ToolError, Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("a.py", "sub/b.py", ".git/config", "sub/__pycache__/b.pyc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to(tmp_path)
    return root


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("../secret", "permission", id="parent"),
        pytest.param("/etc/passwd", "permission", id="absolute"),
        pytest.param("link", "permission", id="link to a file"),
        pytest.param("up/secret", "permission", id="link to a folder"),
        pytest.param("sub/../../secret", "permission", id="there and back"),
        pytest.param(".git/config", "permission", id="git"),
        pytest.param("a\0b", "invalid_arguments", id="null byte"),
        pytest.param("none.py", "not_found", id="missing"),
        pytest.param("sub", "invalid_arguments", id="folder"),
    ],
)
def test_refuses(root: Path, path: str, code: str) -> None:
    with pytest.raises(ToolError) as caught:
        Workspace(root).read_text(path, 1000)
    assert caught.value.code == code


def test_writes_are_confined_too(root: Path) -> None:
    for path in ("../new", "up/new", "link"):
        with pytest.raises(ToolError):
            Workspace(root).write_text(path, "x")
    assert (root.parent / "secret").read_text() == "secret"
    assert sorted(p.name for p in root.parent.iterdir()) == ["root", "secret"]


def test_lists_what_is_the_users(root: Path) -> None:
    assert list(Workspace(root).files()) == ["a.py", "sub/b.py"]
    assert Workspace(root).similar("other/b.py") == "sub/b.py"


def test_line_ends_survive(root: Path) -> None:
    Workspace(root).write_text("new/crlf.txt", "a\r\nb\t \n")
    assert (root / "new/crlf.txt").read_bytes() == b"a\r\nb\t \n"
    assert Workspace(root).read_text("new/crlf.txt", 1000) == "a\r\nb\t \n"
