"""What git runs by itself, hooks and configured programs, is after a command as it was before.

A command may write the workspace, and with it a hook that the user's next `git commit` would run
outside of any sandbox.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

# Of a configuration that a command made anew: what names no program and no place.
_HARMLESS = re.compile(
    r"""\s*(?:\[(?:core|user|branch\ "[\w./-]+")\]
    |(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|name
    |email|merge|remote)\s*=[^\\]*)\s*""",
    re.VERBOSE,
)


class _File(NamedTuple):
    mode: int
    content: bytes


@contextmanager
def guarded_git(folders: Sequence[Path]) -> Iterator[None]:
    """Puts hooks and configuration of each folder's repository back when the block ends."""
    before = {folder / ".git": _state(folder / ".git") for folder in folders}
    try:
        yield
    finally:
        for git, state in before.items():
            _restore(git, state)


def _state(git: Path) -> Mapping[Path, _File] | bytes | None:
    """The files that name or are programs; of a `.git` that is a file its content."""
    if git.is_symlink() or not git.exists():
        return None
    if git.is_file():
        return git.read_bytes()
    return {path: _File(path.stat().st_mode & 0o777, path.read_bytes()) for path in _programs(git)}


def _programs(git: Path) -> Iterator[Path]:
    for repository in _repositories(git):
        hooks = repository / "hooks"
        named = [repository / "config", repository / "config.worktree"]
        listed = list(hooks.iterdir()) if hooks.is_dir() and not hooks.is_symlink() else []
        yield from (p for p in (*named, *listed) if p.is_file() and not p.is_symlink())


def _repositories(git: Path) -> list[Path]:
    """The repository itself and those of its submodules."""
    modules = git / "modules"
    inner = [] if modules.is_symlink() else [head.parent for head in modules.rglob("HEAD")]
    return [git, *inner]


def _restore(git: Path, state: Mapping[Path, _File] | bytes | None) -> None:
    if isinstance(state, bytes):
        if git.is_symlink() or not git.is_file() or git.read_bytes() != state:
            with suppress(OSError):
                git.unlink()
                git.write_bytes(state)
        return
    if git.is_symlink() or git.is_file():
        git.unlink()  # it was a folder or nothing: now it would lead to another repository
    if git.is_dir():
        _restore_folder(git, state)


def _restore_folder(git: Path, state: Mapping[Path, _File] | None) -> None:
    for link in list(_links(git)):
        link.unlink()
    for path in list(_programs(git)):
        if path in (state or {}):
            continue
        if state is None and path.name == "config":
            path.write_text(_harmless(path.read_text("utf-8", "replace")), encoding="utf-8")
        elif path.suffix != ".sample":
            path.unlink()
    for path, file in (state or {}).items():
        _put_back(path, file)


def _links(git: Path) -> Iterator[Path]:
    """Links in the place of programs: they lead to files that this must not write to."""
    for repository in _repositories(git):
        hooks = repository / "hooks"
        inside = list(hooks.iterdir()) if hooks.is_dir() and not hooks.is_symlink() else []
        configs = (repository / "config", repository / "config.worktree")
        named = (hooks, *configs, repository / "modules", *inside)
        yield from (path for path in named if path.is_symlink())


def _put_back(path: Path, file: _File) -> None:
    if path.is_file() and path.read_bytes() == file.content:
        path.chmod(file.mode)
    elif path.parent.is_dir() and not path.is_dir():
        path.write_bytes(file.content)
        path.chmod(file.mode)


def _harmless(config: str) -> str:
    return "".join(f"{line}\n" for line in config.splitlines() if _HARMLESS.fullmatch(line))
