"""Stage `ingest`: log files into `source_files`, `quarantine`, `steps` and session headers.

A file whose size and time are as they were is not opened; one whose content is as it was is not
parsed. Each batch of files is one transaction, so that a run killed anywhere goes on next time.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from agent_core.errors import BadInputError
from pipelines.context import Context
from pipelines.sources import FORMATS, find_files
from pipelines.stages.reading import FileRows, read_batches
from pipelines.warehouse import query, replace_rows, transaction

_HASH_CHUNK = 1 << 20
_QUARANTINE: dict[str, pl.DataType] = {
    "path": pl.String(),
    "place": pl.String(),
    "reason": pl.String(),
    "seen_at": pl.Datetime("us", "UTC"),
}


def ingest(
    context: Context, paths: Sequence[Path], *, format_name: str | None = None
) -> dict[str, int]:
    """Read what is new below `paths` and return counts.

    Raises BadInputError for a path that does not exist or a format that is not known.
    """
    if format_name is not None and format_name not in FORMATS:
        raise BadInputError(f"--format {format_name}: not one of {', '.join(sorted(FORMATS))}")
    found = find_files(paths)
    with context.warehouse() as connection:
        changed = _changed_files(connection, found)
        to_read = sorted({*changed, *_companions(connection, changed)})
    counts: Counter[str] = Counter(files=len(found), unchanged=len(found) - len(changed))
    done = 0
    for batch in read_batches(to_read, context.config.sources, format_name):
        with context.warehouse() as connection, transaction(connection):
            counts.update(_write(connection, batch, context.clock()))
        done += len(batch)
        context.progress("files read", done, len(to_read))
    return dict(counts)


def _changed_files(connection: duckdb.DuckDBPyConnection, found: Sequence[Path]) -> list[Path]:
    known = {
        path: (size, mtime, digest)
        for path, size, mtime, digest in connection.execute(
            "SELECT path, size, mtime_ns, sha256 FROM source_files"
        ).fetchall()
    }
    changed = []
    for path in found:
        size, mtime = _stamp(path)
        before = known.get(str(path))
        if before is None or before[:2] != (size, mtime):
            if before is not None and before[2] == _digest(path):
                _touch(connection, path, size, mtime)
            else:
                changed.append(path)
    return changed


def _touch(connection: duckdb.DuckDBPyConnection, path: Path, size: int, mtime: int) -> None:
    connection.execute(
        "UPDATE source_files SET size = ?, mtime_ns = ? WHERE path = ?", [size, mtime, str(path)]
    )


def _companions(connection: duckdb.DuckDBPyConnection, changed: Sequence[Path]) -> list[Path]:
    """Other files with sessions of the changed ones.

    They are read again, since a file that has changed may have taken steps over from them.
    """
    rows = connection.execute(
        "SELECT DISTINCT other.path FROM source_files AS file JOIN source_files AS other "
        "ON list_has_any(file.session_keys, other.session_keys) "
        "WHERE file.path IN (SELECT unnest(?))",
        [[str(path) for path in changed]],
    ).fetchall()
    return [Path(path) for (path,) in rows if Path(path).is_file()]


def _write(
    connection: duckdb.DuckDBPyConnection, batch: Sequence[FileRows], now: datetime
) -> Counter[str]:
    sessions_before, steps_before = _count(connection, "sessions"), _count(connection, "steps")
    _write_files(connection, batch, now)
    steps_kept = _count(connection, "steps")
    headers = pl.concat([rows.headers for rows in batch])
    steps = pl.concat([rows.steps for rows in batch])
    _write_headers(connection, headers, now)
    _write_steps(connection, steps)
    steps_after = _count(connection, "steps")
    counts = Counter(f"files_{rows.status}" for rows in batch)
    counts["sessions_new"] = _count(connection, "sessions") - sessions_before
    counts["sessions_excluded"] = sum(rows.excluded_sessions for rows in batch)
    counts["steps_new"] = steps_after - steps_before
    counts["steps_duplicate"] = steps.height - (steps_after - steps_kept)
    counts["quarantined"] = sum(len(rows.reading.quarantined) for rows in batch)
    return counts


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def _write_files(
    connection: duckdb.DuckDBPyConnection, batch: Sequence[FileRows], now: datetime
) -> None:
    rows = pl.DataFrame([_file_row(rows, now) for rows in batch])
    connection.execute(
        "DELETE FROM steps WHERE source_path IN (SELECT unnest(?))", [rows["path"].to_list()]
    )
    connection.execute(
        "DELETE FROM quarantine WHERE path IN (SELECT unnest(?))", [rows["path"].to_list()]
    )
    seen = query(connection, "SELECT path, first_seen FROM source_files")
    rows = rows.join(seen, on="path", how="left").with_columns(
        pl.coalesce("first_seen", "last_read").alias("first_seen")
    )
    replace_rows(connection, "source_files", rows)
    broken = [
        (rows.reading.path.as_posix(), place, reason, now)
        for rows in batch
        for place, reason in {q.place: q.reason for q in rows.reading.quarantined}.items()
    ]
    replace_rows(connection, "quarantine", pl.DataFrame(broken, schema=_QUARANTINE, orient="row"))


def _file_row(rows: FileRows, now: datetime) -> dict[str, object]:
    reading = rows.reading
    size, mtime = _stamp(reading.path)
    return {
        "path": str(reading.path),
        "status": rows.status,
        "format": reading.format,
        "detail": reading.detail,
        "size": size,
        "mtime_ns": mtime,
        "sha256": _digest(reading.path),
        "records": reading.records,
        "quarantined": len(reading.quarantined),
        "session_keys": pl.Series(rows.session_keys, dtype=pl.String),
        "last_read": now,
    }


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _digest(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASH_CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


# Among copies of one session the file with most records speaks, then the smaller path. The
# companions of a changed file are in the same run, and `source_files` has all of them by now.
_BEST_FIRST = "file.records DESC, incoming.source_path"


def _write_headers(
    connection: duckdb.DuckDBPyConnection, headers: pl.DataFrame, now: datetime
) -> None:
    connection.register("incoming", headers.to_arrow())
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE best_headers AS
        SELECT incoming.*, file.records FROM incoming
        JOIN source_files AS file ON file.path = incoming.source_path
        QUALIFY row_number() OVER (PARTITION BY session_key ORDER BY {_BEST_FIRST}) = 1
        """
    )
    connection.execute(
        """
        DELETE FROM best_headers AS incoming USING sessions, source_files AS file
        WHERE sessions.session_key = incoming.session_key
          AND file.path = sessions.source_path
          AND file.path <> incoming.source_path
          AND (file.records, incoming.source_path) > (incoming.records, file.path)
        """
    )
    connection.execute(
        """
        INSERT INTO sessions BY NAME
        SELECT * EXCLUDE (records), ? AS first_seen FROM best_headers
        ON CONFLICT (session_key) DO UPDATE SET
            source_path = excluded.source_path, agent = excluded.agent,
            agent_version = excluded.agent_version, release = excluded.release,
            user_id = excluded.user_id, project = excluded.project,
            parent_key = excluded.parent_key, is_autonomous = excluded.is_autonomous,
            is_simulated_user = excluded.is_simulated_user, started_at = excluded.started_at,
            ended_at = excluded.ended_at, outcome = excluded.outcome
        """,
        [now],
    )
    connection.unregister("incoming")


