"""The end of a log that is being written, as sessions: never the whole of a large file."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agent_core.session import Session, Step
from pipelines.sources.file_bytes import FileBytes, Stamp
from pipelines.sources.json_lines import JsonLines
from pipelines.sources.json_text import NotJsonError, decode
from pipelines.sources.log_file import LogFile
from pipelines.sources.reading import Source

TAIL_BYTES = 1 << 19
"""So much of the end of a log with one value per line is read each time it grew."""
MAX_TAIL_BYTES = 1 << 23
"""So much at most, where more came at once or one value is longer."""
MAX_DOCUMENT_BYTES = 1 << 23
"""A log that is one document is read again as a whole each time: up to this size."""

_LINE = re.compile(r"line:(\d+)(.*)", re.DOTALL)
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")


class TooLargeError(Exception):
    """The log is one document or has a first line, of more than so much, or is compressed."""


class Excerpt(NamedTuple):
    """The end of a log."""

    sessions: tuple[Session, ...]
    begins: bool
    """It holds the log's beginning too."""


class Tail:
    """Reads the end of one file again and again; a record keeps its reference meanwhile.

    Records that a format knows by their line are known by the byte at which they begin,
    `at:N`, because nobody counts the lines before the end.
    """

    def __init__(self, path: Path, source: Source | None = None) -> None:
        """`source`: the format, where it is known; else the content decides."""
        self.path = path
        self._source = source
        self._end = 0

    def read(self) -> Excerpt:
        """The sessions at the end of the file. OSError, UnreadableError or TooLargeError."""
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < self._end:  # written anew
                self._end = 0
            first = file.readline(MAX_TAIL_BYTES)
            if not _is_record(first):
                return Excerpt(self._sessions(_document(file, size), None), begins=True)
            start = max(0, size - MAX_TAIL_BYTES, min(self._end or size, size - TAIL_BYTES))
            lines = _complete_lines(file, start, size)
            if not lines and start > 0:
                lines = _complete_lines(file, max(0, size - MAX_TAIL_BYTES), size)
            self._end = max((at + len(line) for at, line in lines.items()), default=self._end)
        if start > 0:
            lines = {0: first, **lines}
        return Excerpt(self._sessions(b"".join(lines.values()), [*lines]), begins=start == 0)

    def _sessions(self, content: bytes, offsets: list[int] | None) -> tuple[Session, ...]:
        log = _log_of(self.path, content)
        if self._source is not None:
            sessions = self._source.read(log).sessions
        else:
            from pipelines.sources.files import read_log  # loads every format

            sessions = read_log(log).sessions
        if offsets is None:
            return sessions
        return tuple(
            replace(one, steps=tuple(_placed(step, offsets) for step in one.steps))
            for one in sessions
        )


def _is_record(line: bytes) -> bool:
    """Whether the first line of a file is a value of its own."""
    if line.startswith(_COMPRESSED):
        raise TooLargeError("compressed: no log that is being written")
    try:
        return line.endswith(b"\n") and isinstance(decode(line.strip()), dict)
    except NotJsonError:
        return False


def _document(file: BinaryIO, size: int) -> bytes:
    if size > MAX_DOCUMENT_BYTES:
        limit = MAX_DOCUMENT_BYTES >> 20
        what = "one document, or a first line,"
        raise TooLargeError(f"{what} of more than {limit} MB, which is not followed")
    file.seek(0)
    return file.read(size)


def _complete_lines(file: BinaryIO, start: int, size: int) -> dict[int, bytes]:
    """The lines that begin at or after `start` and have ended, by the byte they begin at."""
    file.seek(max(0, start - 1))
    content = file.read(size - file.tell())
    skipped = 0 if start == 0 else content.find(b"\n") + 1
    if start and not skipped:
        return {}
    lines: dict[int, bytes] = {}
    offset = max(0, start - 1) + skipped
    *whole, _ = content[skipped:].split(b"\n")
    for line in whole:
        lines[offset] = line + b"\n"
        offset += len(line) + 1
    return lines


def _log_of(path: Path, content: bytes) -> LogFile:
    log = LogFile(path)
    log.content = _Given(path, content)
    log.records = JsonLines(log.content)
    return log


class _Given(FileBytes):
    """Content that was read by somebody else."""

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(path)
        self._kept = content
        self.stamp = Stamp(len(content), 0, "")


def _placed(step: Step, offsets: Sequence[int]) -> Step:
    """The step, and what it holds of other records, by the bytes at which they begin."""
    seen = step.observations
    if any(one.source_ref and one.source_ref.startswith("line:") for one in seen):
        seen = tuple(replace(o, source_ref=_place(o.source_ref or "", offsets)) for o in seen)
    return replace(step, source_ref=_place(step.source_ref, offsets), observations=seen)


def _place(ref: str, offsets: Sequence[int]) -> str:
    """`line:3.2` and `line:3#/messages/0`, too, begin with the number of a line."""
    found = _LINE.fullmatch(ref)
    return f"at:{offsets[int(found[1]) - 1]}{found[2]}" if found else ref
