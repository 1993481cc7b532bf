"""Which files there are at and below some paths, and what the disk says of each."""

import errno
import os
import stat
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent_core.errors import BadInputError

_SHOWN_PATH = 200


class Listed(NamedTuple):
    """A file as the disk lists it; nothing of it has been read."""

    path: str
    """Absolute."""
    size: int
    """In bytes; -1 for what cannot be looked at."""
    mtime_ns: int
    """Time of its last change; -1 for what cannot be looked at."""


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The paths of `list_files`."""
    return [Path(listed.path) for listed in list_files(paths)]


def list_files(paths: Sequence[Path]) -> list[Listed]:
    """Every regular file at or below the paths, hidden folders included, sorted by path.

    A folder that cannot be entered, and a link that leads back to where it is or to itself, come
    as themselves, so that they are listed as unreadable. A file that several paths or links lead
    to comes once; one that goes away meanwhile does not come. BadInputError for a path that does
    not exist or cannot be one.
    """
    found: dict[Hashable, Listed] = {}
    for path in paths:
        _check_exists(path)
        # One name for a path however it is spelled: a file without an id is known by it.
        for name in sorted(_walk(os.path.realpath(path))):
            if seen := _look(name):
                found.setdefault(*seen)
    return sorted(found.values())


def folder_fault(path: Path) -> str | None:
    """Why a folder came as itself; None for a file."""
    if not path.is_dir():
        return None
    return (
        "a folder that cannot be entered"
        if _is_closed(os.fspath(path))
        else "a link back to its own folder"
    )


def _check_exists(path: Path) -> None:
    shown = str(path).encode("utf-8", "backslashreplace").decode()
    shown = shown if len(shown) <= _SHOWN_PATH else f"{shown[:_SHOWN_PATH]}..."
    try:
        exists = path.exists()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise BadInputError(f"{shown}: {reason}; check the path") from error
    if not exists:
        raise BadInputError(f"no such file or folder: {shown}; check the path")


def _look(name: str) -> tuple[Hashable, Listed] | None:
    """What tells a regular file from others, and the file; None for anything else."""
    try:
        status = os.stat(name)  # noqa: PTH116 - a Path for each of 100,000 files takes a second
    except OSError as error:
        # Listed, so that it is not lost without a word; what is gone is left out.
        is_there = error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP)
        return (name, Listed(name, -1, -1)) if is_there else None
    if stat.S_ISDIR(status.st_mode):
        is_odd = Path(name).is_symlink() or _is_closed(name)
        return (name, Listed(name, -1, -1)) if is_odd else None
    if not stat.S_ISREG(status.st_mode):
        return None
    return (status.st_dev, status.st_ino), Listed(name, status.st_size, status.st_mtime_ns)


def _is_closed(folder: str) -> bool:
    return not os.access(folder, os.R_OK | os.X_OK)


def _walk(path: str) -> Iterator[str]:
    if Path(path).is_file():
        yield path
        return
    seen: set[tuple[int, int]] = set()
    closed: list[str] = []

    def note(error: OSError) -> None:
        closed.append(os.fsdecode(error.filename))

    for folder, folders, names in os.walk(path, onerror=note, followlinks=True):
        try:
            status = Path(folder).stat()
        except OSError:
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            if _leads_back(Path(folder)):
                yield folder
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (f"{folder}{os.sep}{name}" for name in names)
    yield from closed


def _leads_back(folder: Path) -> bool:
    """Whether it is a link to a folder that it lies in."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
