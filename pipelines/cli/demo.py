"""The verb `demo`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import options, print_report


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    fresh: Annotated[bool, typer.Option("--fresh", help="Empty the demo's home first.")] = False,
) -> None:
    """The whole loop on the sample logs in data/, in the home `.demo` (or --home DIR)."""
    from pipelines.demo import run_demo

    given = options(context)
    result = run_demo(given.demo_home, fresh=fresh)
    print_report(given, given.demo_home)
    if given.json_output:
        return
    for task_id, outcome in result.outcomes.items():
        _show_proposal(task_id, outcome.pr_path, outcome.reason)
    if not result.outcomes:
        print("\nNothing new: no breach waits for a patch. `make demo ARGS=--fresh` starts over.")
    program = _near(Path(sys.argv[0]).absolute())
    print(f"\nDashboard: {program} --home {_near(given.demo_home.root)} dashboard")


def _show_proposal(task_id: str, pull_request: str | None, reason: str) -> None:
    print(f"\n{'─' * 78}\n{task_id}: {reason}\n")
    if pull_request is not None:
        path = Path(pull_request)  # the demo's forge is the local one
        print(f"{_near(path)}\n\n{path.read_text(encoding='utf-8')}")


def _near(path: Path) -> Path:
    """The path from here where it lies below, else whole."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
