"""A log file on disk as readers see it: one document, values one per line, or a zip archive."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.sources.file_bytes import MAX_BYTES, FileBytes, Stamp
from pipelines.sources.json_lines import BrokenLine, JsonLines
from pipelines.sources.json_text import NotJsonError, decode

if TYPE_CHECKING:
    from pipelines.sources.archive import Archive

MAX_DOCUMENT_BYTES = 1 << 28
"""A larger file that is one document or archive is not read: it would not fit in memory."""

_HEAD_RECORDS = 60
_HOPELESS_LINES = 3
_START_BYTES = 1 << 12
_BLANK = b"\0 \t\r\n"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Head:
    """What detection looks at."""

    records: tuple[Any, ...]
    """The first values of a file that holds one JSON value per line; else empty."""
    document: Any = None
    """The value of a file that is one JSON document; None otherwise."""
    members: tuple[str, ...] = ()
    """The names in a file that is a zip archive; else empty."""

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The records that are JSON objects."""
        return [record for record in self.records if isinstance(record, dict)]


class LogFile:
    """One candidate file. Every property but `path` may raise UnreadableError."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.content = FileBytes(path, max_bytes)
        self.records = JsonLines(self.content)
        """Every value of a file with one JSON value per line, in file order.

        To be iterated, several times where that helps: those of a large file are not kept.
        """

    @cached_property
    def data(self) -> bytes:
        """The decompressed bytes as UTF-8 without byte-order mark."""
        return self.content.whole(min(MAX_DOCUMENT_BYTES, self.content.max_bytes))

    @property
    def stamp(self) -> Stamp:
        """What the file was when it was read."""
        return self.content.stamp

    @property
    def is_cut_short(self) -> bool:
        """Whether the compressed stream ends before its end."""
        return self.content.is_cut_short

    @cached_property
    def start(self) -> bytes:
        """The first bytes that are not blank; empty where there are none."""
        with self.content.open() as content:
            while chunk := content.read(_START_BYTES):
                if stripped := chunk.lstrip(_BLANK):
                    return stripped
        return b""

    @cached_property
    def document(self) -> Any:
        """The value of a file that is one JSON document (over one line or many), else None."""
        if self.start[:1] not in (b"{", b"["):
            return None
        try:
            return decode(self.data.strip(_BLANK))
        except NotJsonError:
            return None

    @cached_property
    def archive(self) -> "Archive | None":
        """The zip archive that the file is, else None."""
        if not self.start.startswith(_ZIP):
            return None
        # Few logs are archives, and a hook that reads none must not wait for this.
        from pipelines.sources.archive import Archive

        return Archive(self.data, MAX_DOCUMENT_BYTES)

    def member(self, name: str) -> bytes:
        """The decompressed bytes of a file in the archive; KeyError where there is none."""
        assert self.archive is not None
        return self.archive.read(name)

    @property
    def is_line_based(self) -> bool:
        """Whether the file holds one value per line, rather than one document over many."""
        return bool(self.head.records) or not (self.head.document or self.head.members)

    @property
    def broken_lines(self) -> list[BrokenLine]:
        """The lines that did not decode; a torn last line is not among them."""
        return self.records.broken

    @property
    def torn_line(self) -> int | None:
        """The number of the last line when it ends in the middle of a value."""
        return self.records.torn

    @cached_property
    def head(self) -> Head:
        """The beginning, as detection needs it: only as much as that is decoded."""
        if self.archive is not None:
            return Head((), members=tuple(self.archive.namelist()))
        values, is_broken = self.records.first(2, _HOPELESS_LINES)
        begins_whole = bool(values) and not is_broken
        # A document over many lines: its lines are not values of their own.
        if not begins_whole and self.document is not None:
            return Head((), self.document)
        if begins_whole and len(values) == 1:
            return Head((values[0],), values[0])
        return Head(tuple(self.records.first(_HEAD_RECORDS)[0]))
