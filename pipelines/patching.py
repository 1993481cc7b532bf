"""Run patch tasks: hand them to the agent core, record states, attempts and gate results."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import duckdb
import polars as pl
from filelock import FileLock, Timeout

from agent_core.errors import LockHeldError
from agent_core.model_policy import ModelPolicy
from agent_core.patching import PatchOutcome, PatchTask, Target, run_patch_task
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.policy import Policy
from agent_core.sandbox import find_sandbox
from pipelines.context import Context
from pipelines.judging import make_model, require_consent
from pipelines.live_advice import LiveAdviser
from pipelines.targets import configured_target
from pipelines.tasks import IN_WORK, TaskRow, get_task, list_tasks, move_task, reopen_task
from pipelines.warehouse import replace_rows, transaction

_ENDINGS = ("proposed", "failed")


def waiting_task_ids(context: Context) -> list[str]:
    """Ids of the tasks that wait for an attempt, oldest first.

    A task in work that no process holds belongs to an attempt that was killed: it waits too.
    """
    with context.warehouse() as connection:
        tasks = list_tasks(connection)
    return [
        task.task_id
        for task in tasks
        if task.state == "open" or (task.state in IN_WORK and not _is_held(context, task.task_id))
    ]


def _is_held(context: Context, task_id: str) -> bool:
    try:
        with _lock(context, task_id):
            return False
    except Timeout:
        return True


def _lock(context: Context, task_id: str) -> FileLock:
    return FileLock(context.home.state / f"{task_id}.lock", timeout=0)


def run_tasks(
    context: Context, task_ids: Sequence[str], target: Target | None = None
) -> dict[str, PatchOutcome]:
    """Attempt each task once, one after the other; outcomes by task id.

    Without `target` the configured repository, else the checkout Signals runs from. Raises
    TargetError without one, BadInputError for a task that cannot be run.
    """
    config = context.config
    found = target or configured_target(config)
    return {task_id: _run_alone(context, task_id, found) for task_id in task_ids}


def _run_alone(context: Context, task_id: str, target: Target) -> PatchOutcome:
    """A task is attempted by one process at a time."""
    with context.warehouse() as connection:
        row = get_task(connection, task_id)
    try:
        with _lock(context, row.task_id):
            return _run(context, task_id, target)
    except Timeout:
        raise LockHeldError(f"{task_id}: another process works on it; wait for it") from None


def _run(context: Context, task_id: str, target: Target) -> PatchOutcome:
    with context.warehouse() as connection, transaction(connection):
        row = reopen_task(connection, task_id, context.clock())
    started = context.clock()
    ending: list[tuple[str, str]] = []

    def on_state(state: str, reason: str) -> None:
        context.progress(f"{task_id} {state}", 0, 0)
        if state in _ENDINGS:
            ending.append((state, reason))
            return
        with context.warehouse() as connection, transaction(connection):
            move_task(connection, task_id, state, reason, context.clock())

    outcome = run_patch_task(
        PatchTask.from_dict(row.task),
        target=target,
        home=context.home.root,
        policy=_policy(context),
        sandbox=find_sandbox(),
        salt=context.home.salt(),
        clock=context.clock,
        on_state=on_state,
        advise=LiveAdviser(context.home),
    )
    # The last state and the attempt's rows are there together or, after a kill, not at all.
    with context.warehouse() as connection, transaction(connection):
        for state, reason in ending:
            move_task(connection, task_id, state, reason, context.clock())
        _record(connection, row, outcome, started, context.clock())
    return outcome


def _policy(context: Context) -> Policy:
    """The configured driver. Raises ConfigError where a model lacks consent or a key."""
    if context.config.agent.policy == "playbook":
        return PlaybookPolicy()
    require_consent(context.config.judge, "recorded calls and files of the target")
    return ModelPolicy(make_model(context.config.judge))


def _record(
    connection: duckdb.DuckDBPyConnection,
    row: TaskRow,
    outcome: PatchOutcome,
    started: datetime,
    ended: datetime,
) -> None:
    attempt_id = uuid.uuid4().hex[:16]
    attempt = {
        "attempt_id": attempt_id,
        "task_id": row.task_id,
        "started_at": started,
        "ended_at": ended,
        "status": outcome.status,
        "reason": outcome.reason,
        "policy": outcome.policy,
        "sandbox": outcome.sandbox,
        "session_id": outcome.session_id,
        "base_commit": outcome.base_commit,
        "branch": outcome.branch,
        "commit_sha": outcome.commit_sha,
        "pr_path": outcome.pr_path,
        "diff": outcome.diff,
    }
    replace_rows(connection, "patch_attempts", pl.DataFrame([attempt]))
    gates = [
        {
            "attempt_id": attempt_id,
            "number": number,
            "gate": result.gate,
            "status": result.status,
            "reason": result.reason,
            "seconds": result.seconds,
        }
        for number, result in enumerate(outcome.gate_results, start=1)
    ]
    replace_rows(connection, "gate_results", pl.DataFrame(gates))
