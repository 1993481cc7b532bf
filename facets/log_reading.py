"""What the rules read of a session's log: its own steps, calls, results and their arguments.

Steps copied from another session are that session's and are left out.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from agent_core.session import Event, Observation, Session, Step, ToolCall

VOCABULARY = Path(__file__).with_name("vocabulary.toml")
PATH_KEYS = frozenset({"file", "file_path", "filename", "filepath", "notebook_path", "path"})
COMMAND_KEYS = frozenset({"cmd", "command", "commands", "input", "patch", "script"})
SCANNED_CHARS = 20_000
"""Of one argument: a written file says its imports at the top."""
# A match begins where a run of such characters does, else a long run would be read from each.
FILE_IN_TEXT = re.compile(r"(?<![\w./@+-])[\w./@+-]{0,300}\w\.([A-Za-z]{1,5})(?![\w.])")
_SWITCH = re.compile(
    r"\bgit\s+(?:-C\s+\S+\s+)?(?:switch|checkout)\b(?P<rest>[^\n;|&]*)", re.IGNORECASE
)


def own_steps(session: Session) -> Iterator[Step]:
    """The steps that are not copied from elsewhere."""
    return (step for step in session.steps if not step.is_copied_context)


def own_calls(session: Session) -> Iterator[ToolCall]:
    """The calls of the session's own steps."""
    return (call for step in own_steps(session) for call in step.tool_calls)


class Result(NamedTuple):
    """What came back from a call, and the step that it stands in."""

    seen: Observation
    step: Step


def last_results(session: Session) -> dict[str, Result]:
    """The last result of each call by its id; results that no call asked for confirm nothing."""
    known = {call.call_id for call in own_calls(session)}
    last: dict[str, Result] = {}
    for step in own_steps(session):
        for seen in step.observations:
            if seen.call_id is None and len(step.tool_calls) == 1:
                last[step.tool_calls[0].call_id] = Result(seen, step)
            elif seen.call_id in known:
                last[str(seen.call_id)] = Result(seen, step)
    return last


def count_events(session: Session, kinds: frozenset[Event]) -> int:
    """How many of the own steps are such events."""
    return sum(step.event in kinds for step in own_steps(session))


def count_branch_switches(session: Session) -> int:
    """Changes of the branch.

    A format that records the branch shows a switch as an event, and the command that made it as
    a call; the larger of the two counts.
    """
    return max(count_events(session, frozenset({"branch_change"})), _switch_commands(session))


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a call's arguments with the key it stands under; lists are joined."""
    if isinstance(value, str):
        yield key, value[:SCANNED_CHARS]
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from strings(inner, str(name))
    elif isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        yield key, " ".join(value)[:SCANNED_CHARS]
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner, key)


@cache
def vocabulary() -> dict[str, Any]:
    """The tables of `vocabulary.toml`."""
    return tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))


def _switch_commands(session: Session) -> int:
    failed = {
        result.call_id
        for step in own_steps(session)
        for result in step.observations
        if result.is_error
    }
    return sum(
        _is_switch(match["rest"])
        for call in own_calls(session)
        if call.call_id not in failed
        for key, text in strings(call.arguments)
        if key in COMMAND_KEYS
        for match in _SWITCH.finditer(text)
    )


def _is_switch(rest: str) -> bool:
    """Whether what follows `git checkout` names a branch, not files to restore."""
    words = rest.split()
    if "--" in words or "." in words or not words:
        return False
    targets = [word for word in words if not word.startswith("-")] or ["-"]
    return FILE_IN_TEXT.fullmatch(targets[-1]) is None
