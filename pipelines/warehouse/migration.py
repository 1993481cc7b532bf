"""Numbered migrations, each applied once, in a transaction."""

from pathlib import Path

import duckdb

from agent_core.errors import WarehouseError
from pipelines.warehouse.frames import transaction

_FOLDER = Path(__file__).parent / "migrations"
_FILES = {int(path.name.split("_")[0]): path for path in sorted(_FOLDER.glob("*.sql"))}
CURRENT_VERSION = max(_FILES)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Bring the warehouse to CURRENT_VERSION and return the version it had.

    Raises WarehouseError where the file was written by a newer Signals; it is left as it is.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(version BIGINT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
    )
    rows = connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchall()
    version = int(rows[0][0])
    if version > CURRENT_VERSION:
        raise WarehouseError(
            f"{path}: has schema version {version}, newer than the {CURRENT_VERSION} that this "
            "Signals knows; upgrade Signals"
        )
    for number in _FILES:
        if number > version:
            _apply(connection, number)
    return version


def _apply(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    with transaction(connection):
        connection.execute(_FILES[number].read_text(encoding="utf-8"))
        connection.execute("INSERT INTO schema_migrations (version) VALUES (?)", [number])
