"""Verbs of patch tasks."""

from typing import TYPE_CHECKING, Annotated

import typer

from agent_core.errors import BadInputError
from pipelines.cli.options import options

if TYPE_CHECKING:
    from pipelines.context import Context

_TASK = typer.Argument(help="A task's id, see `signals tasks list`.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Patch tasks: list, show, run, merged, reject.")
    group.callback(invoke_without_command=True)(default)
    group.command("list")(list_)
    for verb in (show, run, merged, reject):
        group.command()(verb)
    app.add_typer(group, name="tasks")


def default(context: typer.Context) -> None:
    """Without a verb: list."""
    if context.invoked_subcommand is None:
        list_(context)


def list_(context: typer.Context) -> None:
    """Every task with its state, oldest first."""
    from pipelines.task_listing import listed_tasks, listing_text

    given = options(context)
    with given.context("tasks list").warehouse() as connection:
        rows = listed_tasks(connection)
    given.print(rows, lambda: listing_text(rows))


def show(context: typer.Context, task_id: Annotated[str, _TASK]) -> None:
    """One task: evidence, breaches, transitions, attempts, gates, effects."""
    from pipelines.task_listing import task_details, task_text

    given = options(context)
    with given.context("tasks show").warehouse() as connection:
        found = task_details(connection, task_id)
    given.print(found, lambda: task_text(found))


def run(
    context: typer.Context,
    task_id: Annotated[str | None, _TASK] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open task.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=32, help="With --all: so many side by side.")] = 1,
) -> None:
    """Have the agent core patch the target, gate the patch, and open the pull request."""
    from pipelines.fleet import FleetResult, run_fleet, run_tasks
    from pipelines.task_listing import outcome_rows, outcome_text

    if (task_id is None) != all_:
        raise BadInputError("tasks run takes either a task's id or --all")
    if jobs > 1 and not all_:
        raise BadInputError("tasks run --jobs goes with --all: one task is one job")
    given = options(context)
    prepared = given.context("tasks run")
    if task_id is None:
        result = run_fleet(prepared, jobs=jobs)
    else:
        result = FleetResult(run_tasks(prepared, [task_id]))
    _publish(prepared)
    given.print(outcome_rows(result), lambda: outcome_text(result))
    if any(outcome.status != "proposed" for outcome in result.outcomes.values()):
        raise typer.Exit(1)


def merged(context: typer.Context, task_id: Annotated[str, _TASK]) -> None:
    """Say that a person has merged the pull request; its effect is followed from now on."""
    said = "its effect shows in signals report, once sessions of a release that holds it are in"
    _decide(context, task_id, said, ("merged", "a person merged it"), ("watching", "merged"))


def _decide(context: typer.Context, task_id: str, said: str, *moves: tuple[str, str]) -> None:
    from pipelines.tasks import move_task
    from pipelines.warehouse import transaction

    given = options(context)
    prepared = given.context("tasks")
    with prepared.warehouse() as connection, transaction(connection):
        for state, reason in moves:
            move_task(connection, task_id, state, reason, prepared.clock())
    _publish(prepared)
    state, reason = moves[-1]
    result = {"task_id": task_id, "state": state, "reason": reason}
    given.print(result, lambda: f"{task_id}: {state}; {said}")


def _publish(prepared: "Context") -> None:
    """What was decided or attempted shows in report and dashboard at once."""
    from pipelines import loop

    loop.run_stages(prepared, loop.snapshot)


def reject(
    context: typer.Context,
    task_id: Annotated[str, _TASK],
    reason: Annotated[str, typer.Option(help="Kept with the task.")] = "rejected by a person",
) -> None:
    """Close a task without a merge; why is told to the agent when it works on one like it."""
    said = "its friction opens no other task before [thresholds] cooldown_days are over"
    _decide(context, task_id, said, ("rejected", reason))
