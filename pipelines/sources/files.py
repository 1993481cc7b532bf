"""From a file to sessions: what it is, and what it holds."""

import traceback
from dataclasses import replace
from pathlib import Path

from agent_core.errors import BadInputError
from pipelines.sources.file_bytes import UnreadableError
from pipelines.sources.finding import folder_fault
from pipelines.sources.formats import FORMATS
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.oddities import oddities
from pipelines.sources.reading import FileReading, Parsed, Source


def read_file(path: Path, *, format_name: str | None = None) -> FileReading:
    """The sessions of one file, whose format its content decides unless it is named.

    Never raises for what a file contains; BadInputError for a format name that is not in
    `FORMATS`.
    """
    if format_name is not None and format_name not in FORMATS:
        raise BadInputError(f"unknown format {format_name!r}; known are {', '.join(FORMATS)}")
    log = LogFile(path)
    reading = _read_guarded(log, format_name)
    try:
        return replace(reading, stamp=log.stamp)
    except UnreadableError:
        return reading


def _read_guarded(log: LogFile, format_name: str | None) -> FileReading:
    path = log.path
    try:
        return read_log(log, format_name)
    except UnreadableError as error:
        return FileReading(path, "unreadable", detail=folder_fault(path) or str(error))
    except MemoryError:
        return FileReading(path, "unreadable", detail="too large for the memory of this machine")
    except Exception as error:  # noqa: BLE001 - the edge of one file: the others must be read
        return FileReading(path, "unreadable", format_name, detail=failure_place(error))


def read_log(log: LogFile, format_name: str | None = None) -> FileReading:
    """The sessions of one opened file; UnreadableError when its bytes cannot be had."""
    if not log.start:
        return FileReading(log.path, "empty", detail=_stream_detail(log))
    if format_name is None and _is_metadata(log.head):
        return FileReading(log.path, "metadata", detail="stands beside a log; holds no session")
    source = FORMATS[format_name] if format_name else _detect(log)
    if source is None:
        return FileReading(log.path, "unknown", detail=_unknown_detail(log))
    parsed = source.read(log)
    torn = log.torn_line if log.is_line_based else None
    return FileReading(
        log.path,
        "part" if parsed.part_of else "read",
        source.name,
        _read_detail(log, torn, parsed),
        parsed.records or (len(log.records) if log.is_line_based else 1),
        parsed.sessions,
        parsed.quarantined,
        torn,
    )


def _detect(log: LogFile) -> Source | None:
    return next((source for source in FORMATS.values() if source.detect(log.head)), None)


def _is_metadata(head: Head) -> bool:
    """Whether the document is the metadata that a capturing tool put beside a log."""
    document = head.document
    return isinstance(document, dict) and "checkpoint_id" in document and "session_id" in document


def _unknown_detail(log: LogFile) -> str:
    if log.head.members:
        return "a zip archive of a form that is no known log"
    if log.head.document is None and not log.head.records:
        begins = log.start[:1] in (b"{", b"[")
        return "JSON that is broken or cut off" if begins else "not JSON"
    return "JSON of a form that is no known log"


def _read_detail(log: LogFile, torn: int | None, parsed: Parsed) -> str | None:
    part_of = parsed.part_of
    notes = [
        "part of a conversation; read with the first of its files" if part_of else None,
        None if parsed.sessions or part_of else "no conversation in it",
        f"line {torn} is cut off and waits for its rest" if torn else None,
        _stream_detail(log),
        *parsed.notes,
        *oddities(log, parsed),
    ]
    return "; ".join(filter(None, notes)) or None


def _stream_detail(log: LogFile) -> str | None:
    return "the compressed stream ends early" if log.is_cut_short else None


def failure_place(error: Exception) -> str:
    """The kind of a failure and the line of code it came from, without the text of either."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
