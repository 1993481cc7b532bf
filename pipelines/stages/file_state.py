"""Which files must be read: what they are now beside what they were when they were read last.

Everything that looks at the disk happens here, outside the warehouse's lock.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipelines.config import SourcesConfig
from pipelines.sources import FORMATS, Listed, reader_version
from pipelines.stages.folder_state import (
    Lost,
    conversation_of,
    keep_lost,
    members_of,
    reading_order,
)
from pipelines.stages.shown_names import NAMES_VERSION

_HASH_CHUNK = 1 << 20
_READ_AGAIN = -1
"""The time of a file that is to be read whatever its time is."""


class Manner(NamedTuple):
    """How files are read in this run: a file that was read otherwise is read again."""

    forced_format: str | None
    sources_hash: str


class Known(NamedTuple):
    """One row of `source_files`."""

    path: str
    status: str
    format: str | None
    reader_version: int
    size: int
    mtime_ns: int
    sha256: str | None
    session_keys: list[str]
    forced_format: str | None
    sources_hash: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to read, by its content or as the format named."""

    path: Path
    format_name: str | None = None


@dataclass(slots=True)
class Plan:
    """What a run has to do."""

    changed: list[Path] = field(default_factory=list)
    touched: list[tuple[int, int, str, str]] = field(default_factory=list)
    """(size, time, path, digest) of files with a new time and the content that is known."""
    companions: list[str] = field(default_factory=list)
    """Other files with sessions of the changed ones, which may have taken steps over from them,
    and those that are read for a whole folder in which a file has changed."""
    lost: list[Lost] = field(default_factory=list)
    to_read: list[Wanted] = field(default_factory=list)


def manner_of(sources: SourcesConfig, format_name: str | None) -> Manner:
    """The manner of a run under this configuration."""
    told = json.dumps([sorted(sources.exclude), sources.user, NAMES_VERSION])
    return Manner(format_name, hashlib.sha256(told.encode()).hexdigest())


def file_key(path: Path | str) -> str:
    """The path as text; bytes that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def load_known(connection: duckdb.DuckDBPyConnection) -> dict[str, Known]:
    """All of `source_files` by path."""
    columns = ", ".join(Known._fields)
    rows = connection.execute(f"SELECT {columns} FROM source_files").fetchall()
    return {row[0]: Known._make(row) for row in rows}


def plan_reading(found: Sequence[Listed], known: Mapping[str, Known], manner: Manner) -> Plan:
    """Compare the files with what is known of them; opens those with another size or time."""
    plan = Plan()
    for listed in found:
        _compare(listed, known.get(file_key(listed.path)), manner, plan)
    if not plan.changed:
        return plan
    changed = {file_key(path): path for path in plan.changed}
    joined = _join_folders(changed, known, plan)
    plan.companions = sorted((_sharing([*changed, *joined], known) | joined) - changed.keys())
    wanted = [Wanted(path, _format_of(path, known, manner)) for path in plan.changed]
    wanted += [
        Wanted(Path(name), known[name].forced_format)
        for name in plan.companions
        if _is_file(Path(name))
    ]
    plan.to_read = sorted(wanted, key=lambda one: reading_order(one.path))
    return plan


def _join_folders(changed: Mapping[str, Path], known: Mapping[str, Known], plan: Plan) -> set[str]:
    """The known files to be read because another file of their conversation is read."""
    folders = {folder for path in changed.values() if (folder := conversation_of(path))}
    joined: set[str] = set()
    for members in members_of(folders, ((n, f.format) for n, f in known.items())).values():
        there = {name for name in members if name in changed or _is_file(Path(name))}
        readers = [name for name in members if known[name].status != "part"]
        joined.update(there & set(readers))
        if not any(name in there and name not in changed for name in readers):
            joined.update(there)  # any of them may be the first now
        gone = [n for n in members if n not in there and known[n].mtime_ns != _READ_AGAIN]
        if gone:
            parts = [name for name in gone if name not in readers]
            reader = next((name for name in readers if name in there), None) if parts else None
            plan.lost.append(Lost(reader, [*parts, *(n for n in gone if n in readers)]))
    return joined


def _format_of(path: Path, known: Mapping[str, Known], manner: Manner) -> str | None:
    before = known.get(file_key(path))
    return manner.forced_format or (before.forced_format if before else None)


def record_plan(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Write new times, and that companions are to be read: a run killed amid them goes on there."""
    for touched in plan.touched:
        connection.execute(
            "UPDATE source_files SET size = ?, mtime_ns = ? WHERE path = ? AND sha256 = ?",
            list(touched),
        )
    for lost in plan.lost:
        keep_lost(connection, lost)
    connection.execute(
        "UPDATE source_files SET mtime_ns = ?, sha256 = NULL WHERE path IN (SELECT unnest(?))",
        [_READ_AGAIN, plan.companions],
    )


def _compare(listed: Listed, before: Known | None, manner: Manner, plan: Plan) -> None:
    if before is not None and not _reads_otherwise(before, manner):
        if (before.size, before.mtime_ns) == (listed.size, listed.mtime_ns):
            return
        if before.sha256 is not None and before.sha256 == _digest(Path(listed.path)):
            plan.touched.append((listed.size, listed.mtime_ns, before.path, before.sha256))
            return
    plan.changed.append(Path(listed.path))


def _reads_otherwise(before: Known, manner: Manner) -> bool:
    """Whether the file would be read in another way, or by a reader that has changed."""
    return (
        before.status == "unreadable"
        or before.sources_hash != manner.sources_hash
        or before.reader_version != version_for(before.format)
        # A format that was forced once stays until another one is asked for.
        or manner.forced_format not in (None, before.forced_format)
    )


@cache
def version_for(format_name: str | None) -> int:
    """The version of the reader of a format; of all of them where no format took the file."""
    return reader_version(FORMATS.get(format_name or ""), FORMATS.values())


def _sharing(names: Iterable[str], known: Mapping[str, Known]) -> set[str]:
    """The files known and every file that shares a session with one of them, and so on."""
    holders: dict[str, list[str]] = defaultdict(list)
    for name, file in known.items():
        for key in file.session_keys:
            holders[key].append(name)
    reached: set[str] = set()
    pending = [name for name in names if name in known]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += [other for key in known[name].session_keys for other in holders.pop(key, [])]
    return reached


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True  # to be listed as unreadable
    except OSError:
        return False


def _digest(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASH_CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()
