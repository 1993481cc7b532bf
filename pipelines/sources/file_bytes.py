"""The bytes of a log file, decompressed and as UTF-8, as often as they are wanted.

A small file is read once and kept; a large one is streamed from the disk anew each time, up to
the size that it had at first, so that memory does not grow with it.
"""

import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

MAX_BYTES = 1 << 34
"""What a file may hold when decompressed: beyond it a compressed file is taken for a bomb."""
KEPT_BYTES = 1 << 25
"""Files up to this size on disk are kept in memory while they are read."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_CHUNK = 1 << 18
_MAX_UTF16_BYTES = 1 << 27


class UnreadableError(Exception):
    """The file cannot be opened or decompressed; the text says why."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was when it was read: size and time from before the first byte was read."""

    size: int
    mtime_ns: int
    sha256: str
    """Of the bytes that were read, as they lie on disk."""


class FileBytes:
    """The bytes of one file; every method may raise UnreadableError."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.is_cut_short = False
        """Whether the compressed stream was found to end before its end."""
        self._kept: bytes | None = None

    @cached_property
    def stamp(self) -> Stamp:
        """Of the bytes that `open` gives, before they are decompressed."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size <= KEPT_BYTES:
                    self._kept = file.read(status.st_size)
                    digest = hashlib.sha256(self._kept).hexdigest()
                else:
                    digest = _digest(file, status.st_size)
        except OSError as error:
            raise UnreadableError(error.strerror or type(error).__name__) from error
        return Stamp(status.st_size, status.st_mtime_ns, digest)

    def open(self) -> BinaryIO:
        """The decompressed content from its start, as UTF-8 without byte-order mark."""
        content = io.BufferedReader(_Tolerant(self, self._decompressed()), _CHUNK)
        start = content.peek(3)[:3]
        if start.startswith(_UTF16_MARKS):
            data = content.read(_MAX_UTF16_BYTES + 1)
            if len(data) > _MAX_UTF16_BYTES:
                raise UnreadableError(f"larger than {_MAX_UTF16_BYTES >> 20} MB and in UTF-16")
            return io.BytesIO(data.decode("utf-16", "replace").encode("utf-8", "replace"))
        content.read(3 if start == _UTF8_MARK else 0)
        return content

    def start(self, size: int) -> bytes:
        """The first bytes of the content, `size` of them where there are so many."""
        with self.open() as content:
            return content.read(size)

    def whole(self, limit: int) -> bytes:
        """All of the content; UnreadableError where it is larger than `limit`."""
        content = self.start(limit + 1)
        if len(content) > limit:
            raise UnreadableError(f"larger than {limit >> 20} MB")
        return content

    def _decompressed(self) -> Any:
        raw = self._raw()
        begin = raw.peek(4)[:4]
        if begin.startswith(_GZIP):
            return gzip.GzipFile(fileobj=raw)
        if begin == _ZSTD:
            # pyarrow is slow to import, and few logs are compressed so.
            import pyarrow as pa

            return pa.CompressedInputStream(pa.PythonFile(raw), "zstd")
        return raw

    def _raw(self) -> io.BufferedReader:
        stamp = self.stamp
        if self._kept is not None:
            return io.BufferedReader(io.BytesIO(self._kept), _CHUNK)
        try:
            return io.BufferedReader(_Bounded(self.path.open("rb", 0), stamp.size), _CHUNK)
        except OSError as error:
            raise UnreadableError(error.strerror or type(error).__name__) from error


def _digest(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, 1 << 20))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


class _Bounded(io.RawIOBase):
    """A file up to a size: what is appended meanwhile belongs to the next run."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._file.read(min(len(buffer), self._left))
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Tolerant(io.RawIOBase):
    """A stream that ends where its decompression fails, and says so to its owner."""

    def __init__(self, owner: FileBytes, stream: Any) -> None:
        self._owner, self._stream, self._given = owner, stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            # One piece at a time: a read that waits for more would lose what came before the end.
            chunk = self._stream.read1(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            if not self._given:
                reason = f"damaged compression ({type(error).__name__})"
                raise UnreadableError(reason) from error
            self._owner.is_cut_short = True
            return 0
        self._given += len(chunk)
        if self._given > self._owner.max_bytes:
            limit = self._owner.max_bytes >> 20
            raise UnreadableError(f"larger than {limit} MB when decompressed")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()
