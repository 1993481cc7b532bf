"""Verbs of friction that rose: breaches, and the error logs that it is held against."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import options

if TYPE_CHECKING:
    from pipelines.stages.error_logs import ErrorLogReport

_BROKEN_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command()(breaches)
    app.command("ingest-errors")(ingest_errors)


def breaches(context: typer.Context) -> None:
    """Compare the newest releases and days with the ones before; open tasks for what rose."""
    from pipelines import loop
    from pipelines.breach_text import breach_lines, found_breaches

    given = options(context)
    prepared = given.context("breaches")
    counts = loop.run_stages(prepared, loop.breaches, loop.patch_tasks)
    rows = found_breaches(prepared)
    given.print(rows, lambda: "\n".join(breach_lines(rows, counts["breaches"])))


def ingest_errors(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Error logs.", show_default=False)],
) -> None:
    """Error logs of services, JSON lines or OTLP logs; keeps time, service, class and a hash."""
    from pipelines.runs import run_stage
    from pipelines.stages.error_logs import ErrorLogReport, ingest_error_logs

    given = options(context)
    prepared = given.context("ingest-errors")
    reports: list[ErrorLogReport] = []

    def stage() -> dict[str, int]:
        reports.append(ingest_error_logs(prepared, files))
        return reports[0].counts

    run_stage(prepared, "error_logs", stage)
    (report,) = reports
    shown = {**report.counts, "problems": list(report.broken)}
    given.print(shown, lambda: _report_text(report))


def _report_text(report: "ErrorLogReport") -> str:
    errors = f"{report.errors} error{'' if report.errors == 1 else 's'}"
    files = f"{report.files} file{'' if report.files == 1 else 's'}"
    lines = [
        f"{errors} in {files}, {report.new} of them new; {report.passed_over} records below an "
        f"error passed over, {len(report.broken)} broken",
        *(f"  {problem}" for problem in report.broken[:_BROKEN_SHOWN]),
    ]
    if len(report.broken) > _BROKEN_SHOWN:
        lines.append(f"  and {len(report.broken) - _BROKEN_SHOWN} more: signals --json")
    return "\n".join(lines)
