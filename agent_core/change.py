"""What a patch changes: files of a tree against its base, as values and as a diff."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_IGNORED_FOLDERS = frozenset(
    {".git", ".signals", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file; `before` is None where it is new, `after` where it was deleted."""

    path: str
    before: bytes | None
    after: bytes | None
    is_plain: bool = True
    """False where a symbolic link is or was, or the file's permission to execute changed."""


def changes_between(base: Path, changed: Path, left_out: Sequence[str] = ()) -> list[FileChange]:
    """What differs, by path; `left_out` never was in `changed` and is no deletion."""
    before, after = dict(_files(base, left_out)), dict(_files(changed, ()))
    found = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None or new is None or not _is_same(old, new):
            no_link = not any(path is not None and path.is_symlink() for path in (old, new))
            is_plain = no_link and _mode(old, new)
            found.append(FileChange(path, _content(old), _content(new), is_plain))
    return found


def write_change(tree: Path, change: FileChange) -> bool:
    """Write a plain change into `tree`; False where it is none or a link leads elsewhere."""
    target = tree / change.path
    places = [target, *target.parents][: len(Path(change.path).parts)]
    if change.after is None or not change.is_plain or any(p.is_symlink() for p in places):
        return False
    if target.is_dir() or any(place.is_file() for place in places[1:]):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(change.after)
    return True


def diff_text(changes: Sequence[FileChange]) -> str:
    """A unified diff in git's form; binary files are named only."""
    return "".join(_diff(change) for change in changes)


def added_lines(change: FileChange) -> list[str]:
    """The lines that the change adds."""
    lines = difflib.ndiff(_lines(change.before), _lines(change.after))
    return [line[2:] for line in lines if line.startswith("+ ")]


def _files(root: Path, left_out: Sequence[str]) -> Iterator[tuple[str, Path]]:
    pending = [root]
    while pending:
        for entry in pending.pop().iterdir():
            path = entry.relative_to(root).as_posix()
            if entry.name in _IGNORED_FOLDERS or path in left_out:
                continue
            if entry.is_dir() and not entry.is_symlink():
                pending.append(entry)
            else:
                yield path, entry


def _is_same(old: Path, new: Path) -> bool:
    return (
        _content(old) == _content(new) and old.is_symlink() == new.is_symlink() and _mode(old, new)
    )


def _mode(old: Path | None, new: Path | None) -> bool:
    """Whether the permission to execute stays; a new file has none."""
    if new is None:
        return True
    executable = bool(new.lstat().st_mode & 0o100)
    return executable == (old is not None and bool(old.lstat().st_mode & 0o100))


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    if path.is_symlink():
        return str(path.readlink()).encode()
    return path.read_bytes() if path.is_file() else b""


def _diff(change: FileChange) -> str:
    head = f"diff --git a/{change.path} b/{change.path}\n"
    if change.before is None or change.after is None:
        head += f"{'new' if change.before is None else 'deleted'} file mode 100644\n"
    old = "/dev/null" if change.before is None else f"a/{change.path}"
    new = "/dev/null" if change.after is None else f"b/{change.path}"
    if any(b"\0" in content for content in (change.before or b"", change.after or b"")):
        return f"{head}Binary files {old} and {new} differ\n"
    lines = difflib.unified_diff(_lines(change.before), _lines(change.after), old, new)
    return head + "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "replace").splitlines(keepends=True)
