"""What a patch may write into a prompt, a playbook or a spec: advice for work, and no more.

The patterns find what is said plainly. What is said in a roundabout way is left to the review and
to the person who merges.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agent_core.change import FileChange, added_lines

_KEPT = Path(__file__).parent / "kept_rules.toml"
_SEEN_CONTROLS = frozenset("\t\n\r")
_FAILURE = r"(?:error|fail|problem|wrong|time-?out|timed out|exception|not pass)"
_TO_A_REVIEWER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instructions?|rules?|prompt|above)\b"
    r"|\bapprove (?:of )?(?:this|the) (?:patch|change|diff)\b|\b(?:to|dear) (?:the )?reviewers?\b"
    r"|[\"']verdict[\"']",
    re.IGNORECASE,
)
_TEXT_CHEATS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (wording, re.compile(pattern, re.IGNORECASE))
    for wording, pattern in (
        (
            "tells the agent to hide failures",
            r"\b(?:never|do not|don't|avoid|without)\b"
            r"(?![^.\n]*\b(?:success|works?|done|passed|fixed)\b)[^.\n]{0,30}"
            rf"\b(?:mention|report|say|tell|show|admit|log)\w*\b[^.\n]{{0,40}}\b{_FAILURE}",
        ),
        (
            "tells the agent to hide failures",
            r"(?<!not )(?<!never )(?<!n't )\b(?:ignore|hide|suppress|silence|swallow)\b"
            rf"[^.\n]{{0,30}}\b{_FAILURE}",
        ),
        (
            "tells the agent to claim success",
            r"\b(?:always|just|simply)\b[^.\n]{0,30}\b(?:say|report|claim|answer|submit)\b"
            r"[^.\n]{0,40}\b(?:done|success\w*|works?|passed)\b",
        ),
        (
            "tells the agent to please the person",
            r"\b(?:always|first)\b[^.\n]{0,30}\b(?:thank|praise|compliment)\w*\b[^.\n]{0,30}"
            r"\b(?:user|person)\b",
        ),
        (
            "holds a command or an address that would be followed",
            r"https?://|\b(?:curl|wget|scp|sudo)\s|\brm -\w*[rf]|\|\s*(?:ba)?sh\b"
            r"|\bbase64\b|\bchmod\b|\bgit (?:push|config|commit)\b|LD_PRELOAD|\|\|\s*true\b",
        ),
    )
)
_DISABLED = (
    r"\b(?:never|do not|don't|stop|avoid)\s+(?:ever\s+)?(?:use|using|call|calling|run|running)?\s*"
    r"`?(?:{names})`?\s*(?:[.;,!]|$|any ?more|again|at all)"
    r"|`?(?:{names})`? (?:is|are) (?:deprecated|disabled|broken|gone)"
)


def text_problems(change: FileChange, tools: frozenset[str]) -> Iterator[str]:
    """One line for everything that the added lines may not say; `tools` are the tools' names."""
    added = " ".join(" ".join(added_lines(change)).split())
    for wording, pattern in _TEXT_CHEATS:
        if pattern.search(added):
            yield f"{change.path} {wording}"
    names = "|".join(sorted(map(re.escape, tools | {"this tool"})))
    if re.search(_DISABLED.format(names=names), added, re.IGNORECASE):
        yield f"{change.path} tells the agent not to use a tool"
    yield from _vanished(change)


def any_text_problems(change: FileChange) -> Iterator[str]:
    """What no changed file of any target may hold: it would deceive those who read the patch."""
    try:
        before, after = ((c or b"").decode() for c in (change.before, change.after))
    except UnicodeDecodeError:
        yield f"{change.path} is no text (UTF-8)"
        return
    if hidden := sorted(_unseen(after) - _unseen(before)):
        yield f"{change.path} holds characters that nobody sees ({', '.join(hidden)})"
    if _TO_A_REVIEWER.search(" ".join(" ".join(added_lines(change)).split())):
        yield f"{change.path} speaks to who reviews it"


def _vanished(change: FileChange) -> Iterator[str]:
    before, after = (
        " ".join((c or b"").decode("utf-8", "replace").split())
        for c in (change.before, change.after)
    )
    for rule in kept_rules().get(change.path, ()):
        if re.search(rule, before, re.IGNORECASE) and not re.search(rule, after, re.IGNORECASE):
            yield f'{change.path} no longer says "{rule}"'


@cache
def kept_rules() -> dict[str, tuple[str, ...]]:
    """Path of a prompt → what it must go on saying."""
    text = _KEPT.read_text(encoding="utf-8")
    return {path: tuple(rules) for path, rules in tomllib.loads(text)["kept"].items()}


def _unseen(text: str) -> set[str]:
    """Controls, formats (among them the marks of direction), private use."""
    return {
        f"U+{ord(char):04X}"
        for char in set(text) - _SEEN_CONTROLS
        if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    }
