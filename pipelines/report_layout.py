"""Lines of the report: wrapped, printable."""

import textwrap

WIDTH = 100


def entry(text: str, indent: int = 2, rest: int | None = None) -> list[str]:
    """`text` wrapped to the width; control characters from a log must not reach a terminal."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return textwrap.wrap(
        plain,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2 if rest is None else rest),
        break_on_hyphens=False,
    )


def judge_entry(statement: str, of: str = "judge") -> list[str]:
    """What is said of a judge, below a figure that rests on it."""
    return entry(f"{of}: {statement}", 6, 8)


def plural(count: int, noun: str) -> str:
    """`1 session`, `2 sessions`"""
    return f"{count} {noun}{'' if count == 1 else 's'}"
