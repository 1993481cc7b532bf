"""Log formats: from files on disk to sessions in canonical form.

The names are imported when they are first used: a hook that reads one format of log must answer
before all the others are loaded.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.sources.file_bytes import Stamp, UnreadableError
    from pipelines.sources.files import failure_place, read_file, read_log
    from pipelines.sources.finding import Listed, find_files, list_files
    from pipelines.sources.formats import FORMATS
    from pipelines.sources.log_file import Head, LogFile
    from pipelines.sources.reading import (
        FileReading,
        Parsed,
        Quarantined,
        Source,
        Status,
        reader_version,
    )

_HOMES = {
    "file_bytes": ("Stamp", "UnreadableError"),
    "files": ("failure_place", "read_file", "read_log"),
    "finding": ("Listed", "find_files", "list_files"),
    "formats": ("FORMATS",),
    "log_file": ("Head", "LogFile"),
    "reading": ("FileReading", "Parsed", "Quarantined", "Source", "Status", "reader_version"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "FORMATS",
    "FileReading",
    "Head",
    "Listed",
    "LogFile",
    "Parsed",
    "Quarantined",
    "Source",
    "Stamp",
    "Status",
    "UnreadableError",
    "failure_place",
    "find_files",
    "list_files",
    "read_file",
    "read_log",
    "reader_version",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
