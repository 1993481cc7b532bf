"""The warehouse: one DuckDB file, one writer, numbered migrations."""

from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.frames import query, replace_rows, transaction
from pipelines.warehouse.migration import CURRENT_VERSION, migrate

__all__ = [
    "CURRENT_VERSION",
    "migrate",
    "open_warehouse",
    "query",
    "replace_rows",
    "transaction",
]
