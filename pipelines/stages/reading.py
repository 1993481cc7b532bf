"""Log files as frames, read on both cores, in bounded batches."""

import atexit
import gc
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from agent_core.release import AGENT_NAME
from agent_core.session import Session
from pipelines.config import SourcesConfig
from pipelines.sources import FileReading, Stamp, failure_place, read_file
from pipelines.stages.exclusion import is_excluded
from pipelines.stages.file_state import Wanted, file_key
from pipelines.stages.provenance import CoreLogs, with_sound_names
from pipelines.stages.spool import write_steps
from pipelines.warehouse.session_rows import header_row, step_frames

_TASK_BYTES = 8_000_000
_TASK_FILES = 256
_AHEAD = 16
# A second process costs a second to start: not worth it for less than this.
_PARALLEL_BYTES = 24_000_000
# Two such files at once would need more memory than one of them.
_HEAVY_BYTES = 128_000_000


@dataclass(frozen=True, slots=True)
class FileRows:
    """One file as rows, but for its steps; `reading` carries no sessions any more."""

    path: str
    """Its key in `source_files`."""
    forced_format: str | None
    reading: FileReading
    status: str
    """The reading's, or `excluded` where every session of the file is."""
    session_keys: tuple[str, ...]
    headers: tuple[tuple[Any, ...], ...]
    """A row of `sessions` for each session, see `header_row`."""
    excluded_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files, with their steps in an Arrow stream (see `spool`)."""

    files: tuple[FileRows, ...]
    steps: Path
    step_count: int


_Read = Callable[[Wanted], tuple[FileRows, list[Session]]]


@dataclass(frozen=True, slots=True)
class _Task:
    files: tuple[Wanted, ...]
    size: int
    steps: Path


def read_batches(
    files: Sequence[Wanted], sources: SourcesConfig, core: CoreLogs, spool: Path
) -> Iterator[Batch]:
    """Yield the files in batches of a few megabytes, in any order.

    While the caller is at work with one, the next ones are read.
    """
    tasks = _cut(files, [_size(wanted.path) for wanted in files], spool)
    read = partial(_read_task, sources=sources, core=core)
    if sum(task.size for task in tasks) < _PARALLEL_BYTES:
        yield from map(read, tasks)
        return
    for task in (task for task in tasks if task.size > _HEAVY_BYTES):
        yield from _read_alone(read, task)
    left = {task.steps: task for task in tasks if task.size <= _HEAVY_BYTES}
    try:
        with _readers(2) as pool:
            for batch in _read_ahead(pool, read, list(left.values())):
                del left[batch.steps]
                yield batch
    except BrokenProcessPool:
        for task in list(left.values()):
            yield from _read_alone(read, task)


def _read_alone(read: Callable[[_Task], Batch], task: _Task) -> Iterator[Batch]:
    """Read in a process that ends with the task: what it held is free again only then.

    Where it dies, file by file, so that the one that it cannot take is known.
    """
    try:
        with _readers(1) as reader:
            batch = reader.submit(read, task).result()
    except BrokenProcessPool:
        if len(task.files) == 1:
            yield _lost(task)
            return
        for number, wanted in enumerate(task.files):
            steps = task.steps.with_suffix(f".{number}.arrow")
            yield from _read_alone(read, _Task((wanted,), task.size, steps))
        return
    yield batch


def _lost(task: _Task) -> Batch:
    """The batch of a file whose reader was killed, as the system does when memory runs out."""
    count = write_steps(task.steps, [])
    failed = [
        _failed_rows(wanted, "its reader was killed, perhaps for want of memory", None)
        for wanted in task.files
    ]
    return Batch(tuple(failed), task.steps, count)


def _readers(count: int) -> ProcessPoolExecutor:
    # spawn: a forked child would inherit the threads of Polars and DuckDB.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_begin_reader)


def _read_ahead(
    pool: Executor, read: Callable[[_Task], Batch], tasks: Sequence[_Task]
) -> Iterator[Batch]:
    """The batches as they are done: the largest tasks first, so that none is left to the end."""
    queue = deque(sorted(tasks, key=lambda task: -task.size))
    waiting = {pool.submit(read, queue.popleft()) for _ in range(min(_AHEAD, len(queue)))}
    # The readers take a second to start, in which this process does some of their work.
    while queue and not any(future.done() for future in waiting):
        yield read(queue.pop())
    while queue:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        waiting |= {pool.submit(read, queue.popleft()) for _ in range(min(len(done), len(queue)))}
        yield from (future.result() for future in done)
    yield from (future.result() for future in as_completed(waiting))


def _begin_reader() -> None:
    """Let no reader outlive the run that it reads for, when that is killed."""
    # Nothing that a reader makes leads back to itself: to look for it takes a quarter of the time.
    gc.disable()
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


def _cut(files: Sequence[Wanted], sizes: Sequence[int], spool: Path) -> list[_Task]:
    tasks: list[_Task] = []
    gathered: list[Wanted] = []
    gathered_size = 0
    for position, (wanted, size) in enumerate(zip(files, sizes, strict=True), 1):
        gathered.append(wanted)
        gathered_size += size
        is_full = gathered_size >= _TASK_BYTES or len(gathered) == _TASK_FILES
        if is_full or position == len(files):
            tasks.append(_Task(tuple(gathered), gathered_size, spool / f"{len(tasks)}.arrow"))
            gathered, gathered_size = [], 0
    return tasks


def _read_task(task: _Task, sources: SourcesConfig, core: CoreLogs) -> Batch:
    read = partial(_read_rows, sources=sources, core=core)
    try:
        return _read_with(read, task)
    except Exception:  # noqa: BLE001 - steps that cannot be rows: find out in which file
        return _read_with(partial(_checked, read), task)


def _read_with(read: _Read, task: _Task) -> Batch:
    files: list[FileRows] = []

    def sessions() -> Iterator[Session]:
        for wanted in task.files:
            rows, kept = read(wanted)
            files.append(rows)
            yield from kept

    step_count = write_steps(task.steps, sessions())
    gc.collect()
    return Batch(tuple(files), task.steps, step_count)


def _checked(read: _Read, wanted: Wanted) -> tuple[FileRows, list[Session]]:
    """The file, or why its steps cannot be rows: the edge of one file, the others must be read."""
    rows, sessions = read(wanted)
    try:
        for _ in step_frames(sessions):
            pass
    except Exception as error:  # noqa: BLE001 - see above
        return _failed_rows(wanted, failure_place(error), rows.reading.stamp), []
    return rows, sessions


def _read_rows(
    wanted: Wanted, sources: SourcesConfig, core: CoreLogs
) -> tuple[FileRows, list[Session]]:
    """Read one file; sessions of excluded projects are counted and dropped at once."""
    reading = _read(wanted)
    try:
        return _as_rows(wanted, reading, sources, core)
    except Exception as error:  # noqa: BLE001 - the edge of one file: the others must be read
        return _failed_rows(wanted, failure_place(error), reading.stamp), []


def _failed_rows(wanted: Wanted, detail: str, stamp: Stamp | None) -> FileRows:
    reading = FileReading(wanted.path, "unreadable", detail=detail, stamp=stamp)
    key = file_key(wanted.path)
    return FileRows(key, wanted.format_name, reading, reading.status, (), (), ())


def _read(wanted: Wanted) -> FileReading:
    try:
        str(wanted.path).encode()
    except UnicodeEncodeError:
        return FileReading(wanted.path, "unreadable", detail="its name is not UTF-8; rename it")
    return read_file(wanted.path, format_name=wanted.format_name)


def _as_rows(
    wanted: Wanted, reading: FileReading, sources: SourcesConfig, core: CoreLogs
) -> tuple[FileRows, list[Session]]:
    is_core = core.hold(wanted.path, reading.stamp.sha256 if reading.stamp else None)
    excluded = {s.key for s in reading.sessions if is_excluded(s, sources.exclude)}
    kept = [session for session in reading.sessions if session.key not in excluded]
    named = [with_sound_names(s, core, is_core=is_core, path=wanted.path) for s in kept]
    sessions = [_completed(session, sources.user) for session in named]
    rows = FileRows(
        path=file_key(wanted.path),
        forced_format=wanted.format_name,
        reading=replace(reading, sessions=()),
        status="excluded" if excluded and not kept else reading.status,
        session_keys=tuple(session.key for session in sessions),
        headers=tuple(map(header_row, sessions)),
        excluded_keys=tuple(sorted(excluded)),
    )
    return rows, sessions


def _completed(session: Session, user: str | None) -> Session:
    """The session with the user of the configuration, and the version for a release unstated.

    The bundled agent states its release, or there is none: its version says nothing of prompts.
    """
    release = session.release
    if release is None and session.agent != AGENT_NAME:
        release = session.agent_version
    return replace(session, user=session.user or user, release=release)
