"""Judges a replayed call against its record; no patch reaches what counts as better here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent_core.plan import CHANGING, READING
from agent_core.replay_records import RecordedCall

Verdict = Literal["serves", "fails_actionably", "same", "fails", "differs"]

# The arguments whose text must be in a file after a call that serves, under all their names.
_WRITTEN = frozenset({"new_text", "new_string", "content", "text"})
_SHORTEST_NAMED = 3
_LONGEST_NAMED = 60
_VARIABLE = (
    (re.compile(r"\b\d+(\.\d+)?(e-?\d+)? ?(ms|s|sec|seconds?|minutes?)\b"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?(\.\d+)?\b|\b\d{4}-\d\d-\d\d\b"), "<time>"),
    (re.compile(r"(/private)?/(tmp|var/folders)/[\w./+-]+"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "<address>"),
    (re.compile(r"\bpid[ =:]*\d+\b", re.IGNORECASE), "<pid>"),
)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a call gave on a tree; `files` are those of the workspace afterwards."""

    is_error: bool
    error_class: str | None
    content: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Relative path → text."""


@dataclass(frozen=True, slots=True)
class ToolNames:
    """What a message can send the agent to: tools, and the arguments of the failing one."""

    tools: frozenset[str]
    arguments: frozenset[str]


def judge_failed(
    call: RecordedCall, met: Mapping[str, str], now: Replayed, names: ToolNames
) -> Verdict:
    """A call that failed, on a workspace with the files `met`: `serves`, `fails_actionably` or
    `fails`. Saying that it served is not enough: it must have done something."""
    if not now.is_error:
        return "serves" if _has_done_something(call, met, now) else "fails"
    return "fails_actionably" if is_actionable(call, now.content, names) else "fails"


def judge_unchanged(before: Replayed, now: Replayed) -> Verdict:
    """A call that must give what it gave: `same` or `differs`.

    Of a failure only that it fails, how, and what it leaves behind counts, not its wording.
    """
    if (before.is_error, before.error_class) != (now.is_error, now.error_class):
        return "differs"
    if before.files != now.files:
        return "differs"
    is_same = before.is_error or normalised(before.content) == normalised(now.content)
    return "same" if is_same else "differs"


def is_actionable(call: RecordedCall, message: str, names: ToolNames) -> bool:
    """Whether the message differs from the recorded one, names what is at fault (a value of the
    call's arguments), and names a tool or an argument to go on with that it did not name."""
    if normalised(message) == normalised(call.content):
        return False
    if not any(value in message for value in named_values(call)):
        return False
    wanted = names.tools | names.arguments
    return bool(words_of(message, wanted) - words_of(call.content, wanted))


def _has_done_something(call: RecordedCall, met: Mapping[str, str], now: Replayed) -> bool:
    changed = [text for path, text in now.files.items() if met.get(path) != text]
    if call.tool in CHANGING:
        written = [str(v) for n, v in call.arguments.items() if n in _WRITTEN and v]
        return bool(changed) and all(any(w in text for text in changed) for w in written)
    if call.tool in READING:
        shown = {line.strip() for text in met.values() for line in text.splitlines()} | set(met)
        return any(len(s) >= _SHORTEST_NAMED and s in now.content for s in shown)
    return True


def named_values(call: RecordedCall) -> set[str]:
    """The text of the arguments that a message can name: whole, or its first line."""
    values = {str(value).strip() for value in call.arguments.values()}
    first_lines = {value.splitlines()[0].strip()[:_LONGEST_NAMED] for value in values if value}
    return {value for value in values | first_lines if len(value) >= _SHORTEST_NAMED}


def words_of(text: str, names: Iterable[str]) -> set[str]:
    """Those of the names that stand in the text as whole words."""
    return set(re.findall(r"\w+", text)) & set(names)


def normalised(text: str) -> str:
    """Durations, times of day, temporary paths and addresses taken out."""
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text.strip()
