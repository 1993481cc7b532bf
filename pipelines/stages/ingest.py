"""Stage `ingest`: log files into `source_files`, `quarantine`, `steps` and session headers.

A file whose size and time are as they were is not opened; one whose content is as it was is not
parsed. Each batch of files is one transaction, so that a run killed anywhere goes on next time.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from agent_core.errors import BadInputError
from pipelines.context import Context
from pipelines.sources import FORMATS, find_files
from pipelines.stages.file_rows import forget_sessions, write_files
from pipelines.stages.file_state import Manner, load_known, manner_of, plan_reading, record_plan
from pipelines.stages.provenance import CoreLogs
from pipelines.stages.reading import FileRows, read_batches
from pipelines.warehouse import transaction


def ingest(
    context: Context, paths: Sequence[Path], *, format_name: str | None = None
) -> dict[str, int]:
    """Read what is new below `paths` and return counts.

    Raises BadInputError for a path that does not exist or a format that is not known.
    """
    if format_name is not None and format_name not in FORMATS:
        raise BadInputError(f"--format {format_name}: not one of {', '.join(sorted(FORMATS))}")
    found = find_files(paths)
    manner = manner_of(context.config.sources, format_name)
    with context.warehouse() as connection:
        known = load_known(connection)
    plan = plan_reading(found, known, manner)
    with context.warehouse() as connection, transaction(connection):
        record_plan(connection, plan)
    counts = Counter(files=len(found), unchanged=len(found) - len(plan.changed))
    done = 0
    for batch in read_batches(plan.to_read, context.config.sources, CoreLogs.of(context.home)):
        with context.warehouse() as connection, transaction(connection):
            counts.update(_write(connection, batch, manner, context.clock()))
        done += len(batch)
        context.progress("files read", done, len(plan.to_read))
    return dict(counts)


def _write(
    connection: duckdb.DuckDBPyConnection,
    batch: Sequence[FileRows],
    manner: Manner,
    now: datetime,
) -> Counter[str]:
    sessions_before, steps_before = _count(connection, "sessions"), _count(connection, "steps")
    write_files(connection, batch, manner, now)
    steps_kept = _count(connection, "steps")
    headers = pl.concat([rows.headers for rows in batch])
    steps = pl.concat([rows.steps for rows in batch])
    _write_headers(connection, headers, now)
    _write_steps(connection, steps)
    # Until the stage `sessions` has looked again, nothing is known of what these sessions hold.
    connection.execute(
        "UPDATE sessions SET content_hash = NULL WHERE session_key IN (SELECT unnest(?))",
        [headers["session_key"].unique().to_list()],
    )
    sessions_after, steps_after = _count(connection, "sessions"), _count(connection, "steps")
    forget_sessions(connection, [key for rows in batch for key in rows.excluded_keys])
    counts = Counter(f"files_{rows.status}" for rows in batch)
    counts["sessions_new"] = sessions_after - sessions_before
    counts["sessions_excluded"] = sum(len(rows.excluded_keys) for rows in batch)
    counts["steps_new"] = max(0, steps_after - steps_before)
    counts["steps_duplicate"] = steps.height - (steps_after - steps_kept)
    counts["quarantined"] = sum(len(rows.reading.quarantined) for rows in batch)
    return counts


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


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
          AND list_contains(file.session_keys, incoming.session_key)
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
            parent_key = excluded.parent_key,
            converted_agent = excluded.converted_agent,
            converted_id = excluded.converted_id, is_autonomous = excluded.is_autonomous,
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
