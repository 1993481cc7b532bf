"""Changes of single values in TOML text that leave comments and layout alone."""

import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any


def value_lines(text: str, table: str, key: str) -> tuple[int, int] | None:
    """First line and end (exclusive) of `key = …` in `[table]`; None where there is none."""
    lines = text.splitlines()
    start = _table_start(lines, table)
    if start is None:
        return None
    number = start + 1
    while number < len(lines) and not re.match(r"\s*\[", lines[number]):
        end = _end_of_value(lines, number) if "=" in lines[number] else number + 1
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            return number, end
        number = end
    return None


def with_value(text: str, table: str, key: str, value: str | int | float | Sequence[str]) -> str:
    """The text with one value replaced or added; a comment behind a number is kept.

    The table `""` is what stands before the first header.
    """
    lines, place = text.splitlines(keepends=True), value_lines(text, table, key)
    rendered = f"{key} = {_rendered(value)}"
    if place is not None:
        first, end = place
        comment = _comment(lines[first]) if end == first + 1 else ""
        lines[first:end] = [f"{rendered}{comment}\n"]
        return "".join(lines)
    start = _table_start(text.splitlines(), table)
    if start is None:
        return f"{text.rstrip()}\n\n[{table}]\n{rendered}\n"
    if not table:
        start = _end_of_top(text.splitlines())
    lines.insert(start + 1, f"{rendered}\n")
    return "".join(lines)


def _table_start(lines: list[str], table: str) -> int | None:
    if not table:
        return -1
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?$")
    return next((i for i, line in enumerate(lines) if header.match(line)), None)


def _end_of_top(lines: list[str]) -> int:
    """The last line before the first header that is neither empty nor a comment; else -1."""
    # A bracket at the start of a line within a text of several lines is no header.
    last, number = -1, 0
    while number < len(lines) and not re.match(r"\s*\[", lines[number]):
        if re.match(r"\s*[\w\"'.-]+\s*=", lines[number]):
            last = _end_of_value(lines, number) - 1
            number = last
        number += 1
    return last


def _end_of_value(lines: list[str], first: int) -> int:
    # A value of several lines ends where the text since its key parses for the first time.
    for end in range(first + 1, len(lines) + 1):
        if _parses("\n".join(lines[first:end])):
            return end
    return first + 1


def _parses(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _comment(line: str) -> str:
    found = re.fullmatch(r"[^=]+=\s*[\w.+-]+(\s*#.*?)?\s*", line)
    return (found.group(1) or "") if found else ""


def _rendered(value: str | int | float | Sequence[str]) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if "\n" not in value:
        return json.dumps(value, ensure_ascii=False)
    escaped = value.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{escaped}"""'
