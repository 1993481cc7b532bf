"""Inspect's messages and model outputs as the parts of steps."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from agent_core.session import Observation, Step, Tokens, ToolCall
from pipelines.sources.fields import (
    content_text,
    count_of,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.json_text import decode_object
from pipelines.sources.tool_errors import looks_failed, observe

ROLES = frozenset(("system", "user", "assistant", "tool"))
_COST_LIMIT = 1e9


def is_message(value: Any) -> bool:
    """Whether a value is a message of a conversation."""
    is_known = isinstance(value, dict) and isinstance(value.get("role"), str)
    return (
        is_known and value["role"] in ROLES and isinstance(value.get("content"), str | list | None)
    )


def prompt_step(ref: str, message: Mapping[str, Any]) -> Step:
    """A system or user message: nobody speaks in an evaluation, so neither is a turn."""
    is_user = message.get("role") == "user"
    return Step(ref, "user" if is_user else "system", content_text(message.get("content")))


def agent_step(ref: str, message: Mapping[str, Any], event: Mapping[str, Any]) -> Step:
    """An assistant message with what the event of its model call knows; `event` may be empty."""
    output = mapping_of(event, "output")
    usage = mapping_of(output, "usage")
    # An answer from the local cache was paid for when it was first given.
    is_paid = text_of(event, "cache") != "read"
    served = tuple(_served(ref, message))
    return Step(
        ref,
        "agent",
        content_text(message.get("content")),
        call_time(event),
        reasoning=_reasoning(message),
        tool_calls=tuple(_calls(ref, message)) + tuple(call for call, _ in served),
        observations=tuple(seen for _, seen in served),
        model=text_of(output, "model") or text_of(message, "model") or None,
        tokens=tokens_of(usage) if is_paid else None,
        cost_usd=_cost(usage) if is_paid else None,
        api_call_id=id_of(event, "uuid") or None,
    )


def call_time(event: Mapping[str, Any]) -> datetime | None:
    """When an event ended, else when it began."""
    return time_of(event, "completed") or time_of(event)


def observation(ref: str, message: Mapping[str, Any]) -> Observation:
    """What came back from a call, from a tool message."""
    text = content_text(message.get("content"))
    return _observed(ref, id_of(message, "tool_call_id"), text, message.get("error"))


def event_observation(ref: str, event: Mapping[str, Any]) -> Observation:
    """What came back from a call, from the event of a tool."""
    text = content_text(event.get("result"))
    return _observed(ref, id_of(event, "id"), text, event.get("error"))


def _observed(ref: str, call_id: str, text: str, error: Any) -> Observation:
    stated = text_of(error, "message") if isinstance(error, dict) else ""
    is_error = bool(error) or looks_failed(text)
    return observe(text or stated, call_id=call_id or None, is_error=is_error, source_ref=ref)


def tokens_of(usage: Mapping[str, Any]) -> Tokens | None:
    """The tokens of one call.

    Some of Inspect's providers leave the cached tokens out of `input_tokens`, some do not: they
    are out where the total only adds up with them, or where they are more than the input.
    """
    if not usage:
        return None
    sent, said = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
    cached = count_of(usage, "input_tokens_cache_read")
    written = count_of(usage, "input_tokens_cache_write")
    beside = cached + written
    is_apart = count_of(usage, "total_tokens") == sent + said + beside or beside > sent
    reasoning = min(said, count_of(usage, "reasoning_tokens"))
    return Tokens(sent + beside if is_apart else sent, cached, said, reasoning, written)


def _cost(usage: Mapping[str, Any]) -> float | None:
    cost = usage.get("total_cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return float(cost) if 0 <= cost < _COST_LIMIT else None


def _reasoning(message: Mapping[str, Any]) -> str:
    blocks = [b for b in objects_of(message, "content") if b.get("type") == "reasoning"]
    texts = [text_of(block, "reasoning") or text_of(block, "summary") for block in blocks]
    return "\n".join(filter(None, [text_of(message, "reasoning"), *texts]))


def _calls(ref: str, message: Mapping[str, Any]) -> Iterator[ToolCall]:
    for number, call in enumerate(objects_of(message, "tool_calls")):
        call_id = id_of(call, "id") or f"call-{ref}-{number}"
        arguments = decode_object(call.get("arguments"))
        yield ToolCall(call_id, text_of(call, "function"), arguments)


def _served(ref: str, message: Mapping[str, Any]) -> Iterator[tuple[ToolCall, Observation]]:
    """Calls that the model's provider ran itself, each with what came back."""
    for number, block in enumerate(objects_of(message, "content")):
        if block.get("type") == "tool_use":
            call_id = id_of(block, "id") or f"call-{ref}-served-{number}"
            name = text_of(block, "name") or text_of(block, "tool_type")
            call = ToolCall(call_id, name, decode_object(block.get("arguments")))
            yield (
                call,
                _observed(ref, call_id, content_text(block.get("result")), block.get("error")),
            )
