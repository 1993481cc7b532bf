"""Log formats: from files on disk to sessions in canonical form."""

from pipelines.sources.files import FORMATS, failure_place, find_files, read_file, read_log
from pipelines.sources.log_file import MAX_BYTES, Head, LogFile, Stamp, UnreadableError
from pipelines.sources.reading import (
    READER_VERSION,
    FileReading,
    Parsed,
    Quarantined,
    Source,
    Status,
)

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "READER_VERSION",
    "FileReading",
    "Head",
    "LogFile",
    "Parsed",
    "Quarantined",
    "Source",
    "Stamp",
    "Status",
    "UnreadableError",
    "failure_place",
    "find_files",
    "read_file",
    "read_log",
]
