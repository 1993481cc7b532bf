"""What a reader of logs takes and gives: the interface that every format implements."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from agent_core.session import Session
from pipelines.sources.file_bytes import Stamp
from pipelines.sources.log_file import Head, LogFile

READER_VERSION = 3
"""Goes up when what all formats share gives other steps: every known file is read anew."""

Status = Literal["read", "part", "unknown", "empty", "metadata", "unreadable"]
Evidence = Literal["real files", "documentation"]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that could not be read; `reason` quotes nothing of its content."""

    place: str
    """`line:N` (1-based, of the decompressed file) or a JSON pointer."""
    reason: str


def broken_records(log: LogFile) -> list[Quarantined]:
    """The lines of a line-based file that do not decode.

    Asked for after the records were iterated over it costs nothing; before, a pass of its own.
    """
    return [Quarantined(f"line:{line.line}", line.reason) for line in log.broken_lines]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The sessions of one file and the records that had to be left out."""

    sessions: tuple[Session, ...]
    quarantined: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()
    """What was unusual about the file, each in words that quote nothing of it."""
    part_of: Path | None = None
    """The file that is read for this one too, where a conversation is a folder of files."""
    records: int | None = None
    """How many records were read, where it is not those of this file alone."""


@dataclass(frozen=True, slots=True)
class FileReading:
    """One file as it was read: what it is, its sessions, and what could not be used."""

    path: Path
    status: Status
    format: str | None = None
    """A key of `FORMATS`; None where the status is neither `read` nor `part`."""
    detail: str | None = None
    """Why the file was not read, or what was unusual about it, in words."""
    records: int = 0
    """Records that decoded, whether or not they belong to a conversation."""
    sessions: tuple[Session, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    torn_line: int | None = None
    """The last line, when it is cut off in the middle: it waits for its rest."""
    stamp: Stamp | None = field(default=None, compare=False)
    """Of the bytes that were read; None where there are none."""


class Source(Protocol):
    """One log format. Neither method raises for what a file contains."""

    @property
    def name(self) -> str:
        """What the format is called in the tables and by `--format`."""
        ...

    @property
    def version(self) -> int:
        """Goes up with every change that gives other steps: its files are read anew."""
        ...

    @property
    def evidence(self) -> Evidence:
        """What the reader was built from and is tested with."""
        ...

    @property
    def is_general(self) -> bool:
        """Whether files of other formats look like it too: it is asked after the others."""
        ...

    def detect(self, head: Head) -> bool:
        """Whether a file that begins like this is of the format."""
        ...

    def read(self, log: LogFile) -> Parsed:
        """The sessions of a file of the format."""
        ...


@runtime_checkable
class SpansFolder(Protocol):
    """A source with conversations that are a folder of files; the others leave this out."""

    def conversation_folder(self, path: Path) -> Path | None:
        """The folder of the conversation that a file named so is a part of, by its path alone.

        None for a file that stands alone. One file of a conversation is read for all of them.
        """
        ...


def reader_version(source: Source | None, all_sources: Iterable[Source]) -> int:
    """A number that changes when a file must be read anew: one of `source`, or of none.

    A file that no format takes is looked at again when any format is added or changed.
    """
    concerned = all_sources if source is None else (source,)
    told = ";".join(f"{s.name} {s.version}" for s in concerned)
    return zlib.crc32(f"{READER_VERSION};{told}".encode())
