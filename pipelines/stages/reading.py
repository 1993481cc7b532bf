"""Log files as frames, read on both cores, in bounded batches."""

import atexit
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from agent_core.session import Session
from agent_core.session_log import AGENT_NAME
from pipelines.config import SourcesConfig
from pipelines.sources import FileReading, failure_place, read_file
from pipelines.stages.exclusion import is_excluded
from pipelines.stages.file_state import Wanted, file_key
from pipelines.stages.provenance import CoreLogs, with_sound_names
from pipelines.warehouse.session_rows import header_rows, step_rows

_BATCH_BYTES = 32_000_000
_BATCH_FILES = 64
# A second process costs a second to start: not worth it for less than this.
_PARALLEL_BYTES = 24_000_000


@dataclass(frozen=True, slots=True)
class FileRows:
    """One file as rows; `reading` carries no sessions any more."""

    path: str
    """Its key in `source_files`."""
    forced_format: str | None
    reading: FileReading
    status: str
    """The reading's, or `excluded` where every session of the file is."""
    session_keys: tuple[str, ...]
    headers: pl.DataFrame
    steps: pl.DataFrame
    excluded_keys: tuple[str, ...]


def read_batches(
    files: Sequence[Wanted], sources: SourcesConfig, core: CoreLogs
) -> Iterator[list[FileRows]]:
    """Yield the files in batches small enough for memory, in the order of `files`."""
    read = partial(read_rows, sources=sources, core=core)
    sizes = [_size(wanted.path) for wanted in files]
    batches = _cut(files, sizes)
    if sum(sizes) < _PARALLEL_BYTES or len(files) == 1:
        yield from ([read(wanted) for wanted in batch] for batch in batches)
        return
    # spawn: a forked child would inherit the threads of Polars and DuckDB.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=_end_with_parent) as pool:
        yield from (list(pool.map(read, batch, chunksize=4)) for batch in batches)


def _end_with_parent() -> None:
    """Let no reader outlive the run that it reads for, when that is killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    # The waiting thread outlasts the interpreter's teardown, in which DuckDB's extension module
    # would print a page about leaks: a reader has nothing left to write when it gets there.
    atexit.register(os._exit, 0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _cut(files: Sequence[Wanted], sizes: Sequence[int]) -> list[list[Wanted]]:
    batches: list[list[Wanted]] = []
    room = 0
    for wanted, size in zip(files, sizes, strict=True):
        if not batches or room < size or len(batches[-1]) == _BATCH_FILES:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(wanted)
        room -= size
    return batches


def read_rows(wanted: Wanted, sources: SourcesConfig, core: CoreLogs) -> FileRows:
    """Read one file; sessions of excluded projects are counted and dropped at once."""
    reading = _read(wanted)
    try:
        return _as_rows(wanted, reading, sources, core)
    except Exception as error:  # noqa: BLE001 - the edge of one file: the others must be read
        failed = FileReading(
            wanted.path, "unreadable", detail=failure_place(error), stamp=reading.stamp
        )
        return _as_rows(wanted, failed, sources, core)


def _read(wanted: Wanted) -> FileReading:
    try:
        str(wanted.path).encode()
    except UnicodeEncodeError:
        return FileReading(wanted.path, "unreadable", detail="its name is not UTF-8; rename it")
    return read_file(wanted.path, format_name=wanted.format_name)


def _as_rows(
    wanted: Wanted, reading: FileReading, sources: SourcesConfig, core: CoreLogs
) -> FileRows:
    is_core = core.hold(wanted.path, reading.stamp.sha256 if reading.stamp else None)
    excluded = {s.key for s in reading.sessions if is_excluded(s, sources.exclude)}
    kept = [session for session in reading.sessions if session.key not in excluded]
    named = [with_sound_names(s, is_core=is_core, path=wanted.path) for s in kept]
    sessions = [_completed(session, sources.user) for session in named]
    return FileRows(
        path=file_key(wanted.path),
        forced_format=wanted.format_name,
        reading=replace(reading, sessions=()),
        status="excluded" if excluded and not kept else reading.status,
        session_keys=tuple(session.key for session in sessions),
        headers=header_rows(sessions),
        steps=step_rows(sessions),
        excluded_keys=tuple(sorted(excluded)),
    )


def _completed(session: Session, user: str | None) -> Session:
    """The session with the user of the configuration, and the version for a release unstated.

    The bundled agent states its release, or there is none: its version says nothing of prompts.
    """
    release = session.release
    if release is None and session.agent != AGENT_NAME:
        release = session.agent_version
    return replace(session, user=session.user or user, release=release)