# A line number or a JSON pointer says where a record stands in one file; in a copy of the session
# elsewhere the same record has another. Such steps are taken from the session's best file alone.
_POSITIONAL = "(source_ref LIKE 'line:%' OR source_ref LIKE '#%')"


def _write_steps(connection: duckdb.DuckDBPyConnection, steps: pl.DataFrame) -> None:
    connection.register("incoming", steps.to_arrow())
    connection.execute(
        f"""
        DELETE FROM steps USING sessions
        WHERE steps.session_key = sessions.session_key AND {_POSITIONAL}
          AND steps.source_path <> sessions.source_path
        """
    )
    connection.execute(
        f"""
        INSERT OR REPLACE INTO steps BY NAME
        SELECT incoming.* FROM incoming
        JOIN source_files AS file ON file.path = incoming.source_path
        JOIN sessions ON sessions.session_key = incoming.session_key
        LEFT JOIN steps AS known
          ON (known.session_key, known.source_ref) = (incoming.session_key, incoming.source_ref)
        LEFT JOIN source_files AS known_file ON known_file.path = known.source_path
        WHERE (known_file.path IS NULL
               OR (file.records, known_file.path) > (known_file.records, file.path))
          AND (incoming.source_path = sessions.source_path
               OR NOT {_POSITIONAL.replace("source_ref", "incoming.source_ref")})
        QUALIFY row_number() OVER (
            PARTITION BY incoming.session_key, incoming.source_ref ORDER BY {_BEST_FIRST}
        ) = 1
        """
    )
    connection.unregister("incoming")
