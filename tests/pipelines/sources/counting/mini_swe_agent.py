"""mini-SWE-agent: each file is one run.

Choices: an answer is a call when it was carried out: what follows is an exit code, a time limit
or the submission, not the request to give exactly one action. A command that ran into the time
limit failed, and so did an answer that was not carried out, which is no call. Prompt tokens are
the providers', which include cached ones. No more reasoning counts than a call put out.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number
from tests.pipelines.sources.counting.texts import text_of_content

_EXIT_CODE = re.compile(r"\s*<returncode>(-?\d+)</returncode>")
_NOT_CARRIED_OUT = "Please always provide EXACTLY ONE action"
_TIME_LIMIT = "The last command <command>"


def count(paths: Iterable[Path]) -> Counts:
    """The figures of mini-SWE-agent."""
    runs = [
        messages for path in logs(paths) for messages in [_messages(document(path))] if messages
    ]
    results = [text for messages in runs for text in _results(messages)]
    usage = [_usage(message) for messages in runs for message in messages]
    return Counts(
        len(runs),
        0,
        sum(not text.startswith(_NOT_CARRIED_OUT) for text in results),
        sum(map(_failed, results)),
        sum(number(one.get("prompt_tokens")) for one in usage),
        sum(number((one.get("prompt_tokens_details") or {}).get("cached_tokens")) for one in usage),
        sum(number(one.get("completion_tokens")) for one in usage),
        sum(map(_reasoning, usage)),
    )


def _messages(whole: Any) -> list[dict[str, Any]]:
    messages = whole.get("messages") if isinstance(whole, dict) else whole
    return messages if isinstance(messages, list) else []


def _results(messages: list[dict[str, Any]]) -> list[str]:
    """What the environment answered: the user messages after the agent's first."""
    first = next(n for n, one in enumerate(messages) if one["role"] == "assistant")
    return [text_of_content(one["content"]) for one in messages[first:] if one["role"] == "user"]


def _failed(text: str) -> bool:
    stated = _EXIT_CODE.match(text)
    if stated is None:
        return text.startswith((_TIME_LIMIT, _NOT_CARRIED_OUT))
    return stated.group(1) != "0"


def _reasoning(usage: dict[str, Any]) -> int:
    stated = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return min(number(stated), number(usage.get("completion_tokens")))


def _usage(message: dict[str, Any]) -> dict[str, Any]:
    return ((message.get("extra") or {}).get("response") or {}).get("usage") or {}
