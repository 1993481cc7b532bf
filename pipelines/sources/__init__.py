"""Log formats: from files on disk to sessions in canonical form."""

from pipelines.sources.files import FORMATS, find_files, read_file, read_log
from pipelines.sources.log_file import MAX_BYTES, Head, LogFile, UnreadableError
from pipelines.sources.reading import FileReading, Parsed, Quarantined, Source, Status

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "FileReading",
    "Head",
    "LogFile",
    "Parsed",
    "Quarantined",
    "Source",
    "Status",
    "UnreadableError",
    "find_files",
    "read_file",
    "read_log",
]
