"""The written schema of a published snapshot, and the SQL that selects each table of it."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from judges.rules.vocabulary import KNOWN_TOOLS

Mode = Literal["owner", "team"]


class Publication(NamedTuple):
    """Who may read the snapshot, and the floors below which a pattern stays unpublished."""

    mode: Mode
    min_sessions: int
    min_users: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a published table; `type` is DuckDB's name of it."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """A published table; the fields are explained atop snapshot_tables.toml."""

    name: str
    description: str
    modes: tuple[Mode, ...]
    columns: tuple[Column, ...]
    query: str | None = None
    floor: tuple[str, str] | None = None
    team_floor: tuple[str, str] | None = None
    team_null: tuple[str, ...] = ()

    def selection(self, publication: Publication) -> str:
        """The SQL of all its rows, in its written columns, floors not yet applied."""
        if self.query is None:
            return f"SELECT {self._columns(publication, 'NULL')} WHERE false"
        extra = "".join(
            f", {expression} AS floor_{unit}"
            for unit, expression in zip(
                ("sessions", "users"), self._floors(publication), strict=False
            )
        )
        return f"SELECT {self._columns(publication)}{extra} FROM ({self.query})"

    def above_floors(self, publication: Publication) -> str:
        """The condition on `selection` under which a row is published."""
        if self.query is None or not self._floors(publication):
            return "true"
        sessions, users = publication.min_sessions, publication.min_users
        return f"floor_sessions >= {sessions:d} AND floor_users >= {users:d}"

    def _floors(self, publication: Publication) -> tuple[str, ...]:
        return self.floor or (self.team_floor if publication.mode == "team" else None) or ()

    def _columns(self, publication: Publication, value: str | None = None) -> str:
        emptied = self.team_null if publication.mode == "team" else ()
        return ", ".join(
            _cast(column, _empty(column) if column.name in emptied else value)
            for column in self.columns
        )


def _cast(column: Column, value: str | None) -> str:
    name = f'"{column.name}"'
    return f"CAST({value or name} AS {column.type}) AS {name}"


def _empty(column: Column) -> str:
    return "[]" if column.type.endswith("[]") else "NULL"


@cache
def load_tables() -> tuple[Table, ...]:
    """All tables in the order in which they are published."""
    text = Path(__file__).with_name("snapshot_tables.toml").read_text(encoding="utf-8")
    return tuple(_table(name, entry) for name, entry in tomllib.loads(text).items())


def load_views(mode: Mode) -> str:
    """The SQL of the temporary views and macros that the queries share."""
    views = Path(__file__).with_name("snapshot_views.sql").read_text(encoding="utf-8")
    # Why a file was not read is the owner's to know; it may name what is in it.
    shown = "detail" if mode == "owner" else "NULL::VARCHAR"
    # A tool's name comes from the log: one that is not public knowledge could be anybody's text.
    tools = ", ".join(f"'{name}'" for name in sorted(KNOWN_TOOLS))
    return (
        f"CREATE OR REPLACE TEMP MACRO published_tool(name) AS "
        f"CASE WHEN name IN ({tools}) THEN name ELSE 'other tool' END;\n{views}\n"
        f"CREATE OR REPLACE TEMP MACRO published_detail(detail) AS {shown};\n"
    )


def _table(name: str, entry: dict[str, Any]) -> Table:
    columns = tuple(Column(column, *pair) for column, pair in entry.pop("columns").items())
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Table(name=name, columns=columns, **settings)
