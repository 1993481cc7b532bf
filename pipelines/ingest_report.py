"""What `signals ingest` found below some paths: counts that add up, and what could not be read.

Read from the warehouse after the stages `ingest` and `sessions`. Paths and places are shown, and
words of ours about them; nothing of what a log says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.context import Context
from pipelines.ingest_problems import Problem, broken_record, problems_of
from pipelines.stages.file_state import file_key


@dataclass(frozen=True, slots=True)
class FormatCount:
    """What the files of one format hold; a session in two files counts once."""

    format: str
    files: int
    sessions: int
    steps: int
    """In the files, whether or not they count."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """All that is told of one pass over some paths."""

    files: Mapping[str, int]
    """`found`, and what they were: `unchanged` since they were read, or read now, by status."""
    sessions: Mapping[str, int]
    """`found`, and what became of them: `selected`, or the reason why not."""
    steps: Mapping[str, int]
    """`found` in the files: `counted`, or copied from another session, or in another file too."""
    records: Mapping[str, int]
    """Those that `decoded`, and those `quarantined`: of another shape than their format's, or torn
    apart so that they do not even decode."""
    new: Mapping[str, int]
    """Sessions and steps that were not known before this pass."""
    formats: tuple[FormatCount, ...]
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machines: everything."""
        return asdict(self)


def read_report(
    context: Context, paths: Sequence[Path], counts: Mapping[str, int], since: datetime
) -> IngestReport:
    """The report on `paths` after a pass that began at `since` and gave `counts`."""
    with context.warehouse() as connection:
        _select(connection, paths)
        return IngestReport(
            files=_files(connection, counts["files"], since),
            sessions=_sessions(connection),
            steps=_steps(connection),
            records=_records(connection),
            new={
                "sessions": counts.get("sessions_new", 0),
                "steps": counts.get("steps_new", 0),
                "sessions_excluded": counts.get("sessions_excluded", 0),
            },
            formats=_formats(connection),
            problems=tuple(_problems(connection)),
        )


def _select(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Make the table `reported`: the rows of `source_files` at or below the paths."""
    names = [file_key(path.absolute()) for path in paths]
    folders = [
        f"{name.rstrip('/')}/" for path, name in zip(paths, names, strict=True) if path.is_dir()
    ]
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE reported AS FROM source_files
        WHERE path IN (SELECT unnest(?::VARCHAR[]))
           OR len(list_filter(?::VARCHAR[], lambda folder: starts_with(path, folder))) > 0
        """,
        [names, folders],
    )


def _counted(connection: duckdb.DuckDBPyConnection, sql: str, *given: object) -> dict[str, int]:
    rows = connection.execute(sql, list(given)).fetchall()
    return {str(name): int(number) for name, number in rows}


def _files(connection: duckdb.DuckDBPyConnection, found: int, since: datetime) -> dict[str, int]:
    read = _counted(
        connection,
        "SELECT status, count(*) FROM reported WHERE last_read >= ? GROUP BY 1 ORDER BY 2 DESC, 1",
        since,
    )
    return {"found": found, "unchanged": found - sum(read.values()), **read}


def _sessions(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    fates = _counted(
        connection,
        """
        SELECT coalesce(exclusion, 'selected') AS fate, count(*) FROM sessions
        WHERE session_key IN (SELECT unnest(session_keys) FROM reported)
        GROUP BY 1 ORDER BY fate <> 'selected', 2 DESC, 1
        """,
    )
    return {"found": sum(fates.values()), **fates}


def _steps(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found, counted, copied = connection.execute(
        """
        SELECT (SELECT coalesce(sum(len(source_refs)), 0)
                FROM file_sessions SEMI JOIN reported USING (path)),
               count(*) FILTER (NOT is_copied_context), count(*) FILTER (is_copied_context)
        FROM steps WHERE source_path IN (SELECT path FROM reported)
        """
    ).fetchall()[0]
    return {
        "found": int(found),
        "counted": int(counted),
        "copied from another session": int(copied),
        "in another file too": int(found) - int(counted) - int(copied),
    }


def _records(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    decoded, quarantined = connection.execute(
        """
        SELECT coalesce(sum(records), 0),
               (SELECT count(*) FROM quarantine SEMI JOIN reported USING (path))
        FROM reported WHERE format IS NOT NULL
        """
    ).fetchall()[0]
    return {"decoded": int(decoded), "quarantined": int(quarantined)}


def _formats(connection: duckdb.DuckDBPyConnection) -> tuple[FormatCount, ...]:
    rows = connection.execute(
        """
        WITH keys AS (
            SELECT format, count(DISTINCT session_key) AS sessions
            FROM (SELECT format, unnest(session_keys) AS session_key FROM reported) GROUP BY 1
        ), lengths AS (
            SELECT format, sum(len(source_refs)) AS steps
            FROM file_sessions JOIN reported USING (path) GROUP BY 1
        )
        SELECT format, count(*), coalesce(any_value(sessions), 0), coalesce(any_value(steps), 0)
        FROM reported LEFT JOIN keys USING (format) LEFT JOIN lengths USING (format)
        WHERE format IS NOT NULL GROUP BY format ORDER BY format
        """
    ).fetchall()
    return tuple(FormatCount(name, int(f), int(n), int(s)) for name, f, n, s in rows)


def _problems(connection: duckdb.DuckDBPyConnection) -> Iterable[Problem]:
    for path, status, detail in connection.execute(
        "SELECT path, status, detail FROM reported "
        "WHERE status IN ('unreadable', 'unknown') OR detail IS NOT NULL ORDER BY path"
    ).fetchall():
        yield from problems_of(path, status, detail or "")
    for path, place, reason in connection.execute(
        "SELECT path, place, reason FROM quarantine SEMI JOIN reported USING (path) "
        "ORDER BY path, length(place), place"
    ).fetchall():
        yield broken_record(path, place, reason)
