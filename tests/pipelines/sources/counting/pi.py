"""Pi.

Choices: `totalTokens` shows that `input` leaves out what came from a cache and that `output`
holds the reasoning. A session that states the task with which another agent started it
(`session_init`) has no person: its user message is that task. All real sessions are such.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import logs, number, records
from tests.pipelines.sources.counting.texts import text_of_content


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Pi."""
    messages = {}
    tasks = set()
    for path in logs(paths):
        lines = records(path)
        session = next(one["id"] for one in lines if one.get("type") == "session")
        tasks |= {one.get("task") for one in lines if one.get("type") == "session_init"}
        messages.update(
            {(session, one["id"]): one["message"] for one in lines if one.get("type") == "message"}
        )
    usage = [one.get("usage") or {} for one in messages.values()]

    def total(*keys: str) -> int:
        return sum(number(one.get(key)) for one in usage for key in keys)

    return Counts(
        len({session for session, _ in messages}),
        sum(
            one["role"] == "user" and text_of_content(one["content"]) not in tasks
            for one in messages.values()
        ),
        sum(
            block.get("type") == "toolCall"
            for one in messages.values()
            if one["role"] == "assistant"
            for block in one["content"]
        ),
        sum(bool(one.get("isError")) for one in messages.values() if one["role"] == "toolResult"),
        total("input", "cacheRead", "cacheWrite"),
        total("cacheRead"),
        total("output"),
        total("reasoningTokens"),
    )
