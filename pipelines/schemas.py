"""Versions of the facet schema in the warehouse; `pipelines.schema_decisions` makes them."""

from datetime import datetime
from typing import NamedTuple

import duckdb
import orjson
import polars as pl

from agent_core.errors import BadInputError
from facets.schema import FacetSchema, load_seed_schema, parse_schema
from facets.schema_diff import diff_schemas
from pipelines.warehouse import query

CHANGES_SCHEMA: dict[str, pl.DataType] = {
    "version": pl.Int64(),
    "created_at": pl.Datetime("us", "UTC"),
    "target": pl.String(),
    "name": pl.String(),
    "change": pl.String(),
    "in_force": pl.Boolean(),
}
"""Of `schema_changes`."""


class StoredVersion(NamedTuple):
    """A version as the warehouse keeps it."""

    schema: FacetSchema
    origin: str
    """seed, or the proposal it was made by in words."""
    proposal_id: str | None
    base: int | None
    """The version that the proposal was applied to; None: the first."""
    created_at: datetime
    is_current: bool


def ensure_schema(connection: duckdb.DuckDBPyConnection, now: datetime) -> FacetSchema:
    """The current schema; the seed becomes version 1 where the warehouse has none."""
    if not connection.execute("SELECT 1 FROM facet_schemas LIMIT 1").fetchall():
        store_version(connection, load_seed_schema(), "seed", now)
    return current_schema(connection)


def current_schema(connection: duckdb.DuckDBPyConnection) -> FacetSchema:
    """The schema in force; the seed where nothing was stored yet."""
    rows = connection.execute("SELECT schema FROM facet_schemas WHERE current").fetchall()
    return parse_schema(orjson.loads(rows[0][0])) if rows else load_seed_schema()


def schema_version(connection: duckdb.DuckDBPyConnection, version: int) -> FacetSchema:
    """A stored version. Raises BadInputError naming those there are."""
    stored = {known.schema.version: known.schema for known in stored_versions(connection)}
    if version not in stored:
        known = ", ".join(map(str, stored)) or "none: run signals evolve first"
        raise BadInputError(f"schema version {version}: not there; stored are {known}")
    return stored[version]


def stored_versions(connection: duckdb.DuckDBPyConnection) -> list[StoredVersion]:
    """All versions, the first one first."""
    rows = connection.execute(
        "SELECT version, schema, origin, proposal_id, base, created_at, current "
        "FROM facet_schemas ORDER BY version"
    ).fetchall()
    return [
        StoredVersion(
            parse_schema(orjson.loads(document)),
            origin,
            proposal_id,
            # What was stored before bases were is a version made from the one before it.
            base if base is not None or version == 1 else version - 1,
            created_at,
            current,
        )
        for version, document, origin, proposal_id, base, created_at, current in rows
    ]


def versions_in_force(versions: list[StoredVersion]) -> list[StoredVersion]:
    """The current version and those it was made from, the first one first."""
    by_number = {known.schema.version: known for known in versions}
    line: list[StoredVersion] = []
    following = next((known for known in versions if known.is_current), None)
    while following is not None:
        line.append(following)
        following = by_number.get(following.base) if following.base is not None else None
    return line[::-1]


def proposals_in_force(versions: list[StoredVersion]) -> frozenset[str]:
    """Ids of the proposals that the current version has taken in."""
    made_by = (known.proposal_id for known in versions_in_force(versions))
    return frozenset(made for made in made_by if made is not None)


def schema_changes(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What each version changed against the one it was made from (CHANGES_SCHEMA), for charts.

    `target` is friction, delight, facet or a facet's name, `change` added, removed or changed;
    `in_force` says whether the current schema still has the change. The seed changes nothing.
    """
    versions = stored_versions(connection)
    by_number = {known.schema.version: known.schema for known in versions}
    in_force = {known.schema.version for known in versions_in_force(versions)}
    rows = [
        (known.schema.version, known.created_at, change.target, change.name, change.kind,
         known.schema.version in in_force)
        for known in versions
        if known.base in by_number
        for change in diff_schemas(by_number[known.base], known.schema)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=CHANGES_SCHEMA, orient="row")


def store_version(
    connection: duckdb.DuckDBPyConnection,
    schema: FacetSchema,
    origin: str,
    now: datetime,
    *,
    proposal_id: str | None = None,
    base: int | None = None,
) -> None:
    """Keep a new version and make it the current one."""
    document = orjson.dumps(schema.model_dump(mode="json")).decode()
    connection.execute("UPDATE facet_schemas SET current = false WHERE current")
    connection.execute(
        "INSERT INTO facet_schemas (version, schema, origin, created_at, current, proposal_id, "
        "base) VALUES (?, ?, ?, ?, true, ?, ?)",
        [schema.version, document, origin, now, proposal_id, base],
    )


def newest_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The highest number that a version has."""
    found = query(connection, "SELECT coalesce(max(version), 1) AS newest FROM facet_schemas")
    return int(found["newest"][0])
