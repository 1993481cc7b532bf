"""Long output made short: head, tail, lines that tell of errors, repetitions, how to get more.

One pass over the lines; what is held does not grow with them. The same lines give the same text.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from agent_core.error_line import doubt

_TELLING = re.compile(
    r"error|fail|exception|traceback|warning: |fatal|panic|assert|err!|denied|not found|cannot"
    r"|undefined|unable|\w:\d+:\d+: ",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_LINE_CHARS = 500
_SAMPLE_CHARS = 100
_LINES_BEFORE = 2
_LINES_AFTER = 1
_DOUBTS = 4
_MOST_PATTERNS = 2000
"""Distinct lines, digits aside, whose repetitions are counted; later ones are only summed up."""
_SHOWN_PATTERNS = 3
_FEWEST_REPEATS = 10
RUN_AGAIN = (
    "call it again with command=\"(the same) 2>&1 | sed -n '{first},{last}p'\", in parts, "
    "or with | grep"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How many lines are kept of a long output."""

    head_lines: int = 40
    tail_lines: int = 60
    error_lines: int = 30
    """Of lines that tell of errors and those around them, together."""

    @property
    def most_lines(self) -> int:
        """An output of no more is kept whole."""
        return self.head_lines + self.tail_lines + self.error_lines


def condense(text: str, shape: Shape, more: str = RUN_AGAIN) -> str:
    """The text itself when short enough, else what `shape` keeps with the gaps counted.

    `more` says how to see the rest; `{first}` and `{last}` are the numbers of the hidden lines.
    """
    return condense_lines(_lines(text), shape, more)


def condense_lines(lines: Iterable[str], shape: Shape, more: str = RUN_AGAIN) -> str:
    """The same for lines that come one after the other."""
    coming = map(_cut, lines)
    kept = list(islice(coming, shape.most_lines + 1))
    if len(kept) <= shape.most_lines:
        return "\n".join(kept)
    head = kept[: shape.head_lines]
    tail: deque[str] = deque()
    hidden = _Hidden(shape.head_lines, shape.error_lines)
    for line in chain(kept[shape.head_lines :], coming):
        tail.append(line)
        if len(tail) > shape.tail_lines:
            hidden.add(tail.popleft())
    total = hidden.last + len(tail)
    ending = f"[the last {len(tail)} of {total} lines]"
    return "\n".join([*head, *hidden.told(more), ending, *tail])


def _lines(text: str) -> Iterator[str]:
    """As str.splitlines, without a second copy of the text."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield from text[start:end].splitlines()
        start = end


def _cut(line: str) -> str:
    if len(line) <= _LINE_CHARS:
        return line
    return f"{line[:_LINE_CHARS]} [{len(line) - _LINE_CHARS} characters left out]"


@dataclass(slots=True)
class _Told:
    """The first line of its pattern that tells of an error."""

    number: int
    line: str
    before: list[str]
    after: list[str] = field(default_factory=list)
    times: int = 1


class _Hidden:
    """The lines between head and tail: counted, with those kept that tell of errors."""

    def __init__(self, lines_before: int, error_lines: int) -> None:
        self.last = lines_before
        self._first = lines_before + 1
        self._error_lines = error_lines
        self._telling = 0
        self._found: list[dict[str, _Told]] = [{} for _ in range(_DOUBTS)]
        self._doubts: dict[str, int] = {}
        self._patterns: dict[str, tuple[str, int]] = {}
        self._before: deque[str] = deque(maxlen=_LINES_BEFORE)
        self._newest: _Told | None = None

    def add(self, line: str) -> None:
        self.last += 1
        if self._newest is not None and len(self._newest.after) < _LINES_AFTER:
            self._newest.after.append(line)
        pattern = _DIGITS.sub("0", line)
        sample, times = self._patterns.get(pattern, (line, 0))
        if times or len(self._patterns) < _MOST_PATTERNS:
            self._patterns[pattern] = (sample, times + 1)
        if _TELLING.search(line):
            self._add_telling(line, pattern)
        self._before.append(line)

    def _add_telling(self, line: str, pattern: str) -> None:
        self._telling += 1
        found = self._found[self._doubt(line, pattern)]
        if pattern in found:
            found[pattern].times += 1
        elif len(found) < self._error_lines:
            self._newest = _Told(self.last, line, list(self._before))
            found[pattern] = self._newest

    def _doubt(self, line: str, pattern: str) -> int:
        known = self._doubts.get(pattern)
        if known is None and len(self._doubts) < _MOST_PATTERNS:
            told = doubt(line)
            known = self._doubts[pattern] = _DOUBTS - 1 if told is None else told
        return _DOUBTS - 1 if known is None else known

    def told(self, more: str) -> list[str]:
        """The lines that stand for the hidden ones."""
        chosen = self._chosen()
        shown = self._shown(chosen)
        count = self.last - self._first + 1
        gap = (
            f"[{count} lines left out ({self._first} to {self.last}), {self._telling} of them tell "
            f"of errors, {len(chosen)} of those follow; for others "
            f"{more.format(first=self._first, last=self.last)}]"
        )
        return [gap, *(shown[number] for number in sorted(shown)), *self._repeated()]

    def _chosen(self) -> list[_Told]:
        """What tells most, the first of it first; a third of the room is for lines around it."""
        told = [one for found in self._found for one in found.values()]
        return told[: self._error_lines - self._error_lines // 3]

    def _shown(self, chosen: list[_Told]) -> dict[int, str]:
        """By their numbers, marked as grep does: `:` where a line matches, `-` around it."""
        telling = {one.number: _counted(one) for one in chosen}
        around = {number: f"{number}- {line}" for one in chosen for number, line in _around(one)}
        extra = [number for number in around if number not in telling]
        room = self._error_lines - len(telling)
        return {number: around[number] for number in extra[:room]} | telling

    def _repeated(self) -> Iterator[str]:
        often = [(times, sample) for sample, times in self._patterns.values()]
        often.sort(key=lambda one: -one[0])
        for times, sample in often[:_SHOWN_PATTERNS]:
            if times >= _FEWEST_REPEATS:
                yield f"[{times} of the lines left out are like: {sample[:_SAMPLE_CHARS]}]"


def _around(one: _Told) -> list[tuple[int, str]]:
    """The nearest first."""
    lines = [*enumerate(one.before, one.number - len(one.before))]
    lines += enumerate(one.after, one.number + 1)
    return sorted(lines, key=lambda line: abs(line[0] - one.number))


def _counted(one: _Told) -> str:
    more = f" [and {one.times - 1} more like it]" if one.times > 1 else ""
    return f"{one.number}: {one.line}{more}"
