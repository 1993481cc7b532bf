"""Gemini CLI, the one-document form (all real files have it).

Choices: every record of `type: user` is the person, as the description says. `total` shows that
`input` holds the cached tokens and that `thoughts` are not in `output`.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Gemini CLI."""
    found = {}
    for path in logs(paths):
        whole = document(path)
        if isinstance(whole, dict) and "sessionId" in whole:
            found.update({(whole["sessionId"], one["id"]): one for one in whole["messages"]})
    spoken = {key: one for key, one in found.items() if one["type"] in {"user", "gemini"}}
    calls = [call for one in spoken.values() for call in one.get("toolCalls") or []]
    tokens = [one.get("tokens") or {} for one in spoken.values()]

    def total(key: str) -> int:
        return sum(number(one.get(key)) for one in tokens)

    return Counts(
        len({session for session, _ in spoken}),
        sum(one["type"] == "user" for one in spoken.values()),
        len(calls),
        sum(call.get("status") != "success" for call in calls),
        total("input"),
        total("cached"),
        total("output") + total("thoughts"),
        total("thoughts"),
    )
