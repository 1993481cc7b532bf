"""Patch tasks side by side: each in its own worktree, one budget, no task twice.

Threads, since the work is done in processes of git, of the gates and of commands, or waits for a
model. What one task runs into ends that task only.
"""

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event

from agent_core.errors import BudgetSpentError, SignalsError
from agent_core.patching import PatchOutcome, Target
from agent_core.worktree import open_repository
from pipelines.context import Context
from pipelines.fleet_budget import FleetBudget
from pipelines.fleet_leftovers import clear_leftovers
from pipelines.patching import Driver, attempt_task, make_agent_model
from pipelines.targets import configured_target
from pipelines.tasks import IN_WORK, TaskState, get_task, list_tasks

_WAITING: frozenset[TaskState] = IN_WORK | {"open"}


@dataclass(slots=True)
class FleetResult:
    """What came of each task, by its id."""

    outcomes: dict[str, PatchOutcome] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    """Not attempted to its end, and why: another process works on it, or the budget is spent."""
    tokens: int = 0
    """Sent and received by all of them."""


def waiting_task_ids(context: Context) -> list[str]:
    """Ids of the tasks that wait for an attempt, oldest first.

    One that is in work counts too: its attempt was killed, or another process holds it.
    """
    with context.warehouse() as connection:
        return [task.task_id for task in list_tasks(connection) if task.state in _WAITING]


def run_tasks(
    context: Context, task_ids: Sequence[str], target: Target | None = None
) -> dict[str, PatchOutcome]:
    """Attempt each of these tasks once, one after the other; outcomes by task id.

    Raises TargetError without a target, BadInputError for a task that cannot be run, TaskHeldError
    where another process works on one, BudgetSpentError where the budget ended one early.
    """
    fleet = _Fleet(context, _driver(context, target, Event()))
    for task_id in task_ids:
        fleet.run(task_id)
    return fleet.result.outcomes


def run_fleet(context: Context, *, jobs: int = 1, target: Target | None = None) -> FleetResult:
    """Attempt every task that waits, `jobs` at a time, each once.

    Without `target` the configured repository, else the checkout Signals runs from. Raises
    TargetError without one and ConfigError where no task could be begun.
    """
    stop = Event()
    fleet = _Fleet(context, _driver(context, target, stop))
    waiting = waiting_task_ids(context)
    if jobs == 1 or len(waiting) < 2:
        for task_id in waiting:
            fleet.run_if_waiting(task_id)
    else:
        _side_by_side(fleet, waiting, jobs, stop)
    fleet.result.tokens = fleet.driver.budget.spent
    return fleet.result


def _driver(context: Context, target: Target | None, stop: Event) -> Driver:
    """What all tasks need, looked at before any is begun; killed runs are cleared away."""
    config = context.config
    found = target or configured_target(config)
    open_repository(found.repo).close()
    model = make_agent_model(context)
    clear_leftovers(context, found)
    budget = FleetBudget(context.clock, config.agent.budget_tokens, config.agent.budget_minutes)
    return Driver(found, model, budget, stop.is_set)


def _side_by_side(fleet: "_Fleet", task_ids: Sequence[str], jobs: int, stop: Event) -> None:
    with ThreadPoolExecutor(max_workers=min(jobs, len(task_ids))) as threads:
        futures: list[Future[None]] = [
            threads.submit(fleet.run_if_waiting, task_id) for task_id in task_ids
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            stop.set()  # what is under way ends at its next step, unrecorded
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=stop.is_set())
    for future in futures:
        future.result()


@dataclass(slots=True)
class _Fleet:
    """Runs one task after the other; threads share it."""

    context: Context
    driver: Driver
    result: FleetResult = field(default_factory=FleetResult)

    def run_if_waiting(self, task_id: str) -> None:
        """Attempt the task, or note why not."""
        try:
            self.driver.budget.check()
            with self.context.home.working_on(task_id, f"signals {self.context.verb}"):
                if self._is_waiting(task_id):
                    self._attempt(task_id)
        except SignalsError as error:  # the others go on
            self.result.left[task_id] = str(error)

    def run(self, task_id: str) -> None:
        """Attempt the task, also one that failed or is proposed. Raises what stands in the way."""
        with self.context.warehouse() as connection:
            get_task(connection, task_id)
        with self.context.home.working_on(task_id, f"signals {self.context.verb}"):
            self._attempt(task_id)
        if task_id in self.result.left:
            raise BudgetSpentError(f"{task_id}: {self.result.left[task_id]}")

    def _attempt(self, task_id: str) -> None:
        attempt = attempt_task(self.context, task_id, self.driver)
        if attempt.is_put_back:
            self.result.left[task_id] = attempt.outcome.reason
        else:
            self.result.outcomes[task_id] = attempt.outcome

    def _is_waiting(self, task_id: str) -> bool:
        """Another process may have finished it since it was listed."""
        with self.context.warehouse() as connection:
            return get_task(connection, task_id).state in _WAITING
