"""Verbs of care: doctor, config."""

from typing import Annotated, Literal

import typer

from pipelines.cli.options import options


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command()(doctor)
    app.command()(config)


def doctor(context: typer.Context) -> None:
    """Check what Signals needs, and say the remedy for what is missing."""
    from pipelines.doctor import examine

    given = options(context)
    findings = examine(given.home)
    given.print(
        [finding._asdict() for finding in findings],
        lambda: "\n".join(
            f"{finding.state:<8} {finding.name:<12} {finding.text}" for finding in findings
        ),
    )
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def config(
    context: typer.Context, what: Annotated[Literal["show"], typer.Argument(help="show")]
) -> None:
    """Every key of signals.toml, its value, and where that comes from."""
    from pipelines.config import config_keys, given_keys

    given = options(context)
    loaded, written = given.config(), given_keys(given.home.config)
    rows = [
        {"key": key, "value": loaded.value_of(key),
         "origin": str(given.home.config) if key in written else "default"}
        for key in config_keys()
    ]  # fmt: skip
    given.print(
        rows, lambda: "\n".join(f"{r['key']:<36} {r['value']!s:<28} {r['origin']}" for r in rows)
    )
