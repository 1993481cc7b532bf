"""Verbs of the contract whose stage is not built yet: they say so and exit with 1."""

from pathlib import Path
from typing import Annotated

import typer

from agent_core.errors import NotBuiltError


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("ingest-errors")(ingest_errors)
    app.command()(purge)


def ingest_errors(files: Annotated[list[Path], typer.Argument(help="Error logs.")]) -> None:
    """Error logs, JSON lines or OTLP logs. Not built yet."""
    raise NotBuiltError("ingest-errors is not built yet: error logs are not read")


def purge(
    older_than: Annotated[str | None, typer.Option(help="Such as 30d.")] = None,
    session: Annotated[str | None, typer.Option(help="A session's id.")] = None,
    user: Annotated[str | None, typer.Option(help="A user's id.")] = None,
    project: Annotated[str | None, typer.Option(help="A project's folder.")] = None,
) -> None:
    """Remove raw text everywhere. Not built yet."""
    raise NotBuiltError("purge is not built yet: nothing was removed; delete the home to erase all")
