"""Log files as frames, read on both cores, in bounded batches."""

import fnmatch
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from agent_core.session import Session
from pipelines.config import SourcesConfig
from pipelines.sources import FileReading, read_file
from pipelines.warehouse.session_rows import header_rows, step_rows

_BATCH_BYTES = 32_000_000
_BATCH_FILES = 64
# A second process costs a second to start: not worth it for less than this.
_PARALLEL_BYTES = 24_000_000


@dataclass(frozen=True, slots=True)
class FileRows:
    """One file as rows; `reading` carries no sessions any more."""

    reading: FileReading
    status: str
    """The reading's, or `excluded` where every session of the file is."""
    session_keys: tuple[str, ...]
    headers: pl.DataFrame
    steps: pl.DataFrame
    excluded_sessions: int


def read_batches(
    paths: Sequence[Path], sources: SourcesConfig, format_name: str | None = None
) -> Iterator[list[FileRows]]:
    """Yield the files in batches small enough for memory, in the order of `paths`."""
    read = partial(read_rows, sources=sources, format_name=format_name)
    sizes = [_size(path) for path in paths]
    batches = _cut(paths, sizes)
    if sum(sizes) < _PARALLEL_BYTES or len(paths) == 1:
        yield from ([read(path) for path in batch] for batch in batches)
        return
    # spawn: a forked child would inherit the threads of Polars and DuckDB.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=2, mp_context=context) as pool:
        yield from (list(pool.map(read, batch, chunksize=4)) for batch in batches)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _cut(paths: Sequence[Path], sizes: Sequence[int]) -> list[list[Path]]:
    batches: list[list[Path]] = []
    room = 0
    for path, size in zip(paths, sizes, strict=True):
        if not batches or room < size or len(batches[-1]) == _BATCH_FILES:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(path)
        room -= size
    return batches


def read_rows(path: Path, sources: SourcesConfig, format_name: str | None = None) -> FileRows:
    """Read one file; sessions of excluded projects are counted and dropped at once."""
    reading = read_file(path, format_name=format_name)
    kept = [session for session in reading.sessions if not _is_excluded(session, sources.exclude)]
    excluded = len(reading.sessions) - len(kept)
    sessions = [_with_user(session, sources.user) for session in kept]
    return FileRows(
        reading=replace(reading, sessions=()),
        status="excluded" if excluded and not kept else reading.status,
        session_keys=tuple(session.key for session in sessions),
        headers=header_rows(sessions),
        steps=step_rows(sessions),
        excluded_sessions=excluded,
    )


def _is_excluded(session: Session, patterns: Sequence[str]) -> bool:
    names = [session.source_path, *([session.project] if session.project else [])]
    return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in patterns)


def _with_user(session: Session, user: str | None) -> Session:
    return session if session.user or not user else replace(session, user=user)
