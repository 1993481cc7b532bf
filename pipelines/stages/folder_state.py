"""Conversations that are a folder of files, of which one is read for all: who belongs together.

When any file of such a folder is read, the one that is read for all must be read too; and where
a part is on disk no more, what was read of it stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipelines.sources import FORMATS
from pipelines.sources.reading import SpansFolder


class Lost(NamedTuple):
    """Parts of a conversation that are on disk no more."""

    reader: str | None
    """The file that was read for them."""
    parts: list[str]


@cache
def _spanning() -> Mapping[str, SpansFolder]:
    return {name: source for name, source in FORMATS.items() if isinstance(source, SpansFolder)}


def conversation_of(path: Path) -> str | None:
    """The folder of the conversation that a file named so may be a part of; None for others."""
    folders = (source.conversation_folder(path) for source in _spanning().values())
    return next((str(folder) for folder in folders if folder is not None), None)


def members_of(
    folders: set[str], formats: Iterable[tuple[str, str | None]]
) -> dict[str, list[str]]:
    """The names, among pairs of name and format, of the files in each of the folders."""
    members: dict[str, list[str]] = defaultdict(list)
    if folders:
        for name, format_name in formats:
            source = _spanning().get(format_name or "")
            folder = source.conversation_folder(Path(name)) if source else None
            if folder is not None and str(folder) in folders:
                members[str(folder)].append(name)
    return members


def reading_order(path: Path) -> tuple[str, int, int, tuple[int, ...]]:
    """Sorts files by path, those of one conversation with its first file last.

    So no part is read after the file that is read for all: one that changes in between has a
    new time in the next run.
    """
    conversation = conversation_of(path)
    if conversation is None:
        return str(path), 0, 0, ()
    return conversation, len(path.parts), -len(path.name), tuple(-ord(c) for c in path.name)


def keep_lost(connection: duckdb.DuckDBPyConnection, lost: Lost) -> None:
    """Let the steps of a reader that is to be read anew stand under a part that is gone.

    What the reader still finds it takes back; the rest stays, as if the part were a copy of the
    session elsewhere. Whichever part comes back is read again.
    """
    connection.execute(
        "UPDATE source_files SET mtime_ns = -1, sha256 = NULL WHERE path IN (SELECT unnest(?))",
        [lost.parts],
    )
    if lost.reader is None:
        return
    names = {"part": lost.parts[0], "reader": lost.reader}
    for statement in _HAND_OVER:
        connection.execute(statement, names)


_HAND_OVER = (
    """
    UPDATE source_files SET records = 0, session_keys = (
        SELECT session_keys FROM source_files WHERE path = $reader)
    WHERE path = $part
    """,
    "UPDATE steps SET source_path = $part WHERE source_path = $reader",
    """
    INSERT OR REPLACE INTO file_sessions BY NAME
    SELECT $part AS path, session_key, source_refs FROM file_sessions WHERE path = $reader
    """,
)
