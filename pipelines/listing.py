"""What log folders hold, from listings alone: no file is opened, nor is the warehouse."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent_core.errors import BadInputError
from pipelines.sources import find_files


def fingerprint(files: Sequence[Path]) -> str:
    """A hash that changes when a file comes, goes, grows or is written to."""
    return hashlib.sha256(b"\n".join(map(_line, files))).hexdigest()


def _line(path: Path) -> bytes:
    seen = _look(path)
    name = os.fsencode(path)
    return name if seen is None else name + f" {seen.size} {seen.mtime_ns}".encode()


class _Seen(NamedTuple):
    size: int
    mtime_ns: int
    identity: tuple[int, int]
    """Device and inode: what tells one file under two paths from two files."""


@dataclass
class Listing:
    """The files below some paths as they were when they were last looked at."""

    _files: dict[str, _Seen] = field(default_factory=dict)
    _places: dict[tuple[int, int], str] = field(default_factory=dict)

    def changed(self, paths: Iterable[Path]) -> set[Path]:
        """Those at or below `paths` that are new or were written to since they were looked at.

        A path that is not there, or not any more, holds nothing. A file under two paths is the
        one that was seen first.
        """
        return {
            Path(name) for path in paths for name in map(str, _files_at(path)) if self._is(name)
        }

    def _is(self, name: str) -> bool:
        seen = _look(Path(name))
        if seen is None or self._stands_elsewhere(name, seen):
            return False
        before = self._files.get(name)
        self._files[name] = seen
        self._places[seen.identity] = name
        return before is None or before[:2] != seen[:2]

    def _stands_elsewhere(self, name: str, seen: _Seen) -> bool:
        other = self._places.get(seen.identity, name)
        if other == name:
            return False
        there = _look(Path(other))
        return there is not None and there.identity == seen.identity


def _files_at(path: Path) -> list[Path]:
    try:
        return find_files([path])
    except BadInputError:
        return []


def _look(path: Path) -> _Seen | None:
    try:
        status = path.stat()
    except OSError:  # gone since it was listed, or not to be looked at
        return None
    return _Seen(status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino))
