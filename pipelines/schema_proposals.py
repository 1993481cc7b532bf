"""Proposals for the facet schema, as the warehouse keeps them."""

from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import orjson
from pydantic import ValidationError

from agent_core.errors import BadInputError, ConfigError
from facets.proposal import Proposal
from facets.prototype import Prototype
from facets.schema import first_problem

_COLUMNS = (
    "proposal_id, kind, target, name, definition, parts, prototype, facet, cluster_id, support, "
    "sessions, users, stability, evidence, status, created_at, decided_at, found_at"
)
_FOUND_AT = "SELECT run_id, max(ended_at) AS found_at FROM runs GROUP BY run_id"


class StoredProposal(NamedTuple):
    """A proposal and what became of it."""

    proposal: Proposal
    status: str
    """open, accepted or rejected."""
    created_at: datetime
    decided_at: datetime | None
    found_at: datetime | None
    """When the last run that found it ended; None where none has."""


def stored_proposals(connection: duckdb.DuckDBPyConnection) -> list[StoredProposal]:
    """All proposals: the open ones first, the widest of them first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM schema_proposals LEFT JOIN ({_FOUND_AT}) USING (run_id) "
        "ORDER BY status = 'open' DESC, sessions DESC, proposal_id"
    ).fetchall()
    return [_stored(row) for row in rows]


def open_proposals(connection: duckdb.DuckDBPyConnection) -> list[Proposal]:
    """Those that await a decision, the widest first."""
    return [one.proposal for one in stored_proposals(connection) if one.status == "open"]


def stored_proposal(connection: duckdb.DuckDBPyConnection, proposal_id: str) -> StoredProposal:
    """The proposal of that id. Raises BadInputError naming the open ones where there is none."""
    known = stored_proposals(connection)
    found = next((one for one in known if one.proposal.proposal_id == proposal_id), None)
    if found is None:
        names = ", ".join(one.proposal.proposal_id for one in known if one.status == "open")
        raise BadInputError(
            f"{proposal_id}: no open proposal of that id; open are: {names or 'none'}"
        )
    return found


def set_status(
    connection: duckdb.DuckDBPyConnection, proposal_id: str, status: str, now: datetime
) -> None:
    """Close a proposal as `accepted` or `rejected`."""
    connection.execute(
        "UPDATE schema_proposals SET status = ?, decided_at = ? WHERE proposal_id = ?",
        [status, now, proposal_id],
    )


def _stored(row: tuple[Any, ...]) -> StoredProposal:
    (proposal_id, kind, target, name, definition, parts, prototype, facet, cluster_id, support,
     sessions, users, stability, evidence, status, created_at, decided_at,
     found_at) = row  # fmt: skip
    proposal = Proposal(
        proposal_id=proposal_id,
        kind=kind,
        target=target,
        name=name,
        definition=definition,
        parts=tuple(parts or ()),
        prototype=_prototype(proposal_id, prototype),
        facet=orjson.loads(facet) if facet else None,
        cluster_id=cluster_id,
        support=support,
        sessions=sessions,
        users=users,
        stability=stability,
        evidence=_evidence(evidence),
    )
    return StoredProposal(proposal, status, created_at, decided_at, found_at)


def _prototype(proposal_id: str, document: str | None) -> Prototype | None:
    try:
        return Prototype.model_validate_json(document) if document else None
    except ValidationError as error:
        raise ConfigError(
            f"proposal {proposal_id}: its prototype is damaged ({first_problem(error)}); reject it"
        ) from error


def _evidence(document: str) -> dict[str, Any]:
    """Figures by name; a mere list, as it once was, holds examples."""
    found = orjson.loads(document)
    return found if isinstance(found, dict) else {"examples": found}
