"""What a reader of logs takes and gives: the interface that every format implements."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from agent_core.session import Session
from pipelines.sources.log_file import Head, LogFile, Stamp

READER_VERSION = 1
"""Goes up with every change of a reader that gives other steps: known files are read anew."""

Status = Literal["read", "unknown", "empty", "metadata", "unreadable"]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that could not be read; `reason` quotes nothing of its content."""

    place: str
    """`line:N` (1-based, of the decompressed file) or a JSON pointer."""
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The sessions of one file and the records that had to be left out."""

    sessions: tuple[Session, ...]
    quarantined: tuple[Quarantined, ...] = ()


@dataclass(frozen=True, slots=True)
class FileReading:
    """One file as it was read: what it is, its sessions, and what could not be used."""

    path: Path
    status: Status
    format: str | None = None
    """A key of `FORMATS`; None where the status is not `read`."""
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

    name: str

    def detect(self, head: Head) -> bool:
        """Whether a file that begins like this is of the format."""
        ...

    def read(self, log: LogFile) -> Parsed:
        """The sessions of a file of the format."""
        ...
