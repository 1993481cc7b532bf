"""Verbs of patch tasks."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_core.errors import BadInputError, NotBuiltError
from pipelines.cli.options import Options, options

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
    from pipelines.tasks import list_tasks

    given = options(context)
    with given.context("tasks list").warehouse() as connection:
        rows = [
            {"task_id": task.task_id, "state": task.state, "title": task.title}
            for task in list_tasks(connection)
        ]
    given.print(
        rows,
        lambda: (
            "\n".join(f"{r['task_id']}  {r['state']:<10} {r['title']}" for r in rows)
            or "no task yet"
        ),
    )


def show(context: typer.Context, task_id: Annotated[str, _TASK]) -> None:
    """One task: evidence, transitions, attempts, gates."""
    given = options(context)
    found = _details(given, task_id)
    given.print(found, lambda: _as_text(found))


def _details(given: Options, task_id: str) -> dict[str, Any]:
    from pipelines.tasks import get_task, transitions
    from pipelines.warehouse import query

    with given.context("tasks show").warehouse() as connection:
        task = get_task(connection, task_id)
        moves = transitions(connection, task_id)
        attempts = query(
            connection, "FROM patch_attempts WHERE task_id = ? ORDER BY started_at", [task_id]
        )
        gates = query(
            connection,
            "SELECT gate_results.* FROM gate_results JOIN patch_attempts USING (attempt_id) "
            "WHERE task_id = ? ORDER BY started_at, number",
            [task_id],
        )
    return {
        "task_id": task.task_id,
        "state": task.state,
        "title": task.title,
        **task.task,
        "transitions": [
            {"from": start, "to": end, "at": at, "reason": reason}
            for start, end, at, reason in moves
        ],
        "attempts": attempts.to_dicts(),
        "gates": gates.to_dicts(),
    }


def _as_text(found: dict[str, Any]) -> str:
    lines = [f"{found['task_id']}  {found['state']}  {found['title']}", "", "Evidence"]
    lines += [f"  {text}" for text in found["evidence"]]
    lines += ["", f"Suspected cause: {found['suspected_cause']}"]
    lines += [f"Acceptance: {found['acceptance']}", "", "History"]
    lines += [f"  {m['at']:%Y-%m-%d %H:%M:%S} {m['to']:<10} {m['reason']}" for m in
              found["transitions"]]  # fmt: skip
    for attempt in found["attempts"]:
        lines += ["", f"Attempt {attempt['attempt_id']}: {attempt['status']}, {attempt['reason']}"]
        lines += [f"  branch {attempt['branch']}, pull request {attempt['pr_path']}"]
        lines += [
            f"  {gate['status']:<9} {gate['gate']:<12} {gate['reason']}"
            for gate in found["gates"]
            if gate["attempt_id"] == attempt["attempt_id"]
        ]
    return "\n".join(lines)


def run(
    context: typer.Context,
    task_id: Annotated[str | None, _TASK] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open task.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="So many side by side.")] = 1,
) -> None:
    """Have the agent core patch the target, gate the patch, and open the pull request."""
    from pipelines.patching import run_tasks, waiting_task_ids

    if (task_id is None) != all_:
        raise BadInputError("tasks run takes either a task's id or --all")
    if jobs > 1:
        raise NotBuiltError("tasks run --jobs is not built yet: tasks run one after the other")
    given = options(context)
    prepared = given.context("tasks run")
    ids = waiting_task_ids(prepared) if task_id is None else [task_id]
    outcomes = run_tasks(prepared, ids)
    _publish(prepared)
    given.print(
        {task: {"status": o.status, "reason": o.reason, "branch": o.branch,
                "pull_request": str(o.pr_path or "")} for task, o in outcomes.items()},
        lambda: "\n".join(
            f"{task}: {o.status}, {o.reason} (sandbox: {o.sandbox or 'none works here'})"
            for task, o in outcomes.items()
        )
        or "no open task",
    )  # fmt: skip
    if any(outcome.status != "proposed" for outcome in outcomes.values()):
        raise typer.Exit(1)


def merged(context: typer.Context, task_id: Annotated[str, _TASK]) -> None:
    """Say that a person has merged the pull request."""
    _decide(context, task_id, ("merged", "a person merged it"), ("watching", "merged"))


def _decide(context: typer.Context, task_id: str, *moves: tuple[str, str]) -> None:
    from pipelines.tasks import move_task
    from pipelines.warehouse import transaction

    prepared = options(context).context("tasks")
    with prepared.warehouse() as connection, transaction(connection):
        for state, reason in moves:
            move_task(connection, task_id, state, reason, prepared.clock())
    _publish(prepared)
    print(f"{task_id}: {moves[-1][0]}")


def _publish(prepared: "Context") -> None:
    """What was decided or attempted shows in report and dashboard at once."""
    from pipelines import loop

    loop.run_stages(prepared, loop.snapshot)


def reject(
    context: typer.Context,
    task_id: Annotated[str, _TASK],
    reason: Annotated[str, typer.Option(help="Kept with the task.")] = "rejected by a person",
) -> None:
    """Close a task without a merge."""
    _decide(context, task_id, ("rejected", reason))
