"""What the warehouse keeps of each file: its row, what it holds of each session, broken records."""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import polars as pl

from pipelines.stages.file_state import Manner, version_for
from pipelines.stages.reading import FileRows
from pipelines.warehouse import query, replace_rows

_FILE: dict[str, pl.DataType] = {
    "path": pl.String(),
    "status": pl.String(),
    "format": pl.String(),
    "detail": pl.String(),
    "size": pl.Int64(),
    "mtime_ns": pl.Int64(),
    "sha256": pl.String(),
    "records": pl.Int64(),
    "quarantined": pl.Int64(),
    "session_keys": pl.List(pl.String()),
    "forced_format": pl.String(),
    "reader_version": pl.Int64(),
    "sources_hash": pl.String(),
    "last_read": pl.Datetime("us", "UTC"),
}
_QUARANTINE: dict[str, pl.DataType] = {
    "path": pl.String(),
    "place": pl.String(),
    "reason": pl.String(),
    "seen_at": pl.Datetime("us", "UTC"),
}


def write_files(
    connection: duckdb.DuckDBPyConnection,
    batch: Sequence[FileRows],
    manner: Manner,
    now: datetime,
) -> list[str]:
    """Write the rows of the files, take away the steps that they held before, and return the keys
    of the sessions whose steps those were.

    A file that could not be read now keeps all of it, and only says so.
    """
    _write_unreadable(connection, [r for r in batch if r.status == "unreadable"], manner, now)
    read = [rows for rows in batch if rows.status != "unreadable"]
    before = _known(connection, [rows.path for rows in read])
    for table, column in (
        ("steps", "source_path"),
        ("quarantine", "path"),
        ("file_sessions", "path"),
    ):
        if before.height:  # a search for nothing would still look at every row
            paths = before["path"].to_list()
            connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT unnest(?))", [paths])
    files = _file_frame(read, manner, now).join(
        before.select("path", "first_seen"), on="path", how="left"
    )
    files = files.with_columns(pl.coalesce("first_seen", "last_read").alias("first_seen"))
    replace_rows(connection, "source_files", files)
    replace_rows(connection, "quarantine", _quarantine_frame(read, now))
    return before["session_keys"].explode().drop_nulls().unique().to_list()


def _known(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> pl.DataFrame:
    return query(
        connection,
        "SELECT path, first_seen, session_keys FROM source_files "
        "WHERE path IN (SELECT unnest(?::VARCHAR[]))",
        [list(paths)],
    )


def forget_sessions(
    connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str], *, with_verdicts: bool
) -> None:
    """Take away those of the sessions that no file holds any more, with all that follows.

    Without `with_verdicts` judgements stay, which may have been paid for: they count again when
    the session comes back with the content that was judged.
    """
    gone = query(
        connection,
        "SELECT unnest(?::VARCHAR[]) AS session_key "
        "EXCEPT SELECT unnest(session_keys) FROM source_files",
        [list(session_keys)],
    )["session_key"].to_list()
    told = ("moments", "facet_values", "request_readings", "unserved_requests")
    for table in ("sessions", *told, *["judgements"] * with_verdicts):
        connection.execute(f"DELETE FROM {table} WHERE session_key IN (SELECT unnest(?))", [gone])


def _write_unreadable(
    connection: duckdb.DuckDBPyConnection, batch: Sequence[FileRows], manner: Manner, now: datetime
) -> None:
    if not batch:
        return
    connection.register("incoming", _file_frame(batch, manner, now).to_arrow())
    connection.execute(
        """
        INSERT INTO source_files BY NAME
        SELECT *, last_read AS first_seen FROM incoming
        ON CONFLICT (path) DO UPDATE SET
            status = excluded.status, detail = excluded.detail, last_read = excluded.last_read
        """
    )
    connection.unregister("incoming")


def _quarantine_frame(batch: Sequence[FileRows], now: datetime) -> pl.DataFrame:
    broken = [
        (rows.path, place, reason, now)
        for rows in batch
        for place, reason in {q.place: q.reason for q in rows.reading.quarantined}.items()
    ]
    return pl.DataFrame(broken, schema=_QUARANTINE, orient="row")


def _file_frame(batch: Sequence[FileRows], manner: Manner, now: datetime) -> pl.DataFrame:
    rows = [_file_row(rows, manner, now) for rows in batch]
    return pl.DataFrame(rows, schema=_FILE, orient="row")


def _file_row(rows: FileRows, manner: Manner, now: datetime) -> tuple[object, ...]:
    reading, stamp = rows.reading, rows.reading.stamp
    return (
        rows.path,
        rows.status,
        reading.format,
        reading.detail,
        *((stamp.size, stamp.mtime_ns, stamp.sha256) if stamp else (0, 0, None)),
        reading.records,
        len(reading.quarantined),
        list(rows.session_keys),
        rows.forced_format,
        version_for(reading.format),
        manner.sources_hash,
        now,
    )
