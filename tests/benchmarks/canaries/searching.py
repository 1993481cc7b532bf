"""Every place that people or programs read, searched for what must not be there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from agent_core.redaction import visible

WAREHOUSE = "signals.duckdb"
RAW_TABLES = {"steps"}
"""Where raw text may be, besides the folders below."""
RAW_FOLDERS = ("sessions", "replay")
# What tells which session is meant, in the log's own terms, as the exports promise it.
ID_COLUMNS = frozenset(
    {"session_key", "session_id", "source_path", "path", "source_ref", "turn_ref", "user_id"}
    | {"project", "parent_key", "converted_id"}
)


def warehouse_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each table but the raw ones, ids of sessions left out."""
    with duckdb.connect(str(home / WAREHOUSE), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        ).fetchall()
        for (table,) in tables:
            if table not in RAW_TABLES:
                frame = pl.DataFrame(connection.sql(f'FROM "{table}"').to_arrow_table())
                yield from _columns(f"warehouse {table}", frame)


def snapshot_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each column of each published table."""
    for path in sorted(home.rglob("*.parquet")):
        yield from _columns(f"snapshot {path.stem}", pl.read_parquet(path))


def _columns(place: str, frame: Any) -> Iterator[tuple[str, str]]:
    for name in frame.columns:
        if name not in ID_COLUMNS:
            values = frame[name].drop_nulls().to_list()
            yield f"{place}.{name}", searchable("\n".join(map(str, values)))


def file_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each other file of the home."""
    for path in sorted(home.rglob("*")):
        parts = path.relative_to(home).parts
        if not path.is_file() or parts[0] in RAW_FOLDERS or path.name.startswith(WAREHOUSE):
            continue
        if path.suffix != ".parquet":
            text = path.read_bytes().decode("utf-8", "replace")
            yield f"file {'/'.join(parts[:2])}", searchable(text)


def row_texts(place: str, lines: str) -> Iterator[tuple[str, str]]:
    """(place, text) of the columns of JSON lines."""
    rows = [json.loads(line) for line in lines.splitlines() if line.strip()]
    for name in {name for row in rows for name in row} - ID_COLUMNS:
        text = "\n".join(json.dumps(row.get(name), ensure_ascii=False) for row in rows)
        yield f"{place}.{name}", searchable(text)


def searchable(text: str) -> str:
    return visible(text).casefold()
