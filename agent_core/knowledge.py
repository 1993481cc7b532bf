"""What earlier patch tasks taught: what was tried, what passed, regressed or was rejected, and why.

Lessons are data for an agent, never instructions; they hold no text of a session and no line of a
diff. A policy without a model asks `refused_before` whether its change has failed already.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Outcome = Literal[
    "proposed",
    "merged",
    "watching",
    "resolved",
    "regressed",
    "rejected",
    "expired",
    "failed",
    "unscored",
]
"""`unscored`: the gates could not judge it, so nothing is known against it."""
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts in, unit rows out."""

DEFAULT_MOST = 5
_REFUSED = frozenset({"failed", "rejected", "regressed"})
_VALUE = re.compile(r"\s*([\w.-]+)\s*[=:]\s*(-?[\d_.]+)\s*,?\s*$")
_SAME, _MEANING = "same tool and error class", "meaning"
_NAMES = "type, tool and error class (no embedding)"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One attempt at a patch task and what became of it."""

    task_id: str
    title: str
    type: str
    tool: str | None
    error_class: str | None
    tried: str
    """Files, values and counts of lines; empty: nothing was changed."""
    outcome: Outcome
    reason: str
    """Of the state that the attempt came to: a gate's name, a person's words, a measured effect."""
    change_key: str = ""
    """Equal for equal changes; empty: nothing was changed."""
    found_by: str = ""
    """Why it was chosen among the others."""

    @property
    def text(self) -> str:
        """What is embedded."""
        return _described(self.title, self.type, self.tool, self.error_class)


@dataclass(frozen=True, slots=True)
class Cause:
    """What lessons are looked up for."""

    title: str
    type: str
    tool: str | None = None
    error_class: str | None = None

    @property
    def text(self) -> str:
        """What is embedded."""
        return _described(self.title, self.type, self.tool, self.error_class)

    def is_of(self, lesson: Lesson) -> bool:
        """Whether the lesson is about the same failure, or, without a tool, the same type."""
        if self.tool is None:
            return lesson.tool is None and lesson.type == self.type
        return (self.tool, self.error_class) == (lesson.tool, lesson.error_class)


class Edit(NamedTuple):
    """A piece of a file that is replaced."""

    path: str
    old_text: str
    new_text: str


def nearest_lessons(
    description: Cause, lessons: Sequence[Lesson], embed: Embed | None, most: int = DEFAULT_MOST
) -> tuple[Lesson, ...]:
    """At most `most`, nearest first, the newer of equals; each says what it was found by.

    `lessons` are the oldest first. Those of the same failure come first, then the nearest by
    cosine similarity; without `embed`, by how much of type, tool and error class they share.
    """
    newest = list(reversed(lessons))
    same = [replace(one, found_by=_SAME) for one in newest if description.is_of(one)]
    others = [one for one in newest if not description.is_of(one)]
    if len(same) < most and others:
        same += _near(description, others, embed) if embed else _by_names(description, others)
    return tuple(same[:most])


def _near(cause: Cause, lessons: Sequence[Lesson], embed: Embed) -> list[Lesson]:
    vectors = embed([cause.text, *(one.text for one in lessons)])
    order = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")
    return [replace(lessons[i], found_by=_MEANING) for i in order]


def _by_names(cause: Cause, lessons: Sequence[Lesson]) -> list[Lesson]:
    def shared(one: Lesson) -> int:
        tool = one.tool is not None and one.tool == cause.tool
        error_class = one.error_class is not None and one.error_class == cause.error_class
        return 4 * error_class + 2 * tool + (one.type == cause.type)

    near = sorted(lessons, key=shared, reverse=True)
    return [replace(one, found_by=_NAMES) for one in near]


def _described(title: str, type_: str, tool: str | None, error_class: str | None) -> str:
    words = (title, type_, tool or "", error_class or "")
    return " ".join(word.replace("_", " ") for word in words if word)


def lesson_rows(lessons: Iterable[Lesson]) -> list[dict[str, Any]]:
    """For JSON, as the task file has them under `earlier`."""
    return [asdict(one) for one in lessons]


def lessons_in(task_file: str) -> tuple[Lesson, ...]:
    """The lessons of a task file's text; none where it has none or is cut."""
    try:
        rows = json.loads(task_file).get("earlier", [])
    except (ValueError, AttributeError):
        return ()
    known = {field.name for field in fields(Lesson)}
    kept = [{k: v for k, v in row.items() if k in known} for row in rows if isinstance(row, dict)]
    return tuple(Lesson(**row) for row in kept if len(row) >= len(known) - 2)


def refused_before(
    edits: Iterable[Edit], lessons: Iterable[Lesson], tool: str | None, error_class: str | None
) -> Lesson | None:
    """The lesson that this very change failed, was rejected or regressed for this failure."""
    key = change_key(edits)
    cause = Cause("", "", tool, error_class)
    return next(
        (
            one
            for one in lessons
            if one.change_key == key and one.outcome in _REFUSED and cause.is_of(one)
        ),
        None,
    )


def change_key(edits: Iterable[Edit]) -> str:
    """16 hex digits of the lines that edits take and give; empty where these are none."""
    given: dict[str, Counter[str]] = {}
    for edit in edits:
        lines = given.setdefault(edit.path, Counter())
        lines.update(edit.new_text.splitlines())
        lines.subtract(edit.old_text.splitlines())
    changed = sorted(
        (path, line, times)
        for path, lines in given.items()
        for line, times in lines.items()
        if times
    )
    if not changed:
        return ""
    return hashlib.sha256(json.dumps(changed).encode("utf-8", "replace")).hexdigest()[:16]


def edits_of(diff: str) -> list[Edit]:
    """The lines that a unified diff takes and gives, by file; its context is left out."""
    taken: dict[str, tuple[list[str], list[str]]] = {}
    for path, mark, line in _changed_lines(diff):
        taken.setdefault(path, ([], []))[mark == "+"].append(line)
    return [Edit(path, "\n".join(old), "\n".join(new)) for path, (old, new) in taken.items()]


def _changed_lines(diff: str) -> Iterator[tuple[str, str, str]]:
    path, is_in_hunk = "", False
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            path, is_in_hunk = line.rpartition(" b/")[2], False
        elif line.startswith("@@"):
            is_in_hunk = True
        elif is_in_hunk and line[:1] in ("+", "-"):
            yield path, line[0], line[1:]


def told(edits: Sequence[Edit]) -> str:
    """What was changed, without a line of it: numbers by their keys, else how many lines."""
    return "; ".join(f"{edit.path}: {', '.join(_told(edit))}" for edit in edits)


def _told(edit: Edit) -> Iterator[str]:
    old, new = _values(edit.old_text), _values(edit.new_text)
    both = [key for key in old if key in new and old[key] != new[key]]
    yield from (f"{key} from {old[key]} to {new[key]}" for key in both)
    removed = len(edit.old_text.splitlines()) - len(both)
    added = len(edit.new_text.splitlines()) - len(both)
    if removed or added:
        yield f"{added} lines added, {removed} removed"


def _values(text: str) -> dict[str, str]:
    matches = filter(None, map(_VALUE.match, text.splitlines()))
    return {match[1]: match[2] for match in matches}
