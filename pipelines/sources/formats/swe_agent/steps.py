"""The steps of one run of SWE-agent: its trajectory, told in the order of its history."""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agent_core.session import Event, Observation, Step, ToolCall
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of
from pipelines.sources.formats.swe_agent.failures import is_failure
from pipelines.sources.json_text import decode_object
from pipelines.sources.reading import Quarantined
from pipelines.sources.tool_errors import observe

_ROLES = frozenset(("system", "user", "assistant", "tool"))
_STEP_KEYS = frozenset(("action", "observation", "response", "thought"))
# The agent's own commands; whatever else it types goes to the shell.
_COMMANDS = frozenset(
    (
        "create",
        "edit",
        "exit_forfeit",
        "find_file",
        "goto",
        "insert",
        "open",
        "scroll_down",
        "scroll_up",
        "search_dir",
        "search_file",
        "set_cursors",
        "str_replace_editor",
        "submit",
    )
)
# What the program writes in the agent's place when it ends a run.
_EXIT = re.compile(r"Exit(?:ing|ed)? (?:due to|because)")
_API_EXIT = re.compile(r"Exit(?:ing|ed)? due to (?:retry|unknown|API|runtime|environment)")


class RunSteps(NamedTuple):
    """What one run holds."""

    steps: list[Step]
    quarantined: list[Quarantined]
    task: str
    """The first text that was put to the agent, demonstrations left aside."""
    folder: str
    """Where the agent's shell stood first; empty where the log does not say."""


class _Item(NamedTuple):
    place: str
    number: int
    value: dict[str, Any]


def read_steps(run: Mapping[str, Any], pointer: str) -> RunSteps:
    """The steps of the run whose object `pointer` leads to.

    The agent's steps come from the trajectory, which also has those that the program did not
    accept; a message of the history gives one only where the trajectory lacks it.
    """
    quarantined: list[Quarantined] = []
    trajectory = _wanted(run, "trajectory", pointer, is_step, "not a step", quarantined)
    history = _wanted(run, "history", pointer, is_message, "not a message", quarantined)
    history = [item for item in history if not _is_demonstration(item.value)]
    asked = (item for item in history if item.value.get("role") == "user")
    task = content_text(next(asked, _Item("", 0, {})).value.get("content"))
    steps = list(_Telling(deque(trajectory)).tell(history))
    folders = (_folder(item.value) for item in trajectory)
    return RunSteps(steps, quarantined, task, next(filter(None, folders), ""))


def is_step(value: Any) -> bool:
    """Whether a value is a step of a trajectory."""
    if not isinstance(value, dict) or len(_STEP_KEYS & value.keys()) < 2:
        return False
    return any(isinstance(value.get(key), str | list) for key in _STEP_KEYS)


def is_message(value: Any) -> bool:
    """Whether a value is a message of a history."""
    is_known = isinstance(value, dict) and text_of(value, "role") in _ROLES
    return is_known and isinstance(value.get("content"), str | list | None)


def _wanted(
    run: Mapping[str, Any],
    key: str,
    pointer: str,
    is_wanted: Callable[[Any], bool],
    reason: str,
    quarantined: list[Quarantined],
) -> list[_Item]:
    values = run.get(key)
    items = [
        _Item(f"{pointer}/{key}/{index}", index, value)
        for index, value in enumerate(values if isinstance(values, list) else [])
    ]
    quarantined += [Quarantined(item.place, reason) for item in items if not is_wanted(item.value)]
    return [item for item in items if is_wanted(item.value)]


def _is_demonstration(message: Mapping[str, Any]) -> bool:
    return message.get("is_demo") is True or message.get("message_type") == "demonstration"


def _folder(step: Mapping[str, Any]) -> str:
    return text_of(decode_object(step.get("state")), "working_dir")


