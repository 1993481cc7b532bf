"""The members of a zip archive, each within bounds; also those compressed with zstd.

Format: the zip specification (APPNOTE 4.3.7 and 4.4.5). Python's `zipfile` learnt zstd, method
93, in 3.14 only.
"""

import io
import struct
import zipfile
import zlib
from typing import Any, BinaryIO

from pipelines.sources.file_bytes import UnreadableError

_ZSTD = 93
_ENCRYPTED = 1
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_MARK = b"PK\x03\x04"
_CHUNK = 1 << 20
_BOMB = "expands too far: taken for a zip bomb"
_FREE_BYTES = 1 << 30
"""An archive may always expand to this much, beyond it by no more than `_MAX_RATIO`."""
_MAX_RATIO = 60
"""Logs are compressed 5 to 30 times: what expands further is taken for a bomb."""


class Archive:
    """A zip archive in memory; UnreadableError where it is damaged."""

    def __init__(self, content: bytes, max_member: int) -> None:
        self._content = content
        self._max_member = max_member
        self._left = max(_FREE_BYTES, _MAX_RATIO * len(content))
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UnreadableError("a damaged or unfinished zip archive") from error

    def namelist(self) -> list[str]:
        """The names of the members in the order of the directory, each once."""
        return list(dict.fromkeys(self._zip.namelist()))

    def read(self, name: str) -> bytes:
        """The content of a member, the last of those of one name.

        KeyError where there is none, UnreadableError where it cannot be had whole.
        """
        member = self._zip.getinfo(name)
        if self._left < 0:
            raise UnreadableError(_BOMB)
        if member.flag_bits & _ENCRYPTED:
            raise UnreadableError("encrypted")
        try:
            content = self._decompressed(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise UnreadableError(f"damaged ({type(error).__name__})") from error
        except (NotImplementedError, RuntimeError) as error:
            method = f"compressed with method {member.compress_type}, which is not supported"
            raise UnreadableError(method) from error
        return content

    def _decompressed(self, member: zipfile.ZipInfo) -> bytes:
        if member.compress_type != _ZSTD:
            with self._zip.open(member) as file:
                return self._bounded(file)
        # pyarrow is slow to import, and few logs are compressed so.
        import pyarrow as pa

        raw = pa.BufferReader(self._raw(member))
        content = self._bounded(pa.CompressedInputStream(raw, "zstd"))
        if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
            raise UnreadableError("damaged (its checksum differs)")
        return content

    def _raw(self, member: zipfile.ZipInfo) -> memoryview:
        """The compressed bytes: they follow a header of its own before the member."""
        start = member.header_offset
        header = self._content[start : start + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_MARK):
            raise UnreadableError("damaged (no header)")
        _, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        begin = start + _LOCAL_HEADER.size + name_size + extra_size
        return memoryview(self._content)[begin : begin + member.compress_size]

    def _bounded(self, stream: BinaryIO | Any) -> bytes:
        content = bytearray()
        while chunk := stream.read(_CHUNK):
            content += chunk
            if len(content) > self._max_member:
                raise UnreadableError(f"larger than {self._max_member >> 20} MB")
            self._left -= len(chunk)
            if self._left < 0:
                raise UnreadableError(_BOMB)
        return bytes(content)
