"""Verbs of the facet schema: show, diff, accept, reject, rollback."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import options

if TYPE_CHECKING:
    from facets.schema import FacetSchema

_PROPOSAL = typer.Argument(help="A proposal's id, see `signals report`.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="The schema of facets and its history.", no_args_is_help=True)
    for verb in (show, diff, accept, reject, rollback):
        group.command()(verb)
    app.add_typer(group, name="schema")


def show(context: typer.Context) -> None:
    """The current schema."""
    from pipelines.schemas import current_schema

    given = options(context)
    with given.context("schema show").warehouse() as connection:
        schema = current_schema(connection)
    given.print(schema.model_dump(mode="json"), lambda: _as_text(schema))


def _as_text(schema: "FacetSchema") -> str:
    lines = [f"schema version {schema.version}"]
    for polarity in ("friction", "delight"):
        lines.append(f"{polarity}: {', '.join(schema.known_values(polarity))}")
    lines += [f"{facet.name} ({facet.type}): {facet.definition}" for facet in schema.facets]
    return "\n".join(lines)


def diff(
    context: typer.Context,
    before: Annotated[int, typer.Argument(help="A version.")],
    after: Annotated[int, typer.Argument(help="A version.")],
) -> None:
    """What changed between two versions."""
    from facets.schema import diff_schemas
    from pipelines.schemas import schema_version

    given = options(context)
    with given.context("schema diff").warehouse() as connection:
        changes = diff_schemas(
            schema_version(connection, before), schema_version(connection, after)
        )
    given.print(
        [change._asdict() for change in changes],
        lambda: (
            "\n".join(f"{c.kind:<8} {c.target:<12} {c.name}" for c in changes) or "no difference"
        ),
    )


def accept(context: typer.Context, proposal_id: Annotated[str, _PROPOSAL]) -> None:
    """Take a proposal into the next version of the schema."""
    from pipelines.schemas import accept_proposal

    prepared = options(context).context("schema accept")
    with prepared.warehouse() as connection:
        version = accept_proposal(connection, proposal_id, prepared.clock())
    print(f"{proposal_id}: accepted; the schema is now version {version}")


def reject(context: typer.Context, proposal_id: Annotated[str, _PROPOSAL]) -> None:
    """Turn a proposal down; it is not made again."""
    from pipelines.schemas import reject_proposal

    prepared = options(context).context("schema reject")
    with prepared.warehouse() as connection:
        reject_proposal(connection, proposal_id, prepared.clock())
    print(f"{proposal_id}: rejected")


def rollback(
    context: typer.Context, version: Annotated[int, typer.Argument(help="An earlier version.")]
) -> None:
    """Make an earlier version the current one; nothing is deleted."""
    from pipelines.schemas import roll_back

    prepared = options(context).context("schema rollback")
    with prepared.warehouse() as connection:
        roll_back(connection, version)
    print(f"the schema is version {version} again")
