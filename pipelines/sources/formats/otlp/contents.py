"""What a span says of its input, its output and its tool, in the first form that it has."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent_core.session import ToolCall
from pipelines.sources.formats.otlp.attributes import (
    decoded,
    first_structure,
    first_text,
    first_value,
)
from pipelines.sources.formats.otlp.messages import (
    Memo,
    Message,
    Role,
    joined,
    message_of,
    messages_in,
    text_in,
)
from pipelines.sources.formats.otlp.spans import Event, Span
from pipelines.sources.json_text import decode_object

_INPUTS = (
    "gen_ai.input.messages",
    "llm.input_messages",
    "ai.prompt.messages",
    "ai.prompt",
    "gen_ai.prompt",
)
_OUTPUTS = ("gen_ai.output.messages", "llm.output_messages", "gen_ai.completion")
_RAW_INPUTS = ("input.value", "traceloop.entity.input", "input")
_RAW_OUTPUTS = ("output.value", "traceloop.entity.output", "output")
_EVENT_ROLES: Mapping[str, Role] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def inputs_of(span: Span, memo: Memo | None = None) -> list[Message]:
    """What the model was given, in the first of the forms that the span has.

    Spans whose inputs repeat each other's are read faster with one `memo` for all of them.
    """
    system = messages_in(first_value(span.attributes, "gen_ai.system_instructions"), "system")
    lead = [joined(system)] if system else []
    lead = [Message("system", message.text) for message in lead]
    told = messages_in(first_structure(span.attributes, *_INPUTS), "user", memo)
    told = told or [m for event in span.events for m in _event_inputs(event)]
    return lead + (told or messages_in(first_value(span.attributes, *_RAW_INPUTS), "user"))


def output_of(span: Span) -> Message | None:
    """What the model answered, in the first of the forms that the span has."""
    told = messages_in(first_structure(span.attributes, *_OUTPUTS), "assistant")
    told = told or _vercel_output(span)
    told = told or [m for event in span.events for m in _event_outputs(event)]
    told = told or messages_in(first_value(span.attributes, *_RAW_OUTPUTS), "assistant")
    return joined(told) if told else None


def _vercel_output(span: Span) -> list[Message]:
    text = first_text(span.attributes, "ai.response.text", "ai.result.text")
    answer = {
        "content": text or text_in(first_value(span.attributes, "ai.response.object")),
        "reasoning": first_text(span.attributes, "ai.response.reasoning"),
        "tool_calls": first_value(span.attributes, "ai.response.toolCalls", "ai.result.toolCalls"),
    }
    message = message_of(answer, "assistant")
    is_told = message and (message.text or message.reasoning or message.calls)
    return [message] if message and is_told else []


def _event_inputs(event: Event) -> list[Message]:
    if role := _EVENT_ROLES.get(event.name):
        message = message_of(_payload(event), role)
        return [message] if message else []
    return messages_in(first_structure(event.attributes, *_INPUTS), "user")


def _event_outputs(event: Event) -> list[Message]:
    if event.name == "gen_ai.choice":
        message = message_of(_payload(event), "assistant")
        return [message] if message else []
    return messages_in(first_structure(event.attributes, *_OUTPUTS), "assistant")


def _payload(event: Event) -> Any:
    """The message that an event carries: its body, one attribute of JSON, or its attributes."""
    body = decoded(event.body)
    content = decoded(first_value(event.attributes, "gen_ai.event.content"))
    return next((p for p in (body, content) if isinstance(p, dict | str) and p), event.attributes)


def tool_call_of(span: Span) -> ToolCall:
    """The call that a tool's span carried out; its id is empty where the span has none."""
    keys = ("gen_ai.tool.name", "tool.name", "tool_call.function.name", "ai.toolCall.name")
    name = first_text(span.attributes, *keys, "traceloop.entity.name")
    call_ids = ("gen_ai.tool.call.id", "tool_call.id", "tool.id", "ai.toolCall.id")
    arguments = first_value(
        span.attributes,
        "gen_ai.tool.call.arguments",
        "tool_call.function.arguments",
        "ai.toolCall.args",
        "ai.toolCall.input",
        *_RAW_INPUTS,
        "tool.parameters",
    )
    own = name or span.name.removeprefix("execute_tool ")
    return ToolCall(first_text(span.attributes, *call_ids), own, decode_object(arguments))


def tool_result_of(span: Span) -> str:
    """The text of what a tool gave back, else what is said of its failure."""
    keys = ("gen_ai.tool.call.result", "ai.toolCall.result", "ai.toolCall.output", *_RAW_OUTPUTS)
    told = text_in(first_value(span.attributes, *keys))
    return told or next(_event_results(span), "") or span.error


def _event_results(span: Span) -> Iterator[str]:
    for event in span.events:
        for message in _event_inputs(event):
            yield from (result.text for result in message.results)
