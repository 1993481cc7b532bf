"""Finds the recorded calls' own texts in a patch: such a patch fits the replay, not the cause."""

import ast
import re
from collections.abc import Iterator, Sequence

from agent_core.change import FileChange, added_lines
from agent_core.replay_records import RecordedCall, ReplaySet

_SHORTEST_VALUE = 10
_SHORTEST_LINE = 30
_SHORTEST_PIECE = 6
_ORDINARY = re.compile(r"[A-Za-z_ ]*")


def special_cases(changes: Sequence[FileChange], calls: ReplaySet) -> Iterator[str]:
    """A line for each file whose added lines hold an argument of a recorded call, or of code a
    text constant that is a piece of one."""
    values = _values([*calls.visible.all(), *calls.held_out.all()])
    texts = _argument_texts(values)
    for change in changes:
        added = "\n".join(added_lines(change))
        known = (change.before or b"").decode("utf-8", "replace")
        is_named = any(text in added and text not in known for text in texts)
        if is_named or any(p in value for p in _pieces(change, known) for value in values):
            yield f"{change.path} names an argument of a recorded call: it fits that call only"


def _values(calls: Sequence[RecordedCall]) -> set[str]:
    return {value for call in calls for value in call.arguments.values() if isinstance(value, str)}


def _argument_texts(values: set[str]) -> set[str]:
    """Whole values, and of longer ones the lines that nobody writes twice by chance."""
    lines = {line.strip() for value in values if "\n" in value for line in value.splitlines()}
    whole = {value.strip() for value in values if len(value.strip()) >= _SHORTEST_VALUE}
    return whole | {line for line in lines if len(line) >= _SHORTEST_LINE}


def _pieces(change: FileChange, known: str) -> set[str]:
    """New text constants of code that are more than a plain word: `tests.test_a`, `make -j`."""
    if not change.path.endswith(".py"):
        return set()
    try:
        tree = ast.parse(change.after or b"")
    except (SyntaxError, ValueError):
        return set()
    texts = {
        n.value.strip()
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    return {
        text
        for text in texts
        if len(text) >= _SHORTEST_PIECE and text not in known and not _ORDINARY.fullmatch(text)
    }
