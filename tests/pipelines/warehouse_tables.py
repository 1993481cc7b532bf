"""What the tables of a warehouse hold, to be compared between runs."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.warehouse import open_warehouse, query

INGESTED: Mapping[str, str] = {
    # Times of reading differ between any two runs.
    "source_files": "first_seen, last_read",
    "file_sessions": "",
    "sessions": "first_seen",
    "steps": "",
    "quarantine": "seen_at",
    "releases": "",
}
"""Tables that ingest writes, each with the columns that tell when it did."""
_DATED = "REPLACE (CASE WHEN started_at IS NOT NULL THEN day END AS day)"
"""A session without a time has the day of the run: two runs may have midnight between them."""


def table_rows(
    warehouse: Path, tables: Mapping[str, str] = INGESTED
) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables, in the order of their values."""
    with open_warehouse(warehouse) as connection:
        return {
            table: query(
                connection,
                f"SELECT * {f'EXCLUDE ({left_out})' if left_out else ''} "
                f"{_DATED if table == 'sessions' else ''} FROM {table} ORDER BY ALL",
            ).rows()
            for table, left_out in tables.items()
        }


def table_hashes(warehouse: Path, tables: Mapping[str, str] = INGESTED) -> dict[str, str]:
    """A hash of all rows of each table."""
    return {
        table: hashlib.sha256(repr(rows).encode("utf-8", "replace")).hexdigest()
        for table, rows in table_rows(warehouse, tables).items()
    }
