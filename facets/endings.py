"""How a request ended, by what the agent said last and what its calls brought.

Rules for precision: an inability counts where the agent speaks of its own (`I cannot ...`), or of
a thing in words of regret or policy. Not finding, not seeing or not knowing something is none, nor
is a wish for a detail, a condition, an offer or a question. The words stand in `endings.toml`.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from agent_core.session import Observation, Step
from facets.topics import prose, sentences

Ending = Literal["declined", "handed_over", "no_tool", "no_permission", "gave_up"]
WORDS = Path(__file__).with_name("endings.toml")
_BY_CLASS: dict[str | None, Ending] = {"unknown_tool": "no_tool", "permission": "no_permission"}


class Limit(NamedTuple):
    """A sentence in which the agent says that it does not do something."""

    sentence: str
    ending: Ending
    is_aside: bool
    """A mere remark, which counts only where nothing was done."""


def limits(text: str) -> list[Limit]:
    """The limits that a text of the agent's states, in order."""
    return [
        Limit(sentence, ending, _says("asides", sentence))
        for sentence in sentences(_plain(text))
        if (ending := _ending(sentence)) is not None
    ]


def claims_service(text: str) -> bool:
    """Whether the agent says that something was done, or gives what was asked for."""
    return _says("claims", _plain(text))


def gives_up(text: str) -> bool:
    """Whether a person lets go of a request, or takes it elsewhere."""
    return _says("giving_up", _plain(text))


def last_words(steps: Sequence[Step]) -> str:
    """What the agent said after its last call; empty where a call came last."""
    said: list[str] = []
    for step in reversed(steps):
        if step.source == "agent" and step.tool_calls:
            break
        if step.source == "agent":
            said.append(step.text)
    return "\n".join(reversed(said))


def is_handed_over(steps: Sequence[Step]) -> bool:
    """Whether a call gave the person to a human."""
    return any(_says("handing_calls", call.name) for step in steps for call in step.tool_calls)


def failed_for(steps: Sequence[Step]) -> Ending | None:
    """What stopped the calls, where the last one failed for want of a tool or a permission."""
    last = _last_result(steps)
    return _BY_CLASS.get(last.error_class) if last is not None and last.is_error else None


def has_failed(steps: Sequence[Step]) -> bool:
    """Whether the last call failed."""
    last = _last_result(steps)
    return last is not None and last.is_error


def _last_result(steps: Sequence[Step]) -> Observation | None:
    return next((result for step in reversed(steps) for result in step.observations[::-1]), None)


def _plain(text: str) -> str:
    return prose(text).replace("’", "'")


def _ending(sentence: str) -> Ending | None:
    if sentence.endswith(("?", "？")) or _says("conditions", sentence):
        return None
    if _says("handing_over", sentence):
        return "handed_over"
    if not _is_limit(sentence):
        return None
    if _says("no_permission", sentence):
        return "no_permission"
    return "no_tool" if _says("no_tool", sentence) else "declined"


def _is_limit(sentence: str) -> bool:
    own = any(
        not _pattern("not_a_limit").match(sentence, found.end())
        for found in _pattern("own_limits").finditer(sentence)
    )
    return own or (_says("regret", sentence) and _says("impersonal_limits", sentence))


def _says(what: str, text: str) -> bool:
    return _pattern(what).search(text) is not None


@cache
def _pattern(what: str) -> re.Pattern[str]:
    joined = "|".join(_patterns()[what])
    # What follows a limit is looked at from its end on, adverbs left out.
    whole = rf"\s*(?:\w+ly )?(?:{joined})\b" if what == "not_a_limit" else joined
    return re.compile(whole, re.IGNORECASE)


@cache
def _patterns() -> dict[str, list[str]]:
    document: dict[str, list[str]] = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return document
