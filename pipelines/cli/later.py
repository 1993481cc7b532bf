"""Verbs of the contract whose stage is not built yet: they say so and exit with 1."""

from typing import Annotated

import typer

from agent_core.errors import NotBuiltError


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command()(purge)


def purge(
    older_than: Annotated[str | None, typer.Option(help="Such as 30d.")] = None,
    session: Annotated[str | None, typer.Option(help="A session's id.")] = None,
    user: Annotated[str | None, typer.Option(help="A user's id.")] = None,
    project: Annotated[str | None, typer.Option(help="A project's folder.")] = None,
) -> None:
    """Remove raw text everywhere. Not built yet."""
    raise NotBuiltError("purge is not built yet: nothing was removed; delete the home to erase all")
