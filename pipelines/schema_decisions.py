"""Decisions on the facet schema: what each changes is carried out at once, and recorded.

Accepting makes a version, going back makes an earlier one current; nothing is deleted. Types and
values that a judge said or a distance tells follow in the same transaction; what has to be read
from logs follows with the next runs (`pipelines.stages.facets`).
"""

from datetime import datetime
from typing import Literal, NamedTuple

import duckdb

from agent_core.errors import BadInputError
from facets.schema import FacetSchema
from facets.schema_change import apply_proposal
from facets.schema_diff import SchemaChange, diff_schemas
from pipelines.config import Config
from pipelines.schema_proposals import StoredProposal, set_status, stored_proposal
from pipelines.schemas import (
    ensure_schema,
    newest_version,
    schema_version,
    store_version,
    stored_versions,
    versions_in_force,
)
from pipelines.stages.facet_values import (
    carry_over_log_values,
    missing_log_values,
    refresh_told_values,
)
from pipelines.stages.types import relabel_moments
from pipelines.warehouse import query, transaction

DecidedBy = Literal["command", "inbox", "auto"]

_CHANGED_SESSIONS = """
SELECT DISTINCT session_key FROM facet_values AS now
JOIN facet_values AS before USING (session_key, facet)
WHERE now.schema_version = ? AND before.schema_version = ?
  AND now.value::VARCHAR IS DISTINCT FROM before.value::VARCHAR
"""


class Decided(NamedTuple):
    """What a decision changed."""

    version: int
    """In force from now on."""
    changes: list[SchemaChange]
    moments: int
    """That have another type now."""
    sessions: int
    """With such moments, or with another facet value."""
    sessions_to_read: int
    """Whose logs the next runs read for it, within their budget."""


def accept_proposal(
    connection: duckdb.DuckDBPyConnection,
    proposal_id: str,
    config: Config,
    now: datetime,
    *,
    by: DecidedBy = "command",
    reason: str = "",
) -> Decided:
    """Make the schema with a proposal applied the current one, as a new version.

    One that was accepted and rolled back, or rejected, can be accepted after all. Raises
    BadInputError where it is in force already, ConfigError where it does not apply any more.
    """
    before = ensure_schema(connection, now)
    stored = stored_proposal(connection, proposal_id)
    _refuse_in_force(connection, stored)
    numbered = before.model_copy(update={"version": newest_version(connection)})
    schema = apply_proposal(numbered, stored.proposal)
    with transaction(connection):
        origin = f"proposal {proposal_id}"
        store_version(connection, schema, origin, now, proposal_id=proposal_id, base=before.version)
        set_status(connection, proposal_id, "accepted", now)
        decided = _carry_out(connection, before, schema, config)
        _record(connection, "accept", decided, now, proposal_id=proposal_id, by=by, reason=reason)
    return decided


def reject_proposal(
    connection: duckdb.DuckDBPyConnection,
    proposal_id: str,
    now: datetime,
    *,
    by: DecidedBy = "command",
    reason: str = "",
) -> None:
    """Close a proposal; it is not made again. Raises BadInputError where it is in force."""
    schema = ensure_schema(connection, now)
    stored = stored_proposal(connection, proposal_id)
    _refuse_in_force(connection, stored)
    if stored.status == "rejected":
        raise BadInputError(
            f"{proposal_id}: was rejected on {stored.decided_at:%Y-%m-%d}; nothing changed"
        )
    with transaction(connection):
        set_status(connection, proposal_id, "rejected", now)
        unchanged = Decided(schema.version, [], 0, 0, 0)
        _record(connection, "reject", unchanged, now, proposal_id=proposal_id, by=by, reason=reason)


def roll_back(
    connection: duckdb.DuckDBPyConnection, version: int, config: Config, now: datetime
) -> Decided:
    """Make a stored version the current one. Raises BadInputError where it is not stored, or is."""
    schema = schema_version(connection, version)
    before = ensure_schema(connection, now)
    if before.version == version:
        raise BadInputError(f"schema version {version}: is the current one already")
    with transaction(connection):
        connection.execute("UPDATE facet_schemas SET current = (version = ?)", [version])
        decided = _carry_out(connection, before, schema, config)
        _record(connection, "rollback", decided, now, proposal_id=None, by="command", reason="")
    return decided


def leave_open(
    connection: duckdb.DuckDBPyConnection, proposal_id: str, reason: str, now: datetime
) -> None:
    """Record why a proposal was not accepted by itself, unless that is known already."""
    last = connection.execute(
        "SELECT decision, reason FROM schema_decisions WHERE proposal_id = ? "
        "ORDER BY number DESC LIMIT 1",
        [proposal_id],
    ).fetchall()
    if last != [("left_open", reason)]:
        unchanged = Decided(ensure_schema(connection, now).version, [], 0, 0, 0)
        _record(connection, "left_open", unchanged, now, proposal_id=proposal_id, by="auto",
                reason=reason)  # fmt: skip


def _refuse_in_force(connection: duckdb.DuckDBPyConnection, stored: StoredProposal) -> None:
    wanted = stored.proposal.proposal_id
    for known in versions_in_force(stored_versions(connection)):
        if known.proposal_id == wanted:
            raise BadInputError(
                f"{wanted}: was accepted as version {known.schema.version}, which is in force; "
                f"signals schema rollback {known.base} goes back to before it"
            )


def _carry_out(
    connection: duckdb.DuckDBPyConnection,
    before: FacetSchema,
    after: FacetSchema,
    config: Config,
) -> Decided:
    """Types and values under `after`; the caller holds the transaction."""
    relabelled = relabel_moments(connection, after, config.embedding)
    refresh_told_values(connection, after, config.embedding)
    carry_over_log_values(connection, after)
    changed = query(connection, _CHANGED_SESSIONS, [after.version, before.version])
    missing = missing_log_values(connection, after)
    return Decided(
        after.version,
        diff_schemas(before, after),
        relabelled.moments,
        len(relabelled.session_keys | set(changed["session_key"])),
        missing.filter(~missing["is_new"]).height,
    )


def _record(
    connection: duckdb.DuckDBPyConnection,
    decision: str,
    decided: Decided,
    now: datetime,
    *,
    proposal_id: str | None,
    by: DecidedBy,
    reason: str,
) -> None:
    connection.execute(
        "INSERT INTO schema_decisions "
        "SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ? FROM schema_decisions",
        [now, decision, proposal_id, decided.version, by, reason, decided.moments,
         decided.sessions],
    )  # fmt: skip
