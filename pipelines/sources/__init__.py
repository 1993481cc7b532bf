"""Log formats: from files on disk to sessions in canonical form."""

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
