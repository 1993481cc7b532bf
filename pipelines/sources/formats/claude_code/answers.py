"""Claude Code's assistant records: what the model said, called and spent."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent_core.session import Event, Observation, Step, Tokens, ToolCall
from pipelines.sources.fields import content_text, count_of, id_of, mapping_of, text_of
from pipelines.sources.json_text import decode_object
from pipelines.sources.tool_errors import observe

_COST_LIMIT = 1e12
_NO_MODEL = "<synthetic>"
"""The model of what the program says in the model's place."""


def agent_step(
    source_ref: str, record: dict[str, Any], event: Event | None, marks: Mapping[str, Any]
) -> Step:
    """The step of an assistant record; `marks` are fields that all records of a session have."""
    message: Mapping[str, Any] = record["message"]
    content = message.get("content")
    blocks: list[Any] = content if isinstance(content, list) else [content]
    said: list[Any] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    seen: list[Observation] = []
    for block in blocks:
        kind = text_of(block, "type")
        if kind.endswith("tool_use"):
            calls.append(_call(block))
        elif kind.endswith("tool_result"):
            seen.append(_server_result(block))
        elif thought := text_of(block, "thinking"):
            thoughts.append(thought)
        else:
            said.append(block)
    model = text_of(message, "model")
    is_of_model = model != _NO_MODEL
    return Step(
        source_ref,
        "agent",
        content_text(said),
        event="api_error" if record.get("isApiErrorMessage") is True else event,
        reasoning="\n".join(thoughts),
        tool_calls=tuple(calls),
        observations=tuple(seen),
        model=model if model and is_of_model else None,
        tokens=_tokens(message.get("usage")) if is_of_model else None,
        cost_usd=_cost(record.get("costUSD")) if is_of_model else None,
        api_call_id=text_of(message, "id") or text_of(record, "requestId") or None,
        **marks,
    )


def _call(block: dict[str, Any]) -> ToolCall:
    return ToolCall(id_of(block, "id"), text_of(block, "name"), decode_object(block.get("input")))


def _server_result(block: dict[str, Any]) -> Observation:
    """What a tool that the provider ran for the model gave back, in the model's own answer."""
    result = block.get("content")
    error = text_of(result, "error_code")
    code = mapping_of(block, "content").get("return_code")
    return observe(
        error or "\n".join(filter(None, _result_texts(result))),
        call_id=id_of(block, "tool_use_id") or None,
        is_error=bool(error) or block.get("is_error") is True or code not in (None, 0),
        source_ref=None,
    )


def _result_texts(result: Any) -> Iterator[str]:
    if isinstance(result, dict):
        yield from (text_of(result, key) for key in ("text", "stdout", "stderr", "url"))
        yield content_text(result.get("content"))
        return
    yield content_text(result)
    for found in result if isinstance(result, list) else []:
        yield " ".join(filter(None, (text_of(found, "title"), text_of(found, "url"))))


def _tokens(usage: Any) -> Tokens | None:
    """Claude's `input_tokens` are those that no cache served or took; here `input` is all."""
    if not isinstance(usage, dict) or not usage:
        return None
    cached = count_of(usage, "cache_read_input_tokens")
    kept = usage.get("cache_creation")
    hour = count_of(kept, "ephemeral_1h_input_tokens")
    stated = count_of(usage, "cache_creation_input_tokens")
    written = max(stated, hour + count_of(kept, "ephemeral_5m_input_tokens"))
    return Tokens(
        count_of(usage, "input_tokens") + written + cached,
        cached,
        count_of(usage, "output_tokens"),
        count_of(usage.get("output_tokens_details"), "thinking_tokens"),
        written,
        hour,
    )


def _cost(value: Any) -> float | None:
    """What old versions state for each call, in dollars."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _COST_LIMIT else None
