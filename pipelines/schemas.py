"""Versions of the facet schema in the warehouse, and decisions on proposals."""

from datetime import datetime

import duckdb
import orjson

from agent_core.errors import BadInputError
from facets.proposal import Proposal
from facets.schema import FacetSchema, apply_proposal, load_seed_schema, parse_schema
from pipelines.warehouse import transaction


def ensure_schema(connection: duckdb.DuckDBPyConnection, now: datetime) -> FacetSchema:
    """The current schema; the seed becomes version 1 where the warehouse has none."""
    if not connection.execute("SELECT 1 FROM facet_schemas LIMIT 1").fetchall():
        _store(connection, load_seed_schema(), "seed", now)
    return current_schema(connection)


def current_schema(connection: duckdb.DuckDBPyConnection) -> FacetSchema:
    """The schema in force; the seed where nothing was stored yet."""
    rows = connection.execute("SELECT schema FROM facet_schemas WHERE current").fetchall()
    return parse_schema(orjson.loads(rows[0][0])) if rows else load_seed_schema()


def schema_version(connection: duckdb.DuckDBPyConnection, version: int) -> FacetSchema:
    """A stored version. Raises BadInputError naming those there are."""
    rows = connection.execute(
        "SELECT version, schema FROM facet_schemas ORDER BY version"
    ).fetchall()
    stored = {number: document for number, document in rows}
    if version not in stored:
        known = ", ".join(str(number) for number in stored) or "none: run signals evolve first"
        raise BadInputError(f"schema version {version}: not there; stored are {known}")
    return parse_schema(orjson.loads(stored[version]))


def accept_proposal(connection: duckdb.DuckDBPyConnection, proposal_id: str, now: datetime) -> int:
    """Make the schema with an open proposal applied the current one; its version.

    Raises BadInputError where the proposal is not open, ConfigError where it does not apply.
    """
    proposal = _open_proposal(connection, proposal_id)
    newest = connection.execute("SELECT max(version) FROM facet_schemas").fetchall()[0][0]
    base = current_schema(connection)
    schema = apply_proposal(base.model_copy(update={"version": newest or base.version}), proposal)
    with transaction(connection):
        _store(connection, schema, f"proposal {proposal_id}", now)
        _decide(connection, proposal_id, "accepted", now)
    return schema.version


def reject_proposal(connection: duckdb.DuckDBPyConnection, proposal_id: str, now: datetime) -> None:
    """Close an open proposal. Raises BadInputError where it is not open."""
    _open_proposal(connection, proposal_id)
    _decide(connection, proposal_id, "rejected", now)


def roll_back(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Make a stored version the current one. Raises BadInputError where it is not stored."""
    schema_version(connection, version)
    connection.execute("UPDATE facet_schemas SET current = (version = ?)", [version])


def _open_proposal(connection: duckdb.DuckDBPyConnection, proposal_id: str) -> Proposal:
    rows = connection.execute(
        "SELECT proposal_id, kind, target, name, definition FROM schema_proposals "
        "WHERE status = 'open' ORDER BY proposal_id"
    ).fetchall()
    for row in rows:
        if row[0] == proposal_id:
            return Proposal(*row)
    known = ", ".join(row[0] for row in rows) or "none"
    raise BadInputError(f"{proposal_id}: no open proposal of that id; open are: {known}")


def _store(
    connection: duckdb.DuckDBPyConnection, schema: FacetSchema, origin: str, now: datetime
) -> None:
    document = orjson.dumps(schema.model_dump(mode="json")).decode()
    connection.execute("UPDATE facet_schemas SET current = false WHERE current")
    connection.execute(
        "INSERT INTO facet_schemas VALUES (?, ?, ?, ?, true)",
        [schema.version, document, origin, now],
    )


def _decide(
    connection: duckdb.DuckDBPyConnection, proposal_id: str, status: str, now: datetime
) -> None:
    connection.execute(
        "UPDATE schema_proposals SET status = ?, decided_at = ? WHERE proposal_id = ?",
        [status, now, proposal_id],
    )
