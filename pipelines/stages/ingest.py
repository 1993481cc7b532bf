"""Stage `ingest`: log files into `source_files`, `quarantine`, `steps` and session headers.

A file whose size and time are as they were is not opened; one whose content is as it was is not
parsed. Each batch of files is one transaction, so that a run killed anywhere goes on next time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from agent_core.errors import BadInputError
from pipelines.context import Context
from pipelines.sources import FORMATS, list_files
from pipelines.stages.file_rows import forget_sessions, write_files
from pipelines.stages.file_state import Manner, load_known, manner_of, plan_reading, record_plan
from pipelines.stages.provenance import CoreLogs
from pipelines.stages.reading import Batch, read_batches
from pipelines.stages.session_steps import write_sessions
from pipelines.stages.spool import SpooledSteps, spool_folder
from pipelines.warehouse import transaction
from pipelines.warehouse.session_rows import header_frame

_MEMORY = "256MB"
"""What the warehouse may hold in memory while steps are written; the rest waits on disk."""
_TRANSACTION_BYTES = 200_000_000
"""Of steps: what is written at once, for a second or two."""


def ingest(
    context: Context, paths: Sequence[Path], *, format_name: str | None = None
) -> dict[str, int]:
    """Read what is new below `paths` and return counts.

    Raises BadInputError for a path that does not exist or a format that is not known.
    """
    if format_name is not None and format_name not in FORMATS:
        raise BadInputError(f"--format {format_name}: not one of {', '.join(sorted(FORMATS))}")
    found = list_files(paths)
    manner = manner_of(context.config.sources, format_name)
    with context.warehouse() as connection:
        known = load_known(connection)
    plan = plan_reading(found, known, manner)
    with context.warehouse() as connection, transaction(connection):
        record_plan(connection, plan)
    counts = Counter(files=len(found), unchanged=len(found) - len(plan.changed))
    done = 0
    with spool_folder(context.home.spool) as spool:
        core = CoreLogs.of(context.home)
        for batches in _gathered(read_batches(plan.to_read, context.config.sources, core, spool)):
            with context.warehouse() as connection, transaction(connection):
                counts.update(_write(connection, batches, manner, context.clock()))
            for batch in batches:
                batch.steps.unlink()
                done += len(batch.files)
            context.progress("files read", done, len(plan.to_read))
    return dict(counts)


def _gathered(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """As many batches together as one transaction writes: each costs the same, however small."""
    gathered: list[Batch] = []
    size = 0
    for batch in batches:
        gathered.append(batch)
        size += batch.steps.stat().st_size
        if size > _TRANSACTION_BYTES:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _write(
    connection: duckdb.DuckDBPyConnection,
    batches: Sequence[Batch],
    manner: Manner,
    now: datetime,
) -> Counter[str]:
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    files = [rows for batch in batches for rows in batch.files]
    steps = SpooledSteps([batch.steps for batch in batches])
    sessions_before, steps_before = _count(connection, "sessions"), _count(connection, "steps")
    held_before = write_files(connection, files, manner, now)
    steps_kept = _count(connection, "steps")
    headers = header_frame(header for rows in files for header in rows.headers)
    write_sessions(connection, headers, steps, now)
    sessions_after, steps_after = _count(connection, "sessions"), _count(connection, "steps")
    excluded = [key for rows in files for key in rows.excluded_keys]
    forget_sessions(connection, excluded, with_verdicts=True)
    forget_sessions(connection, held_before, with_verdicts=False)
    counts = Counter(f"files_{rows.status}" for rows in files)
    counts["sessions_new"] = sessions_after - sessions_before
    counts["sessions_excluded"] = sum(len(rows.excluded_keys) for rows in files)
    counts["steps_new"] = max(0, steps_after - steps_before)
    counts["steps_duplicate"] = sum(batch.step_count for batch in batches) - (
        steps_after - steps_kept
    )
    counts["quarantined"] = sum(len(rows.reading.quarantined) for rows in files)
    return counts


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
