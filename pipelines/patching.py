"""One attempt at a patch task: hand it to the agent core, record states, attempt and gate results.

The caller holds the task against other runs (`pipelines.fleet`).
"""

import os
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from agent_core.errors import BudgetSpentError, LockHeldError, SignalsError
from agent_core.model import ChatModel
from agent_core.patching import PatchOutcome, PatchTask, Target, run_patch_task
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.policy import Policy
from agent_core.sandbox import find_sandbox
from pipelines.agent_task import model_policy
from pipelines.context import Context
from pipelines.fleet_budget import BudgetedModel, FleetBudget
from pipelines.judging import make_model, require_consent
from pipelines.lessons import lessons_for
from pipelines.live_advice import LiveAdviser
from pipelines.tasks import (
    TaskRow,
    can_move,
    get_task,
    move_task,
    reopen_task,
    standing_proposal,
)
from pipelines.warehouse import replace_rows, transaction

_ENDINGS = ("proposed", "failed")
ANOTHER_RUN = "waits for another run"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to."""

    outcome: PatchOutcome
    is_put_back: bool = False
    """The run had to stop before its end: the task is open again, and nobody's patch failed."""


def make_agent_model(context: Context) -> ChatModel | None:
    """The model that drives the agent; None: playbooks do.

    Raises ConfigError where a model lacks consent or a key.
    """
    if context.config.agent.policy == "playbook":
        return None
    require_consent(context.config.judge, "recorded calls and files of the target")
    return make_model(context.config.judge)


@dataclass(frozen=True, slots=True)
class Driver:
    """What the attempts of one run share."""

    target: Target
    model: ChatModel | None
    budget: FleetBudget
    stop: Callable[[], bool] = lambda: False
    """Whether a person wants the run to end: what is under way is then left to the next run."""


def attempt_task(context: Context, task_id: str, driver: Driver) -> Attempt:
    """Attempt the task once and record what came of it.

    Whatever goes wrong in it is the attempt's own: it becomes a row with a reason. Raises
    BadInputError for a task that cannot be run, LockHeldError where the warehouse stays in use,
    KeyboardInterrupt where the run was stopped; the next run then takes the task again.
    """
    with context.warehouse() as connection, transaction(connection):
        row = reopen_task(connection, task_id, context.clock())
    states = _States(context, task_id, driver)
    model = None if driver.model is None else BudgetedModel(driver.model, driver.budget)
    policy = _policy(context, model)
    started = context.clock()
    attempt = _attempted(context, row, driver, policy, states)
    if driver.stop():
        raise KeyboardInterrupt
    # The last state and the attempt's rows are there together or, after a kill, not at all.
    with context.warehouse() as connection, transaction(connection):
        _close(connection, task_id, _endings(attempt, states.endings), context.clock())
        tokens = 0 if model is None else model.tokens
        _record(connection, task_id, attempt.outcome, (started, context.clock()), tokens)
    return attempt


def _policy(context: Context, model: BudgetedModel | None) -> Policy:
    """One for each attempt: both kinds remember what they did."""
    return PlaybookPolicy() if model is None else model_policy(context.config.agent, model)


def _attempted(
    context: Context, row: TaskRow, driver: Driver, policy: Policy, states: "_States"
) -> Attempt:
    try:
        return Attempt(
            run_patch_task(
                PatchTask.from_dict(row.task),
                target=driver.target,
                home=context.home.root,
                policy=policy,
                sandbox=find_sandbox(),
                salt=context.home.salt(),
                clock=context.clock,
                on_state=states,
                advise=LiveAdviser(context.home),
                lessons=lessons_for(context, row),
            )
        )
    except (BudgetSpentError, LockHeldError) as error:
        outcome = replace(_without_patch(policy, str(error)), status="unscored")
        return Attempt(outcome, is_put_back=True)
    except SignalsError as error:
        return Attempt(_without_patch(policy, str(error)))
    except Exception as error:  # noqa: BLE001 - one task's fault must not end the others
        log = _note(context, row.task_id, error)
        reason = f"an error of Signals itself ({type(error).__name__}); its place is in {log}"
        return Attempt(_without_patch(policy, reason))


@dataclass(slots=True)
class _States:
    """Records the states of an attempt as they come; the last one is kept for the end."""

    context: Context
    task_id: str
    driver: Driver
    endings: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, state: str, reason: str) -> None:
        self.context.progress(f"{self.task_id} {state}", 0, 0)
        if state in _ENDINGS:
            self.endings.append((state, reason))
            return
        if self.driver.stop():
            raise KeyboardInterrupt
        self.driver.budget.check()
        with self.context.warehouse() as connection, transaction(connection):
            move_task(connection, self.task_id, state, reason, self.context.clock())


def _without_patch(policy: Policy, reason: str) -> PatchOutcome:
    sandbox = find_sandbox()
    return PatchOutcome(
        status="failed",
        reason=reason,
        session_id=None,
        base_commit="",
        branch=None,
        commit_sha=None,
        pr_path=None,
        diff="",
        gate_results=(),
        policy=policy.name,
        sandbox=None if sandbox is None else sandbox.mode,
    )


def _note(context: Context, task_id: str, error: Exception) -> Path:
    """Keep the places of an error, without its words: they may quote a session."""
    log = context.home.state / "tasks.log"
    places = "".join(traceback.format_tb(error.__traceback__))
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(f"{context.clock():%Y-%m-%dT%H:%M:%SZ} {task_id} {type(error).__name__}\n")
        file.write(places)
    return log


def _endings(attempt: Attempt, reported: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if attempt.is_put_back:
        return [("failed", attempt.outcome.reason), ("open", ANOTHER_RUN)]
    return list(reported) or [("failed", attempt.outcome.reason)]


def _close(
    connection: duckdb.DuckDBPyConnection,
    task_id: str,
    endings: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    """Move the task to its last states; a person may have closed it while the agent worked."""
    standing = standing_proposal(connection, task_id)
    for state, reason in endings:
        if can_move(state, get_task(connection, task_id).state):
            move_task(connection, task_id, state, reason, now)
    if standing and get_task(connection, task_id).state == "failed":
        reason = f"this attempt failed; the pull request of {standing} stands"
        move_task(connection, task_id, "proposed", reason, now)


def _record(
    connection: duckdb.DuckDBPyConnection,
    task_id: str,
    outcome: PatchOutcome,
    times: tuple[datetime, datetime],
    tokens: int,
) -> None:
    attempt_id = uuid.uuid4().hex[:16]
    attempt = {
        "attempt_id": attempt_id,
        "task_id": task_id,
        "started_at": times[0],
        "ended_at": times[1],
        "status": outcome.status,
        "reason": outcome.reason,
        "policy": outcome.policy,
        "sandbox": outcome.sandbox,
        "session_id": outcome.session_id,
        "base_commit": outcome.base_commit or None,
        "branch": outcome.branch,
        "commit_sha": outcome.commit_sha,
        "pr_path": outcome.pr_path,
        "diff": outcome.diff,
        "tokens": tokens,
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
