"""From paths to sessions: which files there are, what each is, and what it holds."""

import errno
import os
import stat
import traceback
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agent_core.errors import BadInputError
from pipelines.sources.file_bytes import UnreadableError
from pipelines.sources.formats import FORMATS
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.oddities import oddities
from pipelines.sources.reading import FileReading, Parsed, Source

_SHOWN_PATH = 200


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
        return FileReading(path, "unreadable", detail=_folder_detail(path) or str(error))
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


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Every regular file at or below the paths, absolute, hidden folders included, sorted.

    A folder that cannot be entered, and a link that leads back to where it is or to itself, come
    as themselves, so that they are listed as unreadable. A file that several paths or links lead
    to comes once; one that goes away meanwhile does not come. BadInputError for a path that does
    not exist or cannot be one.
    """
    found: dict[Hashable, Path] = {}
    for path in paths:
        _check_exists(path)
        for file in sorted(_walk(path.absolute())):
            identity = _identity(file)
            if identity is not None:
                found.setdefault(identity, file)
    return sorted(found.values())


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


def _identity(file: Path) -> Hashable | None:
    """What tells a regular file from others; None for anything else and for what is gone."""
    try:
        status = file.stat()
    except OSError as error:
        # Listed, so that it is not lost without a word; what is gone is left out.
        return str(file) if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP) else None
    if stat.S_ISDIR(status.st_mode):
        return str(file) if file.is_symlink() or _is_closed(file) else None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _is_closed(folder: Path) -> bool:
    return not os.access(folder, os.R_OK | os.X_OK)


def _walk(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    seen: set[tuple[int, int]] = set()
    closed: list[Path] = []

    def note(error: OSError) -> None:
        closed.append(Path(os.fsdecode(error.filename)))

    for folder, folders, names in os.walk(path, onerror=note, followlinks=True):
        try:
            status = Path(folder).stat()
        except OSError:
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            if _leads_back(Path(folder)):
                yield Path(folder)
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (Path(folder, name) for name in names)
    yield from closed


def _leads_back(folder: Path) -> bool:
    """Whether it is a link to a folder that it lies in."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


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


def _folder_detail(path: Path) -> str | None:
    if not path.is_dir():
        return None
    return (
        "a folder that cannot be entered" if _is_closed(path) else "a link back to its own folder"
    )


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
