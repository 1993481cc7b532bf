"""Spans of models and tools (OpenTelemetry GenAI, OpenInference, the AI SDK's own keys).

None of the real files is an OTLP export: they are bags of one span's attributes and lists of
spans, test data of a converter, some of them the same span several times.

Choices: a session is a trace, or a file that names none. A call of the model is known by its
response id, else by the function that it was traced for, else by its file; an outer span and the
inner one that did the work are one call. What is said and called in a history is counted once
for the call of the model that carries it. A span that executes a tool is a call of its own.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number

_HISTORIES = ("gen_ai.input.messages", "gen_ai.prompt", "ai.prompt.messages", "ai.prompt")
_INPUT = ("gen_ai.usage.input_tokens", "llm.token_count.prompt", "ai.usage.inputTokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "llm.token_count.completion", "ai.usage.outputTokens")


def count(paths: Iterable[Path]) -> Counts:
    """The figures of spans."""
    sessions = set()
    calls: dict[str, list[Counts]] = defaultdict(list)
    for path in logs(paths):
        for span in _spans(document(path)):
            found = _count_one(span["attributes"])
            if any(found):
                sessions.add(_trace(span) or str(path))
                calls[_call(span["attributes"]) or str(path)].append(found)
    largest = [Counts(*map(max, zip(*spans, strict=True))) for spans in calls.values()]
    return Counts(*map(sum, zip(*largest, strict=True)))._replace(sessions=len(sessions))


def _spans(whole: Any) -> Iterator[dict[str, Any]]:
    if isinstance(whole, list):
        yield from (span for span in whole if isinstance(span, dict) and "attributes" in span)
    elif isinstance(whole, dict):
        if any(key.startswith(("gen_ai.", "llm.")) for key in whole):
            yield {"attributes": whole}
        for value in whole.values():
            yield from _spans(value) if isinstance(value, list) else ()


def _trace(span: dict[str, Any]) -> str | None:
    return (span.get("spanContext") or {}).get("traceId")


def _call(attributes: dict[str, Any]) -> str | None:
    return attributes.get("ai.telemetry.functionId") or attributes.get("gen_ai.response.id")


def _count_one(attributes: dict[str, Any]) -> Counts:
    if attributes.get("gen_ai.operation.name") == "execute_tool":
        return Counts(tool_calls=1)
    said, called = _history(attributes)
    return Counts(
        person_turns=said,
        tool_calls=called,
        input_tokens=max(number(attributes.get(key)) for key in _INPUT),
        output_tokens=max(number(attributes.get(key)) for key in _OUTPUT),
    )


def _history(attributes: dict[str, Any]) -> tuple[int, int]:
    """How often the user speaks and how many tools are called in what the model was given."""
    flat = list(attributes.items())
    roles = [value for key, value in flat if key.endswith(".message.role")]
    if roles:
        return roles.count("user"), sum(key.endswith(".tool_call.id") for key, _ in flat)
    text = next((attributes[key] for key in _HISTORIES if key in attributes), None)
    if text is None and attributes.get("openinference.span.kind") == "LLM":
        text = attributes.get("input.value")
    messages = json.loads(text) if text else []
    if isinstance(messages, dict):
        messages = messages.get("messages") or [{"role": "user"}]
    parts = [part for one in messages for part in one.get("parts") or []]
    return (
        sum(one["role"] == "user" for one in messages),
        sum(part.get("type") == "tool_call" for part in parts),
    )
