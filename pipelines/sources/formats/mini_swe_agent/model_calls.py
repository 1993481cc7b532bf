"""What a message of mini-SWE-agent says of the model's answer: its calls, tokens and cost."""

import re
from collections.abc import Mapping
from typing import Any

from agent_core.session import Tokens, ToolCall
from pipelines.sources.fields import content_text, count_of, id_of, mapping_of, objects_of, text_of
from pipelines.sources.json_text import decode_object

_TOOL = "bash"
# How versions 1 and 2 mark the command in the text of an answer.
_ACTION = re.compile(r"```(?:bash|mswea_bash_command)[^\S\n]*\n(.*?)\n```", re.DOTALL)
_TAGGED = re.compile(r"<mswea_bash_command>(.*?)</mswea_bash_command>", re.DOTALL)
_COST_LIMIT = 1e9


def response_of(message: Any) -> Mapping[str, Any]:
    """The answer of the model's provider: the message itself where it is one."""
    if text_of(message, "object") == "response":
        return message if isinstance(message, dict) else {}
    return mapping_of(mapping_of(message, "extra"), "response")


def text_and_reasoning(message: Mapping[str, Any]) -> tuple[str, str]:
    """What the agent said and thought, in whichever of the two APIs' forms."""
    items = objects_of(message, "output")
    said = [content_text(item.get("content")) for item in items if item.get("type") == "message"]
    text = content_text(message.get("content")) or "\n".join(filter(None, said))
    choices = objects_of(response_of(message), "choices")
    answer = mapping_of(choices[0], "message") if choices else {}
    keys = ("reasoning_content", "reasoning")
    thoughts = [text_of(part, key) for part in (message, answer) for key in keys]
    thoughts += [content_text(item.get("summary")) for item in items]
    return text, next(filter(None, thoughts), "")


def calls_of(message: Mapping[str, Any], own_id: str) -> tuple[ToolCall, ...]:
    """The calls of an answer; those without an id are called `own_id`.

    A text with none or several commands has no call: the program refuses it.
    """
    calls = [_function_call(call) for call in objects_of(message, "tool_calls")]
    outputs = objects_of(message, "output")
    calls += [_flat_call(item) for item in outputs if item.get("type") == "function_call"]
    calls = calls or [_command(action) for action in _actions(message)]
    return tuple(_with_id(call, own_id, number) for number, call in enumerate(calls))


def tokens_of(message: Mapping[str, Any]) -> Tokens | None:
    """The tokens of one answer; both APIs count cached tokens in those they were sent."""
    usage = mapping_of(response_of(message), "usage")
    if not usage:
        return None
    sent = mapping_of(usage, "prompt_tokens_details") or mapping_of(usage, "input_tokens_details")
    said = mapping_of(usage, "completion_tokens_details") or mapping_of(
        usage, "output_tokens_details"
    )
    output = count_of(usage, "completion_tokens") or count_of(usage, "output_tokens")
    # Some providers count the reasoning apart: it cannot be part of a smaller output.
    reasoning = min(output, count_of(said, "reasoning_tokens"))
    return Tokens(
        count_of(usage, "prompt_tokens") or count_of(usage, "input_tokens"),
        count_of(sent, "cached_tokens") or count_of(usage, "cache_read_input_tokens"),
        output,
        reasoning,
        count_of(usage, "cache_creation_input_tokens"),
    )


def cost_of(message: Mapping[str, Any]) -> float | None:
    """What the answer cost, where the log says so."""
    stated = money(mapping_of(message, "extra").get("cost"))
    return stated or money(mapping_of(response_of(message), "usage").get("cost"))


def money(value: Any) -> float | None:
    """A cost in dollars; a model whose price is unknown is logged as 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _COST_LIMIT else None


def _function_call(call: Mapping[str, Any]) -> ToolCall:
    function = mapping_of(call, "function")
    arguments = decode_object(function.get("arguments"))
    return ToolCall(id_of(call, "id"), text_of(function, "name"), arguments)


def _flat_call(item: Mapping[str, Any]) -> ToolCall:
    arguments = decode_object(item.get("arguments"))
    return ToolCall(id_of(item, "call_id", "id"), text_of(item, "name"), arguments)


def _actions(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The commands as the program understood them, else as it would find them in the text."""
    extra = mapping_of(message, "extra")
    if actions := objects_of(extra, "actions"):
        return list(actions)
    if action := text_of(extra, "action"):
        return [{"command": action}]
    text = content_text(message.get("content"))
    found = _ACTION.findall(text) or _TAGGED.findall(text)
    return [{"command": found[0]}] if len(found) == 1 else []


def _command(action: Mapping[str, Any]) -> ToolCall:
    command = text_of(action, "command").strip()
    return ToolCall(id_of(action, "tool_call_id"), _TOOL, {"command": command})


def _with_id(call: ToolCall, own_id: str, number: int) -> ToolCall:
    own = own_id if number == 0 else f"{own_id}.{number + 1}"
    return ToolCall(call.call_id or own, call.name or _TOOL, call.arguments)
