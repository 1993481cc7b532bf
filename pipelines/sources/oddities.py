"""What is unusual about a file in ways that no format need care about, in words without content."""

import codecs
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pipelines.sources.log_file import LogFile
from pipelines.sources.reading import Parsed

# The first agents that wrote logs are younger.
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
# Clocks and time zones of two machines differ by less.
_TOLERANCE = timedelta(days=1)
_SEARCHED_BYTES = 1 << 20
# A JSON string that is a date and a time and nothing more.
_WITHOUT_ZONE = re.compile(rb'": ?"[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?"')
# Only what cannot be anybody's words is shown as a place.
_PLACE = re.compile(r"line:\d{1,12}(\.\d{1,6})?|#(/[a-z_]{1,20}|/\d{1,9}){1,8}|[0-9a-f-]{36}")


def oddities(log: LogFile, parsed: Parsed) -> list[str]:
    """Notes on the clock and the ids of a file that was read; UnreadableError as the log."""
    return [
        *_clock_notes(log, parsed),
        *_zone_notes(log),
        *_byte_notes(log),
        *_id_notes(parsed),
    ]


def _clock_notes(log: LogFile, parsed: Parsed) -> Iterator[str]:
    latest = _latest(log)
    early: list[str] = []
    late: list[str] = []
    for session in parsed.sessions:
        for step in session.steps:
            if step.timestamp is None:
                continue
            if step.timestamp < _EARLIEST:
                early.append(step.source_ref)
            elif step.timestamp > latest:
                late.append(step.source_ref)
    if early:
        yield _told(early, f"before {_EARLIEST.year}")
    if late:
        yield _told(late, "later than the file itself")


def _latest(log: LogFile) -> datetime:
    """The last moment that a record of the file can be from."""
    try:
        return datetime.fromtimestamp(log.stamp.mtime_ns / 1e9, UTC) + _TOLERANCE
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def _told(refs: list[str], what: str) -> str:
    place = f", first at {refs[0]}" if _PLACE.fullmatch(refs[0]) else ""
    return f"{len(refs)} {'time' if len(refs) == 1 else 'times'} {what}{place}"


def _zone_notes(log: LogFile) -> Iterator[str]:
    if log.head.members:
        return
    if _WITHOUT_ZONE.search(log.content.start(_SEARCHED_BYTES)):
        yield "times without a zone, taken for UTC"


def _byte_notes(log: LogFile) -> Iterator[str]:
    if log.head.members:
        return
    if log.records.has_nuls:
        yield "NUL bytes, taken out"
    try:
        # The last character may be cut in two.
        codecs.getincrementaldecoder("utf-8")().decode(log.content.start(_SEARCHED_BYTES))
    except UnicodeDecodeError:
        yield "bytes that are not UTF-8, replaced: convert the file to have them"


def _id_notes(parsed: Parsed) -> Iterator[str]:
    clashes = sum(int(session.extra.get("clashes", 0)) for session in parsed.sessions)
    if clashes:
        records = "record has" if clashes == 1 else "records have"
        yield f"{clashes} {records} the id of another one and other content"