@dataclass
class _Telling:
    """Goes through the history and puts the steps of the trajectory where they belong."""

    pending: deque[_Item]
    """The steps of the trajectory that are not told yet."""
    _waiting: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def tell(self, history: list[_Item]) -> Iterator[Step]:
        for item in self.pending:
            self._waiting[_key(item.value)] += 1
        position = 0
        while position < len(history):
            item = history[position]
            position += 1
            if item.value["role"] != "assistant":
                yield from _prompt(item)
                continue
            result = history[position] if position < len(history) else None
            # What comes back from an action is the one message that follows it.
            is_result = result is not None and result.value["role"] in ("user", "tool")
            position += is_result
            yield from self._act(item, result if is_result else None)
        yield from self._catch_up(None)

    def _act(self, message: _Item, result: _Item | None) -> Iterator[Step]:
        key = _key(message.value)
        if self._waiting[key]:
            yield from self._catch_up(key, message.value)
        else:
            yield _step_of_message(message, result)

    def _catch_up(
        self, until: str | None, message: Mapping[str, Any] | None = None
    ) -> Iterator[Step]:
        """The steps up to the one that `until` names, which `message` repeats; None: all."""
        while self.pending:
            item = self.pending.popleft()
            key = _key(item.value)
            self._waiting[key] -= 1
            yield _step(item, message if key == until else None)
            if key == until:
                return


def _key(value: Mapping[str, Any]) -> str:
    """What a step and the message that repeats it have in common: people edit the words of
    demonstrations, so the words count only where there is no action.
    """
    response = value["response"] if "response" in value else value.get("content")
    return content_text(value.get("action")).strip() or f"\0{content_text(response).strip()}"


def _prompt(message: _Item) -> Iterator[Step]:
    text = content_text(message.value.get("content"))
    if text:
        is_system = message.value["role"] == "system"
        yield Step(message.place, "system" if is_system else "user", text)


def _step(item: _Item, message: Mapping[str, Any] | None) -> Step:
    """A step of the trajectory; `message` is the one of the history that repeats it."""
    thought = content_text(item.value.get("thought")).strip()
    text = thought or content_text(item.value.get("response")).strip()
    action = content_text(item.value.get("action"))
    if not action.strip() and message is None and _EXIT.match(text):
        event: Event | None = "api_error" if _API_EXIT.match(text) else None
        return Step(item.place, "system", text, event=event)
    calls = _calls(message or {}, action, f"call-{item.number}")
    output = content_text(item.value.get("observation"))
    is_refused = message is None and not output and item.value.get("execution_time") == 0
    return Step(
        item.place,
        "agent",
        text,
        reasoning=_reasoning(message or {}),
        tool_calls=calls,
        observations=_observations(calls, output, item.place, is_refused=is_refused),
    )


def _step_of_message(message: _Item, result: _Item | None) -> Step:
    """An agent's step that only the history has, with the message that answers it."""
    value = message.value
    text = text_of(value, "thought").strip() or content_text(value.get("content")).strip()
    calls = _calls(value, content_text(value.get("action")), f"call-h{message.number}")
    output = content_text(result.value.get("content")) if result else ""
    return Step(
        message.place,
        "agent",
        text,
        reasoning=_reasoning(value),
        tool_calls=calls,
        observations=_observations(calls, output, result.place) if result else (),
    )


def _reasoning(message: Mapping[str, Any]) -> str:
    blocks = objects_of(message, "thinking_blocks")
    return "\n".join(filter(None, (text_of(block, "thinking") for block in blocks)))


def _calls(message: Mapping[str, Any], action: str, own_id: str) -> tuple[ToolCall, ...]:
    """The calls by their ids where the model made them, else the command that it wrote."""
    calls = []
    for number, call in enumerate(objects_of(message, "tool_calls")):
        function = mapping_of(call, "function")
        call_id = id_of(call, "id") or (own_id if number == 0 else f"{own_id}.{number + 1}")
        arguments = decode_object(function.get("arguments"))
        calls.append(ToolCall(call_id, text_of(function, "name"), arguments))
    if calls or not action.strip():
        return tuple(calls)
    command = action.strip()
    first = command.split(maxsplit=1)[0]
    return (ToolCall(own_id, first if first in _COMMANDS else "bash", {"command": command}),)


def _observations(
    calls: tuple[ToolCall, ...], output: str, place: str, *, is_refused: bool = False
) -> tuple[Observation, ...]:
    """What came back; nothing came of an action that the program refused to run."""
    if not (calls or output or is_refused):
        return ()
    call_id = calls[0].call_id if calls else None
    failed = is_refused or is_failure(output)
    return (observe(output, call_id=call_id, is_error=failed, source_ref=place),)
