"""A session as the measures read it: its own steps, and each call by what it did to which files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from agent_core.session import Session, Step, ToolCall
from facets.log_reading import (
    COMMAND_KEYS,
    FILE_IN_TEXT,
    PATH_KEYS,
    Result,
    last_results,
    own_steps,
    strings,
    vocabulary,
)

Action = Literal["edit", "write", "read", "search", "run", "plan", "delegate", "web"]
"""`edit` changes a part of a file, `write` gives it whole."""

_RUN_KEYS = COMMAND_KEYS | {"code"}
_PATH_CHARS = 1000
_SHELL_CHARS = 2000
"""Of a command: what it does stands at its beginning, what it writes may be long."""
_PATCHED = re.compile(r"^\*\*\* (?:Update|Add|Delete) File: (.+)$", re.MULTILINE)
# What a shell is started with, and where it goes first, is not what it does.
_LEAD = r"\s*(?:\S*sh\s+-l?c\s+)?['\"]?\s*(?:cd\s+\S+\s*(?:&&|;)\s*)*"
_SHELL_READ = re.compile(
    rf"{_LEAD}(?:cat|head|tail|nl|sed\s+-n|less|more|bat)\b(?P<rest>[^\n|;&<>]*)"
)
_SHELL_SEARCH = re.compile(rf"{_LEAD}(?:grep|rg|ag|ack|find|fd|ls|tree|git\s+grep)\b")
_SHELL_WRITE = re.compile(
    r"\b(?:cat|echo|printf)\b[^\n|;&]*?(?<![\d&])>{1,2}\s*(?!/dev/)([\w./~-]+)"
    r"|\btee\s+(?:-a\s+)?(?!/dev/)([\w./~-]+)"
)
_SHELL_EDIT = re.compile(r"\bsed\s+(?:-\S+\s+)*?(?:-[a-zA-Z]*i|--in-place)(?P<rest>[^\n|;&]*)")
_FILE_WORD = re.compile(r"[\w./@+~-]*[./][\w./@+~-]*")


class Call(NamedTuple):
    """One call: what it did, to which files, by which command, and what came back."""

    step: int
    """Position in `LogView.steps`."""
    action: Action | None
    """None: by a tool that is not known."""
    files: tuple[str, ...]
    command: str
    """What a shell was given; empty for other tools."""
    result: Result | None
    """None: the log has none."""

    @property
    def failed(self) -> bool:
        """It came back with an error."""
        return self.result is not None and self.result.seen.is_error

    @property
    def changed(self) -> bool:
        """It edited or wrote a file, and did not fail."""
        return self.action in ("edit", "write") and not self.failed


@dataclass(frozen=True, slots=True)
class LogView:
    """A session read once for all measures."""

    session: Session
    steps: tuple[Step, ...]
    """Its own."""
    calls: tuple[Call, ...]
    turns: tuple[int, ...]
    """Positions in `steps` of the person's turns."""


def view_log(session: Session) -> LogView:
    """Read the session's own steps and calls."""
    steps = tuple(own_steps(session))
    results = last_results(session)
    calls = (
        _read_call(position, call, results.get(call.call_id))
        for position, step in enumerate(steps)
        for call in step.tool_calls
    )
    turns = tuple(position for position, step in enumerate(steps) if step.is_person)
    return LogView(session, steps, tuple(calls), turns)


def _read_call(step: int, call: ToolCall, result: Result | None) -> Call:
    action = _actions().get(call.name.lower())
    texts = list(strings(call.arguments)) if action is not None else []
    if action == "run":
        command = "\n".join(text for key, text in texts if key in _RUN_KEYS).strip()
        return Call(step, *_shell_action(command), command, result)
    files = [text for key, text in texts if key in PATH_KEYS and len(text) < _PATH_CHARS]
    if action == "edit":
        files += [path for key, text in texts if key in COMMAND_KEYS for path in _patched(text)]
        action = _editor_action(call.arguments)
    if not files and action in ("edit", "write", "read"):
        files = _named_in_line(call.arguments.get("command"))
    return Call(step, action, _tidy(files), "", result)


def _editor_action(arguments: Mapping[str, Any]) -> Action:
    """What an editor with commands of its own was told to do."""
    told = arguments.get("command")
    return "read" if told == "view" else "write" if told == "create" else "edit"


def _named_in_line(line: Any) -> list[str]:
    """The file of a tool that is given a whole line, such as `open src/a.py 12`."""
    words = line.split(maxsplit=2)[1:2] if isinstance(line, str) else []
    return [word for word in words if _FILE_WORD.fullmatch(word)]


def _shell_action(command: str) -> tuple[Action, tuple[str, ...]]:
    """What a command does to files, as far as its beginning shows it; `run` for all else."""
    begun = command[:_SHELL_CHARS]
    if "apply_patch" in begun and (patched := _patched(command)):
        return "edit", _tidy(patched)
    if changed := _SHELL_EDIT.search(begun):
        named = FILE_IN_TEXT.finditer(changed["rest"])
        return "edit", _tidy([found[0] for found in named][-1:])
    if written := _SHELL_WRITE.search(begun):
        return "write", _tidy([written[1] or written[2]])
    if read := _SHELL_READ.match(begun):
        words = read["rest"].strip("'\"").split()
        return "read", _tidy([word for word in words if _FILE_WORD.fullmatch(word)])
    return ("search" if _SHELL_SEARCH.match(begun) else "run"), ()


def _patched(text: str) -> list[str]:
    return _PATCHED.findall(text)


def _tidy(paths: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path.strip().removeprefix("./") for path in paths if path.strip()))


@cache
def _actions() -> dict[str, Action]:
    named: dict[Action, list[str]] = vocabulary()["actions"]
    return {name: action for action, names in named.items() for name in names}
