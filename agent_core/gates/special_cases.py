"""Finds the recorded calls' own texts in a patch: such a patch fits the replay, not the cause."""

from collections.abc import Iterator, Sequence

from agent_core.change import FileChange, added_lines
from agent_core.replay_records import RecordedCall, ReplaySet

_SHORTEST_VALUE = 10
_SHORTEST_LINE = 30


def special_cases(changes: Sequence[FileChange], calls: ReplaySet) -> Iterator[str]:
    """A line for each file whose added lines hold an argument of a recorded call."""
    texts = _argument_texts([*calls.visible.all(), *calls.held_out.all()])
    for change in changes:
        added = "\n".join(added_lines(change))
        known = (change.before or b"").decode("utf-8", "replace")
        if any(text in added and text not in known for text in texts):
            yield f"{change.path} names an argument of a recorded call: it fits that call only"


def _argument_texts(calls: Sequence[RecordedCall]) -> set[str]:
    """Whole values, and of longer ones the lines that nobody writes twice by chance."""
    values = {
        value for call in calls for value in call.arguments.values() if isinstance(value, str)
    }
    lines = {line.strip() for value in values if "\n" in value for line in value.splitlines()}
    whole = {value.strip() for value in values if len(value.strip()) >= _SHORTEST_VALUE}
    return whole | {line for line in lines if len(line) >= _SHORTEST_LINE}
