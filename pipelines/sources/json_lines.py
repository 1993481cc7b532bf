"""The values of a file that holds one JSON value per line, decoded one after the other."""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from pipelines.sources.file_bytes import FileBytes
from pipelines.sources.json_text import NotJsonError, decode, decode_rest

MAX_LINE_BYTES = 1 << 28
"""A longer line is passed over: what it holds would not fit in memory beside its text."""
_KEPT_BYTES = 1 << 25
_SKIPPED_BYTES = 1 << 20
_PATIENCE_BYTES = 1 << 20


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


class JsonLines:
    """Iterates over the records, as often as wanted; those of a large file are decoded anew.

    What is known at the end only (`broken`, `torn`, the length) makes a pass of its own where
    none has ended yet.
    """

    def __init__(self, content: FileBytes) -> None:
        self._content = content
        self._kept: list[Record] | None = None
        self._broken: list[BrokenLine] = []
        self._torn: int | None = None
        self._length: int | None = None
        self.has_nuls = False
        """Whether a line that was read had NUL bytes in it."""

    def __iter__(self) -> Iterator[Record]:
        return iter(self._kept) if self._kept is not None else self._decode()

    def __len__(self) -> int:
        self._finish()
        return self._length or 0

    @property
    def broken(self) -> list[BrokenLine]:
        """The lines that did not decode; a torn last line is not among them."""
        self._finish()
        return self._broken

    @property
    def torn(self) -> int | None:
        """The number of the last line when it ends in the middle of a value."""
        self._finish()
        return self._torn

    def first(self, limit: int, hopeless_lines: int | None = None) -> tuple[list[Any], bool]:
        """The first values, and whether a broken line came before the last of them.

        Gives up after so many lines, or after a megabyte, of which none decodes.
        """
        values: list[Any] = []
        broken = size = 0
        for line in self._lines():
            found, problem = _decode_line(line)
            values += [record.value for record in found]
            broken += bool(problem) and not line.is_last
            size += len(line.text or b"")
            is_enough = len(values) >= limit or size > (_KEPT_BYTES if values else _PATIENCE_BYTES)
            if is_enough or (not values and broken == hopeless_lines):
                break
        return values, broken > 0

    def _finish(self) -> None:
        if self._length is None:
            for _ in self._decode():
                pass

    def _decode(self) -> Iterator[Record]:
        kept: list[Record] = []
        broken: list[BrokenLine] = []
        torn, length, size = None, 0, 0
        for line in self._lines():
            found, problem = _decode_line(line)
            if problem and line.is_last:
                torn = line.number
            elif problem:
                broken.append(BrokenLine(line.number, problem))
            length += len(found)
            size += len(line.text or b"")
            if size <= _KEPT_BYTES:
                kept += found
            yield from found
        self._broken, self._torn, self._length = broken, torn, length
        self._kept = kept if size <= _KEPT_BYTES else None

    def _lines(self) -> Iterator["_Line"]:
        """Every line that is not blank."""
        with self._content.open() as content:
            number = 0
            while raw := content.readline(MAX_LINE_BYTES):
                number += 1
                is_last = not raw.endswith(b"\n")
                if is_last and len(raw) == MAX_LINE_BYTES:
                    yield _Line(number, None, _skip_line(content))
                    continue
                if b"\0" in raw:
                    # A crash leaves runs of them where the file was extended but not written.
                    self.has_nuls = True
                    raw = raw.replace(b"\0", b"")
                text = raw.strip()
                if text:
                    yield _Line(number, text, is_last)


class _Line(NamedTuple):
    number: int
    text: bytes | None
    """None where it is longer than MAX_LINE_BYTES."""
    is_last: bool
    """It has no newline yet."""


def _decode_line(line: _Line) -> tuple[list[Record], str | None]:
    number, text, _ = line
    if text is None:
        return [], f"longer than {MAX_LINE_BYTES >> 20} MB"
    try:
        return [Record(f"line:{number}", number, decode(text))], None
    except NotJsonError as error:
        values, problem = decode_rest(text, str(error))
    places = [f"line:{number}", *(f"line:{number}.{i}" for i in range(2, len(values) + 1))]
    records = zip(places, values, strict=False)
    return [Record(place, number, value) for place, value in records], problem


def _skip_line(content: BinaryIO) -> bool:
    """Read to the end of the line; whether the file ends with it."""
    while piece := content.readline(_SKIPPED_BYTES):
        if piece.endswith(b"\n"):
            return False
    return True
