"""Long output made short: head, tail, the lines that tell of errors, counts, how to get more."""

import re
from dataclasses import dataclass

_TELLING = re.compile(r"error|fail|exception|traceback|warning: |fatal|panic|assert", re.IGNORECASE)
_LINE_CHARS = 500


@dataclass(frozen=True, slots=True)
class Shape:
    """How many lines are kept of a long output."""

    head_lines: int = 40
    tail_lines: int = 60
    error_lines: int = 30


def condense(text: str, shape: Shape) -> str:
    """The text itself when short enough, else what `shape` keeps with the gaps counted."""
    lines = [_cut(line) for line in text.splitlines()]
    if len(lines) <= shape.head_lines + shape.tail_lines + shape.error_lines:
        return "\n".join(lines)
    tail_start = len(lines) - shape.tail_lines
    middle = range(shape.head_lines, tail_start)
    telling = [i for i in middle if _TELLING.search(lines[i])]
    kept = telling[: shape.error_lines]
    return "\n".join(
        [
            *lines[: shape.head_lines],
            _gap(len(middle), len(telling), len(kept), shape.head_lines + 1, tail_start),
            *(f"{i + 1}: {lines[i]}" for i in kept),
            f"[the last {shape.tail_lines} of {len(lines)} lines]",
            *lines[tail_start:],
        ]
    )


def _gap(hidden: int, telling: int, kept: int, first: int, last: int) -> str:
    return (
        f"[{hidden} lines left out ({first} to {last}), {telling} of them tell of errors, "
        f"{kept} of those follow; for others run the command again with | sed -n '{first},{last}p' "
        "in parts, or with | grep]"
    )


def _cut(line: str) -> str:
    if len(line) <= _LINE_CHARS:
        return line
    return f"{line[:_LINE_CHARS]} [{len(line) - _LINE_CHARS} characters left out]"
