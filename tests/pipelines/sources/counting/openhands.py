"""OpenHands: V0 event lists, V0 evaluation output, V1 events.

Choices: every action of the agent but a message, a recall and a change of state is a call;
`finish` is one where the model called a function for it. A V0 record of an evaluation is one
autonomous run: its message is the task. A result failed by its exit code or `success`, an `error`
observation is a failed call, else by a text that begins as an error or says that no edit was
made. Tokens are the last of the accumulated figures or, where there are none, the usage of each
response that a call's metadata hold; prompt tokens include cached ones.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number, records
from tests.pipelines.sources.counting.texts import states_failure, text_of_content

_NO_CALLS = ("message", "system", "recall", "change_agent_state", "null")
_NOT_EDITED = re.compile(r"\[(Your proposed edit has introduced new syntax|No exact match found)")
_KEYS = ("prompt_tokens", "cache_read_tokens", "completion_tokens", "reasoning_tokens")


def count(paths: Iterable[Path]) -> Counts:
    """The figures of OpenHands."""
    found = [run for path in logs(paths) for run in _runs(path)]
    return Counts(*map(sum, zip(*found, strict=True))) if found else Counts()


def _runs(path: Path) -> Iterator[Counts]:
    whole = document(path)
    if isinstance(whole, list):
        yield _count_v0(whole, {})
        return
    lines = records(path)
    if any("kind" in line for line in lines):
        yield _count_v1(lines)
        return
    for line in lines:
        run = _count_v0(_flat(line["history"]), line.get("metrics") or {})
        yield run._replace(person_turns=0)


def _flat(history: list[Any]) -> list[dict[str, Any]]:
    return [event for entry in history for event in (entry if isinstance(entry, list) else [entry])]


def _count_v0(events: list[dict[str, Any]], metrics: dict[str, Any]) -> Counts:
    actions = [event for event in events if event.get("action")]
    results = [event for event in events if event.get("observation")]
    usage = [metrics, *(event.get("llm_metrics") or {} for event in events)]
    spent = [one.get("accumulated_token_usage") or {} for one in usage]
    return Counts(
        1,
        sum(one["action"] == "message" and one.get("source") == "user" for one in actions),
        sum(map(_is_call, actions)),
        sum(_failed(result) for result in results),
        *(_tokens_of_responses(events) if not any(spent) else _largest(spent)),
    )


def _is_call(action: dict[str, Any]) -> bool:
    if action["action"] == "finish":
        return bool(action.get("tool_call_metadata"))
    return action["action"] not in _NO_CALLS


def _largest(spent: list[dict[str, Any]]) -> list[int]:
    return [max(number(one.get(key)) for one in spent) for key in _KEYS]


def _tokens_of_responses(events: list[dict[str, Any]]) -> list[int]:
    held = [(event.get("tool_call_metadata") or {}).get("model_response") or {} for event in events]
    usage = {response["id"]: response["usage"] for response in held if response.get("usage")}

    def total(key: str, details: str | None = None) -> int:
        parts = [one.get(details) or {} if details else one for one in usage.values()]
        return sum(number(part.get(key)) for part in parts)

    return [
        total("prompt_tokens"),
        total("cached_tokens", "prompt_tokens_details"),
        total("completion_tokens"),
        total("reasoning_tokens", "completion_tokens_details"),
    ]


def _failed(result: dict[str, Any]) -> bool:
    extras = result.get("extras") or {}
    stated = extras.get("exit_code", (extras.get("metadata") or {}).get("exit_code"))
    if isinstance(stated, int):
        return stated != 0
    if result["observation"] == "error" or result.get("success") is False:
        return True
    text = str(result.get("content") or "")
    return _NOT_EDITED.match(text) is not None or states_failure(text)


def _count_v1(events: list[dict[str, Any]]) -> Counts:
    stats = [event["value"] for event in events if event.get("key") == "stats"]
    spent = [
        one["accumulated_token_usage"]
        for one in (stats[-1]["usage_to_metrics"].values() if stats else [])
    ]
    said = [event for event in events if event["kind"] == "MessageEvent"]
    return Counts(
        1,
        sum(event["source"] == "user" for event in said),
        sum(event["kind"] == "ActionEvent" for event in events),
        sum(map(_failed_v1, events)),
        *(sum(number(one.get(key)) for one in spent) for key in _KEYS),
    )


def _failed_v1(event: dict[str, Any]) -> bool:
    if event["kind"] == "AgentErrorEvent":
        return True
    if event["kind"] != "ObservationEvent":
        return False
    seen = event["observation"]
    code = seen.get("exit_code", (seen.get("metadata") or {}).get("exit_code"))
    if seen.get("is_error") or (isinstance(code, int) and code != 0):
        return True
    return not isinstance(code, int) and states_failure(text_of_content(seen.get("content")))
