"""Publish what people read: Parquet tables under a run id, made current by one rename.

    snapshots/<run id>/<table>.parquet    the tables of snapshot_tables.toml
    snapshots/<run id>/schema.json        run, mode, floors, and every table's columns and meaning
    snapshots/current                     {"run_id": ..., "directory": ...}; swapped by rename

Readers resolve `current` once and then read that directory, which later runs leave alone until
`KEPT_SNAPSHOTS` newer ones stand beside it, or until a team's snapshot takes an owner's place.
All of it is for the eyes of the user who runs Signals, whatever the umask.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from agent_core.errors import BadInputError, HomeError, SignalsError
from pipelines.accuracy import judge_quality
from pipelines.proposal_words import proposal_figures
from pipelines.rates import JUDGEMENTS_SCHEMA, MOMENTS_SCHEMA, SESSIONS_SCHEMA, session_rates
from pipelines.schemas import schema_changes
from pipelines.stages.snapshot_tables import Mode, Publication, Table, load_tables, load_views

KEPT_SNAPSHOTS = 5
POINTER = "current"
SCHEMA_VERSION = 3
_DRAFT = ".tmp"


def publish_snapshot(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Path,
    *,
    run_id: str,
    mode: Mode,
    now: datetime,
    min_sessions: int,
    min_users: int,
) -> dict[str, int]:
    """Write the warehouse's published tables and make them current; rows by table.

    Nothing changes for readers until all is written. A second publication under one run id stands
    beside the first as `<run id>-2`. In team mode every snapshot of another mode is removed, also
    from under its readers. Raises SignalsError where a moment refers to a session that is not
    there, BadInputError where the run id cannot name a directory, HomeError where a snapshot of
    another mode cannot be removed.
    """
    _check_run_id(run_id)
    _refuse_orphans(connection)
    publication = Publication(mode, min_sessions, min_users)
    draft = _new_draft(snapshots, run_id)
    counts = _write_tables(connection, draft, publication)
    _write_json(draft / "schema.json", _schema(run_id, publication, now, counts))
    published = _free_directory(snapshots, run_id)
    draft.rename(published)
    _point_to(snapshots, run_id, published.name)
    if mode == "team":
        _remove_other_modes(snapshots, mode)
    _prune(snapshots, published.name)
    return counts


def current_snapshot(snapshots: Path) -> Path | None:
    """The directory that `current` names; None before the first publication.

    Raises SignalsError where the pointer is damaged or what it names is gone.
    """
    pointer = snapshots / POINTER
    if not pointer.exists():
        return None
    try:
        directory = snapshots / str(json.loads(pointer.read_bytes())["directory"])
    except (ValueError, KeyError, TypeError) as error:
        raise SignalsError(f"{pointer} is damaged: run `signals run` to publish again") from error
    if not (directory / "schema.json").is_file():
        raise SignalsError(f"snapshot {directory} is gone: run `signals run` to publish again")
    return directory


def _new_draft(snapshots: Path, run_id: str) -> Path:
    draft = snapshots / f"{run_id}{_DRAFT}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for folder in (snapshots, draft):
        folder.chmod(0o700)
    return draft


def _check_run_id(run_id: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", run_id) or run_id == POINTER:
        raise BadInputError(f"run id {run_id!r} cannot name a directory: use letters and digits")


def _refuse_orphans(connection: duckdb.DuckDBPyConnection) -> None:
    orphans = connection.execute(
        "SELECT moment_id, session_key, count(*) OVER () FROM moments ANTI JOIN sessions"
        " USING (session_key) ORDER BY moment_id LIMIT 1"
    ).fetchone()
    if orphans:
        moment, session, count = orphans
        raise SignalsError(
            f"not published: moment {moment} refers to session {session}, which does not exist"
            f" ({count} such moments); ingest the logs again or delete these moments"
        )


def _write_tables(
    connection: duckdb.DuckDBPyConnection, draft: Path, publication: Publication
) -> dict[str, int]:
    tables = [table for table in load_tables() if publication.mode in table.modes]
    connection.execute(load_views(publication.mode))
    computed = {**_computed(connection), "withheld": _withheld_rows({})}
    for name, frame in computed.items():
        connection.register(f"computed_{name}", frame)
    try:
        withheld = {t.name: _select(connection, t, publication) for t in tables}
        connection.register("computed_withheld", _withheld_rows(withheld))
        return {table.name: _copy(connection, table, draft) for table in tables}
    finally:
        for name in computed:
            connection.unregister(f"computed_{name}")


def _computed(connection: duckdb.DuckDBPyConnection) -> dict[str, pl.DataFrame]:
    sessions = _read(connection, "sessions", SESSIONS_SCHEMA)
    judgements = _read(connection, "standing_judgements", JUDGEMENTS_SCHEMA)
    moments = _read(connection, "published_moments", MOMENTS_SCHEMA)
    groups = {
        "rates_overall": (),
        "rates_daily": ("day",),
        "rates_by_release": ("agent", "release"),
    }
    rates = {
        name: session_rates(sessions, judgements, moments, by=by) for name, by in groups.items()
    }
    return {
        **rates,
        "judge_quality": judge_quality(connection),
        "schema_changes": schema_changes(connection),
        "proposal_figures": proposal_figures(connection),
    }


def _read(
    connection: duckdb.DuckDBPyConnection, table: str, schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    frame: pl.DataFrame = connection.sql(f"SELECT {', '.join(schema)} FROM {table}").pl()
    return frame.cast(pl.Schema(schema))


def _select(connection: duckdb.DuckDBPyConnection, table: Table, publication: Publication) -> int:
    """Make `snapshot_<table>` the rows to publish; how many the floors withhold."""
    selection, kept = table.selection(publication), table.above_floors(publication)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW snapshot_{table.name} AS"
        f" SELECT {columns} FROM ({selection}) WHERE {kept}"
    )
    if kept == "true":
        return 0
    below = f"SELECT count(*) FROM ({selection}) WHERE NOT coalesce({kept}, false)"
    return int(connection.execute(below).fetchall()[0][0])


def _withheld_rows(withheld: Mapping[str, int]) -> pl.DataFrame:
    rows = [(name, count) for name, count in withheld.items() if count]
    return pl.DataFrame(rows, schema={"name": pl.String, "count": pl.Int64}, orient="row")


def _copy(connection: duckdb.DuckDBPyConnection, table: Table, draft: Path) -> int:
    file = draft / f"{table.name}.parquet"
    path = str(file).replace("'", "''")
    copied = connection.execute(
        f"COPY (FROM snapshot_{table.name}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
    ).fetchall()
    file.chmod(0o600)
    return int(copied[0][0])


def _schema(
    run_id: str, publication: Publication, now: datetime, counts: Mapping[str, int]
) -> dict[str, Any]:
    tables = {
        table.name: {
            "description": table.description,
            "rows": counts[table.name],
            "columns": {
                c.name: {"type": c.type, "description": c.description} for c in table.columns
            },
        }
        for table in load_tables()
        if table.name in counts
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "published_at": now.isoformat(),
        **publication._asdict(),
        "tables": tables,
    }


def _write_json(path: Path, value: object) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())


def _free_directory(snapshots: Path, run_id: str) -> Path:
    """`snapshots/<run id>`, or with a number when a reader may still be in the first."""
    candidate, number = snapshots / run_id, 1
    while candidate.exists():
        number += 1
        candidate = snapshots / f"{run_id}-{number}"
    return candidate


def _point_to(snapshots: Path, run_id: str, directory: str) -> None:
    draft = snapshots / f"{POINTER}{_DRAFT}"
    _write_json(draft, {"run_id": run_id, "directory": directory})
    draft.replace(snapshots / POINTER)


def _remove_other_modes(snapshots: Path, mode: Mode) -> None:
    """Remove what another mode published or drafted, and what no longer says its mode."""
    for directory in [d for d in snapshots.iterdir() if d.is_dir()]:
        if _mode_of(directory) == mode:
            continue
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise HomeError(
                f"{directory} holds rows that a team may not see and cannot be removed"
                f" ({error.strerror}): remove it yourself"
            ) from error


def _mode_of(directory: Path) -> str | None:
    try:
        return str(json.loads((directory / "schema.json").read_bytes())["mode"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _prune(snapshots: Path, current: str) -> None:
    """Remove all but the newest snapshots, and the drafts of runs that died."""
    found = [d for d in snapshots.iterdir() if d.is_dir() and d.name != current]
    drafts = [d for d in found if d.name.endswith(_DRAFT)]
    finished = [d for d in found if not d.name.endswith(_DRAFT)]
    by_age = sorted(finished, key=lambda d: (d.stat().st_mtime_ns, d.name), reverse=True)
    for directory in [*drafts, *by_age[KEPT_SNAPSHOTS - 1 :]]:
        shutil.rmtree(directory, ignore_errors=True)
