"""Read a published snapshot: the pointer, its schema, its tables. Knows nothing else of Signals.

What a table holds is said by the snapshot's own schema.json; a table that it does not list (a
team's snapshot has no sessions) reads as None.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

VARIABLE = "SIGNALS_SNAPSHOTS"
SCHEMA_VERSION = 3


class SnapshotError(Exception):
    """The snapshot cannot be read; one line that names the remedy."""


class Column(NamedTuple):
    """What the snapshot says of a column; `type` is DuckDB's name of it."""

    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published snapshot; its directory never changes, so it can be a cache's key."""

    directory: Path
    run_id: str
    mode: str
    published_at: datetime
    min_sessions: int
    min_users: int
    tables: Mapping[str, Mapping[str, Column]]
    """Columns by table and name."""

    def has(self, table: str) -> bool:
        """Whether this snapshot publishes the table."""
        return table in self.tables


def snapshots_folder(arguments: Sequence[str], environment: Mapping[str, str]) -> Path:
    """Where snapshots are: the first argument after `--`, else the environment variable.

    Raises SnapshotError when neither names it.
    """
    named = arguments[0] if arguments else environment.get(VARIABLE)
    if not named:
        raise SnapshotError(
            f"no snapshots folder: start with `signals dashboard` or set {VARIABLE}"
        )
    return Path(named)


def current_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot that `current` points to; None before the first publication.

    Raises SnapshotError where the pointer or what it names is damaged or of another version.
    """
    pointer = folder / "current"
    if not pointer.exists():
        return None
    try:
        directory = folder / json.loads(pointer.read_bytes())["directory"]
        schema = json.loads((directory / "schema.json").read_bytes())
        version = schema["schema_version"]
        snapshot = _snapshot(directory, schema) if version == SCHEMA_VERSION else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotError(
            f"the snapshot in {folder} is damaged: run `signals run` to publish it again"
        ) from error
    if snapshot is None:
        raise SnapshotError(
            f"the snapshot in {folder} has schema version {version}, this dashboard reads "
            f"{SCHEMA_VERSION}: run `signals run` with the same release of Signals"
        )
    return snapshot


def _snapshot(directory: Path, schema: Mapping[str, object]) -> Snapshot:
    tables = schema["tables"]
    if not isinstance(tables, Mapping):
        raise TypeError("tables")
    return Snapshot(
        directory=directory,
        run_id=str(schema["run_id"]),
        mode=str(schema["mode"]),
        published_at=datetime.fromisoformat(str(schema["published_at"])),
        min_sessions=int(str(schema["min_sessions"])),
        min_users=int(str(schema["min_users"])),
        tables={
            name: {
                column: Column(about["type"], about["description"])
                for column, about in table["columns"].items()
            }
            for name, table in tables.items()
        },
    )


def read_table(directory: Path, table: str, session_key: str | None = None) -> pl.DataFrame:
    """A table of a snapshot, of one session where it is named.

    Raises SnapshotError where its file is missing or damaged.
    """
    try:
        rows = pl.scan_parquet(directory / f"{table}.parquet", glob=False)
        if session_key is not None:
            rows = rows.filter(pl.col("session_key") == session_key)
        return rows.collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SnapshotError(
            f"table {table} of snapshot {directory.name} cannot be read: run `signals run` again"
        ) from error
