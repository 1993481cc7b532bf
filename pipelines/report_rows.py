"""Rows of a published table as values of the report."""

from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import polars as pl

_Row = TypeVar("_Row")


def read_table(directory: Path, table: str) -> pl.DataFrame:
    """A table of the snapshot in `directory`."""
    return pl.read_parquet(directory / f"{table}.parquet")


def as_rows(kind: type[_Row], frame: pl.DataFrame) -> tuple[_Row, ...]:
    """One value of a dataclass for each row; the columns are its fields, others are ignored."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return tuple(kind(**row) for row in frame.select(names).iter_rows(named=True))
