"""Verbs that show: report, export, dashboard, dagster."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from agent_core.errors import NotBuiltError
from pipelines.cli.options import options, print_report


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    for verb in (report, export, dashboard, dagster):
        app.command()(verb)


def report(
    context: typer.Context,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write one HTML file (not built yet).")
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="The day's changes (not built yet).")
    ] = False,
) -> None:
    """What the published snapshot says."""
    if html is not None or digest:
        raise NotBuiltError("report --html and --digest are not built yet; use the text or --json")
    print_report(options(context))


def export(
    context: typer.Context,
    what: Annotated[
        Literal["moments", "turns", "judgements", "facets", "sessions", "coverage"],
        typer.Argument(help="Which rows."),
    ],
) -> None:
    """Rows as JSON lines on stdout, keyed by the logs' own ids."""
    from pipelines.export import export_rows

    for row in export_rows(options(context).context("export"), what):
        print(json.dumps(row, default=str, ensure_ascii=False))


def dashboard(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 8501,
) -> None:
    """The dashboards over the published snapshot, on loopback."""
    snapshots = options(context).home.prepare().snapshots
    command = [sys.executable, "-m", "dashboards", str(snapshots), "--port", str(port)]
    _become(command, dict(os.environ))


def dagster(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 3000,
) -> None:
    """The Dagster UI with schedule and sensors, on loopback."""
    from pipelines.job import prepare_dagster

    home = options(context).home.prepare()
    prepare_dagster(home)
    environment = os.environ | {"SIGNALS_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    command = [
        *(sys.executable, "-m", "dagster", "dev", "-m", "pipelines.dagster_entry"),
        *("-h", "127.0.0.1", "-p", str(port)),
    ]
    _become(command, environment)


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Run another program in the place of this one, so that signals reach it."""
    sys.stdout.flush()
    os.execve(command[0], command, environment)
