"""Verbs of the facet schema: show, proposals, diff, accept, reject, rollback, history."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.options import Options, options

if TYPE_CHECKING:
    import duckdb

    from pipelines.context import Context
    from pipelines.schema_decisions import Decided
    from pipelines.schema_proposals import StoredProposal

_PROPOSAL = typer.Argument(help="A proposal's id, see `signals schema proposals`.")
_HOW = "signals schema accept ID, or reject ID"


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="The schema of facets and its history.", no_args_is_help=True)
    for verb in (show, proposals, diff, accept, reject, rollback, history):
        group.command()(verb)
    app.add_typer(group, name="schema")


def show(context: typer.Context) -> None:
    """The current schema: definitions, where values come from, and what is proposed."""
    from pipelines.schema_text import foreign_line, pending_line, proposal_lines, schema_lines
    from pipelines.schemas import current_schema
    from pipelines.stages.facet_values import missing_log_values
    from pipelines.stages.types import all_foreign_prototypes

    given = options(context)
    prepared = _prepared(given, "schema show")
    with prepared.warehouse() as connection:
        schema = current_schema(connection)
        known, in_force = _proposals(connection)
        missing = missing_log_values(connection, schema)
    waiting = [one for one in known if one.status == "open"]
    pending = missing.filter(~missing["is_new"]).height
    foreign = all_foreign_prototypes(schema, prepared.config.embedding)

    def text() -> str:
        lines = [f"schema version {schema.version}", *schema_lines(schema)]
        lines.append(f"open proposals: {len(waiting)}{f' ({_HOW})' if waiting else ''}")
        lines += [f"  {line}" for one in waiting for line in proposal_lines(one, in_force)]
        lines += [pending_line(pending)] if pending else []
        return "\n".join([*lines, *([foreign_line(foreign)] if foreign else [])])

    document = {
        **schema.model_dump(mode="json"),
        "proposals": [_row(one, in_force) for one in waiting],
        "pending_sessions": pending,
        "foreign_prototypes": foreign,
    }
    given.print(document, text)


def proposals(context: typer.Context) -> None:
    """Every proposal with its evidence and what became of it, the open ones first."""
    from pipelines.schema_text import proposal_lines

    given = options(context)
    with _prepared(given, "schema proposals").warehouse() as connection:
        known, in_force = _proposals(connection)
    given.print(
        [_row(one, in_force) for one in known],
        lambda: (
            "\n".join(line for one in known for line in proposal_lines(one, in_force))
            or "no proposals"
        ),
    )


def diff(
    context: typer.Context,
    before: Annotated[int, typer.Argument(help="A version.")],
    after: Annotated[int, typer.Argument(help="A version.")],
) -> None:
    """What changed between two versions."""
    from facets.schema_diff import diff_schemas
    from pipelines.schema_text import change_lines
    from pipelines.schemas import schema_version

    given = options(context)
    with given.context("schema diff").warehouse() as connection:
        changes = diff_schemas(
            schema_version(connection, before), schema_version(connection, after)
        )
    given.print(
        [change._asdict() for change in changes],
        lambda: "\n".join(change_lines(changes)) or "no difference",
    )


def accept(context: typer.Context, proposal_id: Annotated[str, _PROPOSAL]) -> None:
    """Take a proposal into the next version of the schema."""
    from pipelines.schema_decisions import accept_proposal

    given = options(context)
    prepared = _prepared(given, "schema accept")
    with prepared.warehouse() as connection:
        decided = accept_proposal(connection, proposal_id, prepared.config, prepared.clock())
    headline = f"{proposal_id}: accepted; the schema is now version {decided.version}"
    _print_decided(given, decided, headline, proposal_id)


def reject(context: typer.Context, proposal_id: Annotated[str, _PROPOSAL]) -> None:
    """Turn a proposal down; it is not made again."""
    from pipelines.schema_decisions import reject_proposal

    given = options(context)
    prepared = _prepared(given, "schema reject")
    with prepared.warehouse() as connection:
        reject_proposal(connection, proposal_id, prepared.clock())
    given.print(
        {"proposal_id": proposal_id, "status": "rejected"}, lambda: f"{proposal_id}: rejected"
    )


def rollback(
    context: typer.Context, version: Annotated[int, typer.Argument(help="An earlier version.")]
) -> None:
    """Make an earlier version the current one; nothing is deleted."""
    from pipelines.schema_decisions import roll_back

    given = options(context)
    prepared = _prepared(given, "schema rollback")
    with prepared.warehouse() as connection:
        decided = roll_back(connection, version, prepared.config, prepared.clock())
    _print_decided(given, decided, f"the schema is version {version} again", None)


def history(context: typer.Context) -> None:
    """Every version, and everything that was decided, in its order."""
    from pipelines.schema_text import decision_lines, history_lines
    from pipelines.schemas import stored_versions, versions_in_force
    from pipelines.warehouse import query

    given = options(context)
    with _prepared(given, "schema history").warehouse() as connection:
        versions = stored_versions(connection)
        decisions = query(connection, "FROM schema_decisions ORDER BY number").to_dicts()
    in_force = [known.schema.version for known in versions_in_force(versions)]
    rows = [
        {
            "version": known.schema.version,
            "origin": known.origin,
            "proposal_id": known.proposal_id,
            "base": known.base,
            "created_at": known.created_at,
            "is_current": known.is_current,
            "in_force": known.schema.version in in_force,
        }
        for known in versions
    ]
    given.print(
        {"versions": rows, "decisions": decisions},
        lambda: (
            "\n".join([*history_lines(versions, in_force), *decision_lines(decisions)])
            or "nothing yet: run signals evolve first"
        ),
    )


def _prepared(given: Options, verb: str) -> "Context":
    """The verb's context, with what was decided in a dashboard carried out before."""
    from pipelines.runs import failure_of
    from pipelines.schema_inbox import INBOX_STAGE, apply_inbox

    prepared = given.context(verb)
    if apply_inbox(prepared)["set_aside"]:
        given.say(f"Set aside in inbox/refused: {failure_of(prepared, INBOX_STAGE)}")
    return prepared


def _proposals(
    connection: "duckdb.DuckDBPyConnection",
) -> tuple[list["StoredProposal"], frozenset[str]]:
    from pipelines.schema_proposals import stored_proposals
    from pipelines.schemas import proposals_in_force, stored_versions

    return stored_proposals(connection), proposals_in_force(stored_versions(connection))


def _row(stored: "StoredProposal", in_force: frozenset[str]) -> dict[str, Any]:
    proposal = stored.proposal
    prototype = proposal.prototype.model_dump(mode="json") if proposal.prototype else None
    return {
        **asdict(proposal),
        "prototype": prototype,
        "status": stored.status,
        "in_force": proposal.proposal_id in in_force,
        "created_at": stored.created_at,
        "decided_at": stored.decided_at,
        "found_at": stored.found_at,
    }


def _print_decided(
    given: Options, decided: "Decided", headline: str, proposal_id: str | None
) -> None:
    from pipelines.schema_text import decided_lines

    changes = [change._asdict() for change in decided.changes]
    given.print(
        {**decided._asdict(), "changes": changes, "proposal_id": proposal_id},
        lambda: "\n".join([headline, *decided_lines(decided)]),
    )
