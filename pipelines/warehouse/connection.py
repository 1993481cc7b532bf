"""Open the warehouse file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from agent_core.errors import WarehouseError
from pipelines.warehouse.migration import migrate


@contextmanager
def open_warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A migrated read-write connection, closed at the end. Raises WarehouseError.

    The caller holds the home's lock. Times are read and written in UTC.
    """
    try:
        connection = duckdb.connect(path)
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None  # the file is sound, a person wants to stop
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path}: cannot be opened as a warehouse ({_first_line(error)}); move the file away "
            "and run again: sessions are read anew from the logs"
        ) from error
    try:
        connection.execute("SET TimeZone = 'UTC'")
        _migrate(connection, path)
        path.chmod(0o600)
        yield connection
    finally:
        connection.close()


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        migrate(connection, path)
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path}: is no warehouse of Signals, or a damaged one ({_first_line(error)}); move "
            "the file away and run again: sessions are read anew from the logs"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
