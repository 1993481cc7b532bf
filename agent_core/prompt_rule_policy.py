"""The policy for a foreign target that needs no model: one rule more in its prompt.

Of an agent that is not the bundled one neither tools nor recorded calls are known. What can be said
without a model is a line for the kind of failure, at the end of a section of its first prompt. The
line is chosen by the task's error class or moment type and holds nothing of any session.
"""

import json
import re
import tomllib
from collections.abc import Generator, Mapping
from functools import cache
from pathlib import Path

from agent_core.policy import Action, AgentState, Ending, UserTurn
from agent_core.remedies import Case, Change, NothingToDoError, carry_out
from agent_core.remedies.rules import AddRule
from agent_core.session import Observation, ToolCall

TASK_FILE = ".signals/task.json"
_RULES = Path(__file__).parent / "prompt_rules.toml"
_SUMMARY = "Added the rule that was missing to the prompt."

_Work = Generator[Action, tuple[Observation, ...], None]
_Text = Generator[Action, tuple[Observation, ...], str]


class PromptRulePolicy:
    """One session's worth of work on one task."""

    def __init__(self) -> None:
        self._calls = 0
        self._work: _Work | None = None

    @property
    def name(self) -> str:
        """Stands where a model's name would: it is the playbook's remedy for foreign targets."""
        return "playbook"

    def next_action(self, state: AgentState) -> Action:
        """The next step, or the submission that ends it."""
        last = state.turns[-1]
        if isinstance(last, UserTurn):
            self._work = self._worked(last.text)
            return next(self._work)
        if self._work is None:
            return Action("There is no task.", ending="gave_up")
        return self._work.send(last.observations)

    def _worked(self, task: str) -> _Work:
        try:
            kind = _kind(task)
            prompt = _prompt_of((yield from self._read(TASK_FILE)))
            text = yield from self._read(prompt)
            (change,) = _changes(prompt, text, kind)
            yield from self._edited(change)
        except NothingToDoError as error:
            yield from self._submitted(f"Nothing was changed: {error}.", "gave_up")
        else:
            yield from self._submitted(f"{_SUMMARY} Changed {prompt}.", "done")

    def _read(self, path: str) -> _Text:
        (observed,) = yield Action(f"I read {path}.", (self._call("read_file", path=path),))
        if observed.is_error:
            raise NothingToDoError(f"{path} could not be read ({observed.error_class})")
        return observed.content

    def _edited(self, edit: Change) -> _Work:
        arguments = {"path": edit.path, "old_text": edit.old_text, "new_text": edit.new_text}
        (observed,) = yield Action(
            f"I change {edit.path}.", (self._call("edit_file", **arguments),)
        )
        if observed.is_error:
            raise NothingToDoError(f"{edit.path} could not be edited ({observed.error_class})")

    def _submitted(self, summary: str, status: Ending) -> _Work:
        while True:
            call = self._call("submit", summary=summary, status=status)
            yield Action(summary, (call,), ending=status)

    def _call(self, tool: str, **arguments: object) -> ToolCall:
        self._calls += 1
        return ToolCall(f"call-{self._calls}", tool, arguments)


def _kind(task: str) -> str:
    """The error class that the task names, else its moment type."""
    for name in ("error class", "moment type"):
        found = re.search(rf"^{name}: (\w+)$", task, re.MULTILINE)
        if found and found.group(1) in _rules():
            return found.group(1)
    raise NothingToDoError("there is no rule for this kind of friction")


def _prompt_of(task_file: str) -> str:
    """The first prompt among the files that may be changed."""
    try:
        places = json.loads(task_file)["patchable"]
    except (ValueError, KeyError, TypeError):
        raise NothingToDoError("the task file cannot be read") from None
    found = next((str(place) for place in places if str(place).endswith(".md")), None)
    if found is None:
        raise NothingToDoError("no Markdown file is among those that may be changed")
    return found


def _changes(prompt: str, text: str, kind: str) -> tuple[Change, ...]:
    rule = AddRule.model_validate(
        {"kind": "add_rule", "prompt": prompt, "rules": {kind: _rules()[kind]}, "hints": {}}
    )
    case = Case("", kind)
    return carry_out([rule], case, {case.spec_path: "", prompt: text}).changes


@cache
def _rules() -> Mapping[str, list[dict[str, object]]]:
    return tomllib.loads(_RULES.read_text(encoding="utf-8"))
