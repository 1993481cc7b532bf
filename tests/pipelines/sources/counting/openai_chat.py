"""OpenAI chat messages: one object with its messages, or a list of such objects.

Choices: a conversation is known by its task, trial and first user message, so that a file that
repeats one run of a collection adds nothing. A call belongs to the conversation it is in. There
is no flag, so a result failed where it begins as an error message. No tokens are stated. The
conversations that are kept as text (`messages_display`) show results, but not their calls.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, records
from tests.pipelines.sources.counting.texts import states_failure, text_of_content

_SPOKEN = re.compile(r"^(user|assistant|tool): ?", re.MULTILINE)


def count(paths: Iterable[Path]) -> Counts:
    """The figures of OpenAI chat messages."""
    runs = {_identity(run): run["traj"] for path in logs(paths) for run in _runs(path)}
    messages = [message for run in runs.values() for message in run]
    return Counts(
        len(runs),
        sum(one["role"] == "user" for one in messages),
        sum(len(one.get("tool_calls") or []) for one in messages),
        sum(
            one["role"] == "tool" and states_failure(text_of_content(one["content"]))
            for one in messages
        ),
    )


def _runs(path: Path) -> Iterator[dict[str, Any]]:
    whole = document(path)
    values = whole if isinstance(whole, list) else records(path) if whole is None else [whole]
    for value in values:
        if not isinstance(value, dict):
            continue
        messages = value.get("traj", value.get("messages"))
        if isinstance(value.get("messages_display"), str):
            messages = _messages_of_text(value["messages_display"])
        if isinstance(messages, list):
            yield {**value, "traj": messages}


def _messages_of_text(text: str) -> list[dict[str, Any]]:
    _, *parts = _SPOKEN.split(text)
    return [
        {"role": role, "content": content}
        for role, content in zip(parts[::2], parts[1::2], strict=True)
    ]


def _identity(run: dict[str, Any]) -> str:
    asked = next((one["content"] for one in run["traj"] if one["role"] == "user"), None)
    return f"{run.get('task_id')} {run.get('trial')} {asked}"
