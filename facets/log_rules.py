"""Facts that a log states itself: one rule, one pure function of the session.

Steps copied from another session are that session's and are left out. What a rule returns is
closed vocabulary, a number or a truth value, never text of the session. Beside the rules here a
schema may name any of `facets.measures`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from agent_core.session import Event, Session
from facets.log_reading import (
    COMMAND_KEYS,
    FILE_IN_TEXT,
    PATH_KEYS,
    SCANNED_CHARS,
    count_branch_switches,
    count_events,
    last_results,
    own_calls,
    own_steps,
    strings,
    vocabulary,
)
from facets.measures import MEASURES, whole_value

_IMPORT = r"(?:\b(?:from|import|use|using|require|gem)\b[\s('\"]*)|[\"']"
_PLAIN = r"(?<![\w-])"
_STOPPED: frozenset[Event] = frozenset({"interrupt", "rejection"})


def programming_languages(session: Session) -> list[str]:
    """Languages of the files that the calls name, sorted."""
    by_extension = _languages()
    found = {
        by_extension.get(extension.lower())
        for call in own_calls(session)
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
    return sum(not result.seen.is_error for result in last_results(session).values())


def tool_errors(session: Session) -> int:
    """Calls with a result that is an error."""
    return sum(result.seen.is_error for result in last_results(session).values())


def branch_switches(session: Session) -> int:
    """Changes of the branch."""
    return count_branch_switches(session)


def turns(session: Session) -> int:
    """Turns of the person."""
    return sum(step.is_person for step in own_steps(session))


def interrupts(session: Session) -> int:
    """Interrupts and rejections."""
    return count_events(session, _STOPPED)


def compactions(session: Session) -> int:
    """Compactions of the context."""
    return count_events(session, frozenset({"compaction"}))


def autonomous(session: Session) -> bool:
    """No person takes part."""
    return session.is_autonomous


LogRule = Callable[[Session], list[str] | int | bool | None]
"""None: the log does not show it."""
SEED_RULES: Mapping[str, LogRule] = {
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
"""The rules of the schema's first version."""
LOG_RULES: Mapping[str, LogRule] = {
    **{name: partial(whole_value, name) for name in MEASURES},
    **SEED_RULES,
}
"""The rules that a schema may name; what both know has one name and one value."""


def _extensions(arguments: Mapping[str, Any]) -> Iterator[str]:
    for key, text in strings(arguments):
        if key in PATH_KEYS:
            yield Path(text).suffix[1:] if len(text) < 1000 else ""
        elif key in COMMAND_KEYS:
            yield from FILE_IN_TEXT.findall(text)


def _told(session: Session) -> Iterator[str]:
    for step in own_steps(session):
        if step.is_person:
            yield step.text[:SCANNED_CHARS]
        for call in step.tool_calls:
            yield from (text for _, text in strings(call.arguments))


@cache
def _languages() -> dict[str, str]:
    named: dict[str, list[str]] = vocabulary()["languages"]
    return {extension: name for name, extensions in named.items() for extension in extensions}


@cache
def _framework_patterns() -> list[tuple[str, list[str], re.Pattern[str]]]:
    """(name, words as plain strings, pattern) of each framework; a name may come twice."""
    known = vocabulary()["frameworks"]
    return [
        (
            name,
            [word.replace("\\", "").lower() for word in words],
            re.compile(rf"{before}(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE),
        )
        for kind, before in (("plain", _PLAIN), ("imported", f"(?:{_IMPORT})"))
        for name, words in known[kind].items()
    ]
