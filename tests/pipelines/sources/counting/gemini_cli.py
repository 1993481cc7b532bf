"""Gemini CLI, the one-document form (all real files have it).

Choices: a session may hold only notices of the program; it is one, since they are its messages.
"System: Please continue." is what the program says in the user's place when an answer broke off.
`total` shows that `input` holds the cached tokens and that `thoughts` are not in `output`.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number
from tests.pipelines.sources.counting.texts import is_of_machine


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Gemini CLI."""
    found = {}
    for path in logs(paths):
        whole = document(path)
        if isinstance(whole, dict) and "sessionId" in whole:
            found.update({(whole["sessionId"], one["id"]): one for one in whole["messages"]})
    calls = [call for one in found.values() for call in one.get("toolCalls") or []]
    tokens = [one.get("tokens") or {} for one in found.values()]

    def total(key: str) -> int:
        return sum(number(one.get(key)) for one in tokens)

    return Counts(
        len({session for session, _ in found}),
        sum(one["type"] == "user" and not is_of_machine(one["content"]) for one in found.values()),
        len(calls),
        sum(call.get("status") != "success" for call in calls),
        total("input"),
        total("cached"),
        total("output") + total("thoughts"),
        total("thoughts"),
    )
