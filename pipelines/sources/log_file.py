"""A log file on disk: its bytes, whatever compressed them, as records with their places."""

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.sources.json_text import NotJsonError, decode, decode_many

MAX_BYTES = 1 << 30
"""Larger files are not read: what they hold would not fit in memory beside its sessions."""

_HEAD_RECORDS = 60
_HOPELESS_LINES = 3
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_CHUNK = 1 << 20


class UnreadableError(Exception):
    """The file cannot be opened or decompressed; the text says why."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was when it was read: size and time from before the first byte was read."""

    size: int
    mtime_ns: int
    sha256: str
    """Of the bytes that were read, as they lie on disk."""


class Record(NamedTuple):
    """One JSON value of a file with one value per line."""

    place: str
    """`line:N`; a second value on that line is `line:N.2`."""
    line: int
    value: Any


class BrokenLine(NamedTuple):
    """A line, or the rest of one, that does not decode."""

    line: int
    reason: str


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


@dataclass
class LogFile:
    """One candidate file; everything is read once, on first use.

    Every property but `path` may raise UnreadableError.
    """

    path: Path
    max_bytes: int = MAX_BYTES
    stamp: Stamp | None = field(default=None, init=False, repr=False)
    """Of the bytes, once they are read."""
    _lines: "_Lines | None" = field(default=None, init=False, repr=False)

    @cached_property
    def data(self) -> bytes:
        """The decompressed bytes as UTF-8 without byte-order mark."""
        return _as_utf8(self._decompressed[0])

    @property
    def is_cut_short(self) -> bool:
        """Whether the compressed stream ends before its end."""
        return self._decompressed[1]

    @cached_property
    def document(self) -> Any:
        """The value of a file that is one JSON document (over one line or many), else None."""
        if self.data.lstrip()[:1] not in (b"{", b"["):
            return None
        try:
            return decode(self.data.strip(b"\0 \t\r\n"))
        except NotJsonError:
            return None

    @cached_property
    def archive(self) -> zipfile.ZipFile | None:
        """The zip archive that the file is, else None."""
        if not self.data.startswith(_ZIP):
            return None
        try:
            return zipfile.ZipFile(io.BytesIO(self.data))
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise UnreadableError("a damaged or unfinished zip archive") from error

    def member(self, name: str) -> bytes:
        """The decompressed bytes of a file in the archive; KeyError where there is none."""
        assert self.archive is not None
        with self.archive.open(name) as file:
            return _read_stream(file, self.max_bytes)[0]

    @property
    def is_line_based(self) -> bool:
        """Whether the file holds one value per line, rather than one document over many."""
        return bool(self.head.records) or not (self.head.document or self.head.members)

    @property
    def records(self) -> list[Record]:
        """Every value of a file with one JSON value per line, in file order."""
        return self._all_lines.records

    @property
    def broken_lines(self) -> list[BrokenLine]:
        """The lines that did not decode; a torn last line is not among them."""
        return self._all_lines.broken

    @property
    def torn_line(self) -> int | None:
        """The number of the last line when it ends in the middle of a value."""
        return self._all_lines.torn

    @cached_property
    def head(self) -> Head:
        """The beginning, as detection needs it: only as much as that is decoded."""
        if self.archive is not None:
            return Head((), members=tuple(self.archive.namelist()))
        first = _decode_lines(self.data, limit=2)
        begins_whole = bool(first.records) and not first.broken
        # A document over many lines: its lines are not values of their own.
        if not begins_whole and self.document is not None:
            return Head((), self.document)
        if begins_whole and len(first.records) == 1:
            return Head((first.records[0].value,), first.records[0].value)
        first = _decode_lines(self.data, limit=_HEAD_RECORDS)
        return Head(tuple(record.value for record in first.records))

    @cached_property
    def _decompressed(self) -> tuple[bytes, bool]:
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size > self.max_bytes:
                    raise UnreadableError(f"larger than {self.max_bytes >> 20} MB")
                raw = file.read(self.max_bytes + 1)
        except OSError as error:
            raise UnreadableError(error.strerror or type(error).__name__) from error
        digest = hashlib.sha256(raw).hexdigest()
        self.stamp = Stamp(status.st_size, status.st_mtime_ns, digest)
        return _decompress(raw, self.max_bytes)

    @property
    def _all_lines(self) -> "_Lines":
        if self._lines is None:
            self._lines = _decode_lines(self.data)
        return self._lines


@dataclass
class _Lines:
    records: list[Record] = field(default_factory=list)
    broken: list[BrokenLine] = field(default_factory=list)
    torn: int | None = None


def _decode_lines(data: bytes, limit: int | None = None) -> _Lines:
    lines = _Lines()
    for number, text, is_open_ended in _split(data):
        values, problem = decode_many(text)
        for index, value in enumerate(values):
            place = f"line:{number}" if index == 0 else f"line:{number}.{index + 1}"
            lines.records.append(Record(place, number, value))
        if problem and is_open_ended:
            lines.torn = number
        elif problem:
            lines.broken.append(BrokenLine(number, problem))
        if limit is not None and (len(lines.records) >= limit or _looks_hopeless(lines)):
            break
    return lines


def _looks_hopeless(lines: _Lines) -> bool:
    return not lines.records and len(lines.broken) >= _HOPELESS_LINES


def _split(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Number, content and "has no newline yet" of every line that is not blank."""
    number = start = 0
    while start < len(data):
        number += 1
        end = data.find(b"\n", start)
        is_open_ended = end < 0
        text = data[start:] if is_open_ended else data[start:end]
        start = len(data) if is_open_ended else end + 1
        # A crash leaves runs of NUL where the file had been extended but not yet written.
        if b"\0" in text:
            text = text.replace(b"\0", b"")
        text = text.strip()
        if text:
            yield number, text, is_open_ended


def _as_utf8(data: bytes) -> bytes:
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data


def _decompress(data: bytes, limit: int) -> tuple[bytes, bool]:
    """Decompressed bytes, and whether the stream ends early."""
    if data.startswith(_GZIP):
        return _read_stream(gzip.GzipFile(fileobj=io.BytesIO(data)), limit)
    if data.startswith(_ZSTD):
        # pyarrow is slow to import, and few logs are compressed so.
        import pyarrow as pa

        return _read_stream(pa.CompressedInputStream(pa.BufferReader(data), "zstd"), limit)
    if len(data) > limit:
        raise UnreadableError(f"larger than {limit >> 20} MB")
    return data, False


def _read_stream(stream: Any, limit: int) -> tuple[bytes, bool]:
    """What decompresses before the end or before the damage, in pieces: a bomb stops early."""
    content = bytearray()
    try:
        # One piece at a time: a read that waits for more would lose what came before the end.
        while chunk := stream.read1(_CHUNK):
            content += chunk
            if len(content) > limit:
                raise UnreadableError(f"larger than {limit >> 20} MB when decompressed")
    except (EOFError, OSError, zlib.error) as error:
        if not content:
            raise UnreadableError(f"damaged compression ({type(error).__name__})") from error
        return bytes(content), True
    return bytes(content), False
