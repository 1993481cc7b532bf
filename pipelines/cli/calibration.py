"""Verbs that measure the judge: calibrate, review."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agent_core.errors import BadInputError
from pipelines.cli.options import options


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    for verb in (calibrate, review):
        app.command()(verb)


def calibrate(
    context: typer.Context,
    labels: Annotated[
        Path | None,
        typer.Argument(help="Label rows, JSON lines; default: what `signals review` collected."),
    ] = None,
    judge: Annotated[
        Literal["rules", "llm"] | None,
        typer.Option("--judge", help="Whose verdicts; default: those that stand, by judge."),
    ] = None,
) -> None:
    """Measure the judge against labels: precision, recall, F1, kappa, with intervals."""
    from pipelines import loop
    from pipelines.calibrating import calibrate as measure
    from pipelines.calibration_text import report_as_text

    given = options(context)
    prepared = given.context("calibrate")
    file = labels or prepared.home.labels / "review.jsonl"
    if labels is None and not file.exists():
        raise BadInputError(
            f"no labels yet in {file}: collect some with signals review, or name a file"
        )
    report = measure(prepared, file, judge)
    given.print(report.as_dict(), lambda: report_as_text(report))
    if (prepared.home.snapshots / "current").exists():
        loop.run_stages(prepared, loop.snapshot)  # dashboards and reports show it at once


def review(
    context: typer.Context,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask of at most so many turns.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Label rows go there; default: in the home.")
    ] = None,
) -> None:
    """Say which verdicts are right, turn by turn; every answer is kept at once as a label row."""
    from pipelines.reviewing import Dialogue, review_turns

    given = options(context)
    prepared = given.context("review")
    counts = review_turns(
        prepared,
        out or prepared.home.labels / "review.jsonl",
        Dialogue(to_stderr=given.json_output),
        limit=limit,
    )
    given.print(counts)
