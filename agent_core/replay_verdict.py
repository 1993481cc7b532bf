"""Judges a replayed call against its record; no patch reaches what counts as better here."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

from agent_core.plan import CHANGING, READING
from agent_core.replay_records import RecordedCall

Verdict = Literal["serves", "fails_actionably", "same", "fails", "differs"]

# The arguments whose text must be in a file after a call that serves, under all their names.
_WRITTEN = frozenset({"new_text", "new_string", "content", "text"})
_REPLACED = frozenset({"old_text", "old_string"})
_LIKE = 0.8
_KEPT_SHARE = 0.5
_EXIT_CODE = re.compile(r"exit code -?\d+")
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

    Of a failure only that it fails, how, and what it leaves behind counts, not its wording, so long
    as it tells the same exit code and says at least half as much.
    """
    if (before.is_error, before.error_class) != (now.is_error, now.error_class):
        return "differs"
    if before.files != now.files:
        return "differs"
    old, new = normalised(before.content), normalised(now.content)
    if before.is_error:
        is_told = _EXIT_CODE.findall(old) == _EXIT_CODE.findall(new)
        return "same" if is_told and len(new) >= _KEPT_SHARE * len(old) else "differs"
    return "same" if old == new else "differs"


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
    if call.tool in CHANGING:
        return _has_changed(call, met, now)
    if call.tool in READING:
        return _has_shown(call, met, now.content)
    return True


def _has_changed(call: RecordedCall, met: Mapping[str, str], now: Replayed) -> bool:
    changed = [path for path, text in now.files.items() if met.get(path) != text]
    written = [str(v) for n, v in call.arguments.items() if n in _WRITTEN and v]
    if not changed or not all(any(w in now.files[path] for path in changed) for w in written):
        return False
    old = next((str(v) for n, v in call.arguments.items() if n in _REPLACED and v), None)
    if old is None or not written or set(met) - set(now.files):
        return set(met) <= set(now.files)
    return all(
        _is_the_edit(met.get(path, ""), now.files[path], old, written[0]) for path in changed
    )


def _is_the_edit(before: str, after: str, old: str, new: str) -> bool:
    """Whether `new` stands where something like `old` stood and nothing else changed.

    Where the text occurs several times, any place of it may be the one that was edited.
    """
    for found in re.finditer(re.escape(new), after):
        head, tail = after[: found.start()], after[found.end() :]
        fits = before.startswith(head) and before.endswith(tail)
        if fits and len(head) + len(tail) <= len(before):
            return _are_alike(before[len(head) : len(before) - len(tail)], old)
    return after.count(new) > 1 and "".join(old.split()) not in "".join(after.split())


def _are_alike(left: str, right: str) -> bool:
    words, others = " ".join(left.split()), " ".join(right.split())
    return SequenceMatcher(a=words, b=others, autojunk=False).ratio() >= _LIKE


def _has_shown(call: RecordedCall, met: Mapping[str, str], content: str) -> bool:
    """Whether it shows what was asked for: lines of the file that is meant, or that match."""
    values = [str(value) for value in call.arguments.values()]
    if call.tool == "search":
        # A place such as "." would match every line.
        patterns = [v for v in values if v != "." and not any(p.startswith(v) for p in met)]
        shown = {line.strip() for text in met.values() for line in text.splitlines()}
        wanted = {line for line in shown if any(_matches(value, line) for value in patterns)}
    elif call.tool == "read_file":
        names = {value.strip().rpartition("/")[2].lower() for value in values}
        texts = [t for path, t in met.items() if path.rpartition("/")[2].lower() in names]
        wanted = {line.strip() for text in texts for line in text.splitlines()}
    else:
        wanted = set(met)
    return any(len(line) >= _SHORTEST_NAMED and line in content for line in wanted)


def _matches(pattern: str, line: str) -> bool:
    if pattern.lower() in line.lower():
        return True
    with suppress(re.error):
        return re.search(pattern, line, re.IGNORECASE) is not None
    return False


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
