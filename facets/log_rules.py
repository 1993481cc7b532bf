"""Facts that a log states itself: one rule, one pure function of the session.

Steps copied from another session are that session's and are left out. What a rule returns is
closed vocabulary, a number or a truth value, never text of the session.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agent_core.session import Event, Observation, Session, Step, ToolCall

VOCABULARY = Path(__file__).with_name("vocabulary.toml")
_PATH_KEYS = frozenset({"file", "file_path", "filename", "filepath", "notebook_path", "path"})
_COMMAND_KEYS = frozenset({"cmd", "command", "commands", "input", "patch", "script"})
_SCANNED_CHARS = 20_000
"""Of one argument: a written file says its imports at the top."""
# A match begins where a run of such characters does, else a long run would be read from each.
_FILE_IN_TEXT = re.compile(r"(?<![\w./@+-])[\w./@+-]{0,300}\w\.([A-Za-z]{1,5})(?![\w.])")
_SWITCH = re.compile(
    r"\bgit\s+(?:-C\s+\S+\s+)?(?:switch|checkout)\b(?P<rest>[^\n;|&]*)", re.IGNORECASE
)
_IMPORT = r"(?:\b(?:from|import|use|using|require|gem)\b[\s('\"]*)|[\"']"
_PLAIN = r"(?<![\w-])"
_STOPPED: frozenset[Event] = frozenset({"interrupt", "rejection"})


def programming_languages(session: Session) -> list[str]:
    """Languages of the files that the calls name, sorted."""
    by_extension = _languages()
    found = {
        by_extension.get(extension.lower())
        for call in _calls(session)
        for extension in _extensions(call.arguments)
    }
    return sorted(language for language in found if language is not None)


def frameworks(session: Session) -> list[str]:
    """Frameworks that the person's turns or the calls name, sorted."""
    told = "\0".join(_told(session))  # no pattern reaches over a NUL
    lowered = told.lower()
    return sorted(
        {
            name
            for name, words, pattern in _framework_patterns()
            # Looking for a plain string is far quicker than the pattern, and mostly in vain.
            if any(word in lowered for word in words) and pattern.search(told)
        }
    )


def confirmed_tool_calls(session: Session) -> int:
    """Calls with a result that is no error."""
    return sum(not result.is_error for result in _results(session))


def tool_errors(session: Session) -> int:
    """Calls with a result that is an error."""
    return sum(result.is_error for result in _results(session))


def branch_switches(session: Session) -> int:
    """Changes of the branch.

    A format that records the branch shows a switch as an event, and the command that made it as
    a call; the larger of the two counts.
    """
    return max(_events(session, frozenset({"branch_change"})), _switch_commands(session))


def turns(session: Session) -> int:
    """Turns of the person."""
    return sum(step.is_person for step in _own(session))


def interrupts(session: Session) -> int:
    """Interrupts and rejections."""
    return _events(session, _STOPPED)


def compactions(session: Session) -> int:
    """Compactions of the context."""
    return _events(session, frozenset({"compaction"}))


def autonomous(session: Session) -> bool:
    """No person takes part."""
    return session.is_autonomous


LOG_RULES: Mapping[str, Callable[[Session], list[str] | int | bool]] = {
    "programming_languages": programming_languages,
    "frameworks": frameworks,
    "confirmed_tool_calls": confirmed_tool_calls,
    "tool_errors": tool_errors,
    "branch_switches": branch_switches,
    "turns": turns,
    "interrupts": interrupts,
    "compactions": compactions,
    "autonomous": autonomous,
}
"""The rules that a schema may name."""


def _own(session: Session) -> Iterator[Step]:
    return (step for step in session.steps if not step.is_copied_context)


def _calls(session: Session) -> Iterator[ToolCall]:
    return (call for step in _own(session) for call in step.tool_calls)


def _results(session: Session) -> Iterator[Observation]:
    """The last result of each call; results that no call asked for are no confirmation."""
    known = {call.call_id for call in _calls(session)}
    last: dict[str, Observation] = {}
    for step in _own(session):
        for result in step.observations:
            if result.call_id is None and len(step.tool_calls) == 1:
                last[step.tool_calls[0].call_id] = result
            elif result.call_id in known:
                last[str(result.call_id)] = result
    return iter(last.values())


def _events(session: Session, kinds: frozenset[Event]) -> int:
    return sum(step.event in kinds for step in _own(session))


def _switch_commands(session: Session) -> int:
    failed = {
        result.call_id for step in _own(session) for result in step.observations if result.is_error
    }
    return sum(
        _is_switch(match["rest"])
        for call in _calls(session)
        if call.call_id not in failed
        for key, text in _strings(call.arguments)
        if key in _COMMAND_KEYS
        for match in _SWITCH.finditer(text)
    )


def _is_switch(rest: str) -> bool:
    """Whether what follows `git checkout` names a branch, not files to restore."""
    words = rest.split()
    if "--" in words or "." in words or not words:
        return False
    targets = [word for word in words if not word.startswith("-")] or ["-"]
    return _FILE_IN_TEXT.fullmatch(targets[-1]) is None


def _extensions(arguments: Mapping[str, Any]) -> Iterator[str]:
    for key, text in _strings(arguments):
        if key in _PATH_KEYS:
            yield Path(text).suffix[1:] if len(text) < 1000 else ""
        elif key in _COMMAND_KEYS:
            yield from _FILE_IN_TEXT.findall(text)


def _told(session: Session) -> Iterator[str]:
    for step in _own(session):
        if step.is_person:
            yield step.text[:_SCANNED_CHARS]
        for call in step.tool_calls:
            yield from (text for _, text in _strings(call.arguments))


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a call's arguments with the key it stands under; lists are joined."""
    if isinstance(value, str):
        yield key, value[:_SCANNED_CHARS]
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _strings(inner, str(name))
    elif isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        yield key, " ".join(value)[:_SCANNED_CHARS]
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner, key)


@cache
def _vocabulary() -> dict[str, Any]:
    return tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))


@cache
def _languages() -> dict[str, str]:
    named: dict[str, list[str]] = _vocabulary()["languages"]
    return {extension: name for name, extensions in named.items() for extension in extensions}


@cache
def _framework_patterns() -> list[tuple[str, list[str], re.Pattern[str]]]:
    """(name, words as plain strings, pattern) of each framework; a name may come twice."""
    known = _vocabulary()["frameworks"]
    return [
        (
            name,
            [word.replace("\\", "").lower() for word in words],
            re.compile(rf"{before}(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE),
        )
        for kind, before in (("plain", _PLAIN), ("imported", f"(?:{_IMPORT})"))
        for name, words in known[kind].items()
    ]
