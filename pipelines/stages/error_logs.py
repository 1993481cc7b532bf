"""Stage `error_logs`: read error logs of services into the warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from agent_core.errors import BadInputError
from pipelines.context import Context
from pipelines.error_logs import ErrorLogFile, ErrorRecord
from pipelines.sources.file_bytes import UnreadableError
from pipelines.warehouse import query, replace_rows, transaction

_SCHEMA = {
    "error_id": pl.String(),
    "occurred_at": pl.Datetime("us", "UTC"),
    "service": pl.String(),
    "severity": pl.String(),
    "error_class": pl.String(),
    "error_signature": pl.String(),
}


@dataclass(frozen=True, slots=True)
class ErrorLogReport:
    """What became of the records in the files."""

    files: int
    errors: int
    """Errors in the files, of which `new` were not in the warehouse yet."""
    new: int
    passed_over: int
    """Records below the level of an error."""
    broken: tuple[str, ...]
    """`path place: reason`, one for each record that could not be read."""

    @property
    def counts(self) -> dict[str, int]:
        """All of it in numbers."""
        return {
            "files": self.files,
            "errors": self.errors,
            "new": self.new,
            "passed_over": self.passed_over,
            "broken": len(self.broken),
        }


def ingest_error_logs(context: Context, paths: Sequence[Path]) -> ErrorLogReport:
    """Read the files; what stands in the warehouse already changes nothing.

    Raises BadInputError, before anything is written, for a file that cannot be read.
    """
    salt = context.home.salt()
    files = [ErrorLogFile(path, salt) for path in dict.fromkeys(paths)]
    read = [_records(file) for file in files]
    rows = {record.error_id: record for records in read for record in records}
    with context.warehouse() as connection, transaction(connection):
        before = _count(query(connection, "SELECT count(*) FROM error_logs"))
        frame = pl.DataFrame(list(rows.values()), schema=_SCHEMA, orient="row")
        replace_rows(connection, "error_logs", frame)
        after = _count(query(connection, "SELECT count(*) FROM error_logs"))
    return ErrorLogReport(
        files=len(files),
        errors=sum(len(records) for records in read),
        new=after - before,
        passed_over=sum(file.passed_over for file in files),
        broken=tuple(f"{file.path} {problem}" for file in files for problem in file.broken),
    )


def _records(file: ErrorLogFile) -> list[ErrorRecord]:
    if not file.path.is_file():
        what = "is a folder; name its files" if file.path.is_dir() else "no such file"
        raise BadInputError(f"{file.path}: {what}")
    try:
        return list(file.records())
    except UnreadableError as error:
        raise BadInputError(
            f"{file.path}: cannot be read as an error log ({error}); JSON lines, JSON and OTLP "
            "logs are read, also gzipped"
        ) from error


def _count(rows: pl.DataFrame) -> int:
    return int(rows.item())
