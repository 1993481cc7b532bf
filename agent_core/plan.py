"""The plan of a task: subtasks that are revised after every observation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent_core.session import Observation, ToolCall

Status = Literal["open", "done", "failed"]

READING = frozenset({"read_file", "list_files", "search"})
CHANGING = frozenset({"edit_file", "write_file"})
CHECKING = frozenset({"run_command"})


@dataclass(frozen=True, slots=True)
class Subtask:
    """Something to do; a call that serves by one of `tools` does it."""

    text: str
    tools: frozenset[str] = frozenset()
    """Empty: no call does it by itself; who made the plan says when it is done."""
    status: Status = "open"


Plan = tuple[Subtask, ...]

DEFAULT_PLAN: Plan = (
    Subtask("understand what is there", READING | CHECKING),
    Subtask("make the change", CHANGING),
    Subtask("check the change by running something", CHECKING),
)


def revise(plan: Plan, calls: Sequence[ToolCall], observations: Sequence[Observation]) -> Plan:
    """The plan after what was observed.

    A call that serves closes the first open subtask of its tool; a failure adds a subtask to get
    over it; a change reopens the checks that were made before it.
    """
    results = {observation.call_id: observation for observation in observations}
    for call in calls:
        observed = results.get(call.call_id)
        if observed is None:
            continue
        plan = _after_failure(plan, call, observed) if observed.is_error else _served(plan, call)
    return plan


def show(plan: Plan) -> str:
    """The plan as lines for a model or a person."""
    marks = {"open": " ", "done": "x", "failed": "!"}
    return "\n".join(f"[{marks[subtask.status]}] {subtask.text}" for subtask in plan)


def is_finished(plan: Iterable[Subtask]) -> bool:
    """Whether nothing is open or failed."""
    return all(subtask.status == "done" for subtask in plan)


def _served(plan: Plan, call: ToolCall) -> Plan:
    plan = tuple(s for s in plan if s.status != "failed" or call.name not in s.tools)
    if call.name in CHANGING:
        plan = tuple(
            replace(s, status="open")
            if s.status == "done" and s.tools and s.tools <= CHECKING
            else s
            for s in plan
        )
    position = next(
        (i for i, s in enumerate(plan) if s.status == "open" and call.name in s.tools), None
    )
    if position is None:
        return plan
    return (*plan[:position], replace(plan[position], status="done"), *plan[position + 1 :])


def _after_failure(plan: Plan, call: ToolCall, observed: Observation) -> Plan:
    text = f"get over {observed.error_class or 'other'} in {call.name}"
    if any(subtask.text == text for subtask in plan):
        return plan
    return (*plan, Subtask(text, frozenset({call.name}), "failed"))
