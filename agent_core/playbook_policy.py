"""The policy that needs no model: it carries out the mechanical remedy of a playbook.

The task's text names what failed in two lines, `tool: NAME` and `error class: CLASS`. Every
playbook that applies to them is tried by rank, and each changes only what it has evidence for: the
recorded calls of the task file, or the text of the spec. All work goes through the tools, as with
a model.
"""

import re
import shlex
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from agent_core.knowledge import Edit, lessons_in, refused_before
from agent_core.plan import Plan
from agent_core.playbook import Playbook, load_playbooks
from agent_core.policy import Action, AgentState, Ending, UserTurn
from agent_core.remedies import (
    TOOLS,
    Case,
    Change,
    NothingToDoError,
    carry_out,
    files_needed,
    needs_calls,
    recorded_calls,
)
from agent_core.session import Observation, ToolCall

TASK_FILE = ".signals/task.json"
_LESSONS = "`earlier`"
"""Stands in the request where the task file holds lessons of earlier tasks."""
CHECK = f"python -m agent_core.toolkit {shlex.quote(TOOLS)}"

_Work = Generator[Action, tuple[Observation, ...], None]
_Texts = Generator[Action, tuple[Observation, ...], dict[str, str]]


@dataclass(frozen=True, slots=True)
class FailureKind:
    """The tool and error class that a patch task is about."""

    tool: str
    error_class: str


def failure_kind(task: str) -> FailureKind | None:
    """The kind of failure that a task's text names; None where it names none."""
    tool = re.search(r"^\W*tool:\s*`?(\w+)", task, re.IGNORECASE | re.MULTILINE)
    failure = re.search(r"^\W*error[ _]class:\s*`?(\w+)", task, re.IGNORECASE | re.MULTILINE)
    return FailureKind(tool.group(1), failure.group(1)) if tool and failure else None


class PlaybookPolicy:
    """One session's worth of work; every turn of the user is a task of its own."""

    def __init__(self, playbooks: Sequence[Playbook] | None = None) -> None:
        self._playbooks = load_playbooks() if playbooks is None else tuple(playbooks)
        self._calls = 0
        self._work: _Work | None = None

    @property
    def name(self) -> str:
        """Stands where a model's name would."""
        return "playbook"

    def next_action(self, state: AgentState) -> Action:
        """The remedy's next step, or the submission that ends it."""
        last = state.turns[-1]
        if isinstance(last, UserTurn):
            self._work = self._worked(last.text)
            return next(self._work)
        if self._work is None:
            return Action("There is no task.", ending="gave_up")
        return self._work.send(last.observations)

    def _worked(self, task: str) -> _Work:
        try:
            summary = yield from self._carried_out(task)
        except NothingToDoError as error:
            yield from self._submitted(f"Nothing was changed: {error}.", "gave_up")
        else:
            yield from self._submitted(summary, "done")

    def _carried_out(self, task: str) -> Generator[Action, tuple[Observation, ...], str]:
        kind = failure_kind(task)
        if kind is None:
            raise NothingToDoError("the task names no tool and error class")
        playbooks = self._applicable(kind)
        remedies = [playbook.front.remedy for playbook in playbooks]
        case = Case(kind.tool, kind.error_class)
        texts = yield from self._read(files_needed(remedies, case), playbooks[0].plan())
        task_file = ""
        if needs_calls(remedies) or _LESSONS in task:
            task_file = yield from self._task_file()
            case = replace(case, calls=recorded_calls(task_file))
        done = carry_out(remedies, case, texts)
        _refuse_what_failed(done.changes, task_file, kind)
        yield from self._edited(done.changes)
        checked = yield from self._checked()
        files = ", ".join(edit.path for edit in done.changes)
        summary = " ".join(playbooks[number].front.summary for number in done.remedies)
        return f"{summary} Changed {files}. {checked}"

    def _applicable(self, kind: FailureKind) -> list[Playbook]:
        found = [p for p in self._playbooks if p.applies_to(kind.tool, kind.error_class)]
        if not found:
            raise NothingToDoError(f"no playbook applies to {kind.error_class} in {kind.tool}")
        return found

    def _task_file(self) -> Generator[Action, tuple[Observation, ...], str]:
        """What the task recorded, failed calls and lessons; empty where there is none."""
        call = self._call("read_file", path=TASK_FILE)
        (observed,) = yield Action("I read what the task recorded.", (call,))
        return "" if observed.is_error else observed.content

    def _read(self, paths: Sequence[str], plan: Plan) -> _Texts:
        calls = [self._call("read_file", path=path) for path in paths]
        action = Action("I read what the playbook changes.", tuple(calls), plan=plan)
        observations = yield action
        for path, observation in zip(paths, observations, strict=True):
            if observation.is_error:
                raise NothingToDoError(f"{path} could not be read ({observation.error_class})")
        return {path: one.content for path, one in zip(paths, observations, strict=True)}

    def _edited(self, edits: Sequence[Change]) -> Generator[Action, tuple[Observation, ...], None]:
        for edit in edits:
            call = self._call(
                "edit_file", path=edit.path, old_text=edit.old_text, new_text=edit.new_text
            )
            (observed,) = yield Action(f"I change {edit.path}.", (call,))
            if observed.is_error:
                raise NothingToDoError(f"{edit.path} could not be edited ({observed.error_class})")

    def _checked(self) -> Generator[Action, tuple[Observation, ...], str]:
        call = self._call("run_command", command=CHECK)
        (observed,) = yield Action("I check that all tools still load.", (call,))
        if not observed.is_error:
            return "All tools still load."
        if observed.error_class == "permission":  # no sandbox here; the gates will say so too
            return "The check could not be run."
        raise NothingToDoError(f"the tools do not load any more ({observed.error_class})")

    def _submitted(self, summary: str, status: Ending) -> _Work:
        while True:
            call = self._call("submit", summary=summary, status=status)
            yield Action(summary, (call,), ending=status)

    def _call(self, tool: str, **arguments: object) -> ToolCall:
        self._calls += 1
        return ToolCall(f"call-{self._calls}", tool, arguments)


def _refuse_what_failed(changes: Sequence[Change], task_file: str, kind: FailureKind) -> None:
    """NothingToDoError where this very change was tried for this failure and did not hold."""
    edits = [Edit(one.path, one.old_text, one.new_text) for one in changes]
    lesson = refused_before(edits, lessons_in(task_file), kind.tool, kind.error_class)
    if lesson is not None:
        raise NothingToDoError(f"the same change was {lesson.outcome} before, in {lesson.task_id}")
