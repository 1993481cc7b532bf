"""Frames in and out of the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end; roll back on any error."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def replace_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    """Insert `rows`; a row whose primary key stands in `table` already takes its place."""
    if rows.height:
        connection.register("incoming", rows.to_arrow())
        connection.execute(f"INSERT OR REPLACE INTO {table} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: list[object] | dict[str, object] | None = None,
) -> pl.DataFrame:
    """The result of `sql` as a frame; times come in UTC."""
    rows: pl.DataFrame = connection.sql(sql, params=parameters or None).pl()
    return rows
