"""GitHub Copilot CLI.

Choices: a session that was shut down states its tokens there; `inputTokens` holds the cached
ones, since runs of one prompt differ in nothing else. One that was not states only the output
tokens of each message. A command that ended with an exit code but 0 failed, although the tool
that ran it succeeded.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import logs, number, records

_EXIT_CODE = re.compile(r"completed with exit code [^0]")
_KEYS = ("inputTokens", "cacheReadTokens", "outputTokens", "reasoningTokens")


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Copilot CLI."""
    events = {str(one.get("id")): one for path in logs(paths) for one in records(path)}
    kinds = Counter(one.get("type") for one in events.values())
    totals = [_tokens(records(path)) for path in logs(paths)]
    requests = {
        call["toolCallId"]
        for one in events.values()
        if one.get("type") == "assistant.message"
        for call in one["data"].get("toolRequests") or []
    }
    failed = [
        one
        for one in events.values()
        if one.get("type") == "tool.execution_complete" and _failed(one["data"])
    ]
    return Counts(
        kinds["session.start"],
        kinds["user.message"],
        len(requests),
        len(failed),
        *(sum(total[place] for total in totals) for place in range(4)),
    )


def _failed(data: dict[str, Any]) -> bool:
    said = (data.get("result") or {}).get("content") or ""
    return not data.get("success") or _EXIT_CODE.search(said) is not None


def _tokens(lines: list[dict[str, Any]]) -> list[int]:
    stated = [
        model["usage"]
        for one in lines
        if one["type"] == "session.shutdown"
        for model in one["data"]["modelMetrics"].values()
    ]
    if stated:
        return [sum(number(usage.get(key)) for usage in stated) for key in _KEYS]
    said = [one["data"] for one in lines if one["type"] == "assistant.message"]
    return [sum(number(data.get(key)) for data in said) for key in _KEYS]
