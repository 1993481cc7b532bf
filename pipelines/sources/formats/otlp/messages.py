"""Messages as instrumentations write them, in one form.

Known forms: OpenTelemetry's `parts`; OpenInference's `{"message": …}` and `message_content`;
OpenAI's `tool_calls`; Anthropic's `tool_use` and `tool_result`; Gemini's `functionCall`; the
Vercel AI SDK's `tool-call` and `tool-result`; the log events of semantic conventions 1.28.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from agent_core.session import ToolCall
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of
from pipelines.sources.formats.otlp.attributes import decoded
from pipelines.sources.json_text import decode_object

Role = Literal["system", "user", "assistant", "tool"]

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
}
_CALLS = ("tool_call", "tool_use", "tool-call", "function_call")
_RESULTS = (
    "tool_call_response",
    "tool_result",
    "tool-result",
    "function_call_output",
    "function_response",
)
_THOUGHTS = ("reasoning", "thinking")
_PARTS = frozenset(_CALLS + _RESULTS + _THOUGHTS)
_GEMINI = {
    "functionCall": "function_call",
    "function_call": "function_call",
    "functionResponse": "function_response",
    "function_response": "function_response",
}
_FAILED_OUTPUTS = ("error-text", "error-json", "execution-denied")
_QUESTIONS = ("input", "query", "question", "task")
_CALL_IDS = ("id", "call_id", "toolCallId", "tool_call_id", "tool_use_id")


@dataclass(frozen=True, slots=True)
class Result:
    """What a message tells of a call that ended."""

    call_id: str
    name: str
    text: str
    is_error: bool | None
    """None where the message does not say."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a model's input or output; calls have an empty id where it has none."""

    role: Role
    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[Result, ...] = ()


@dataclass
class Memo:
    """The messages of the last input: the next one begins with most of them again."""

    items: list[tuple[Any, Role, Message | None]] = field(default_factory=list)

    def message_of(self, index: int, item: Any, role: Role) -> Message | None:
        """The message in the item at `index`, as it was read before where it is the same."""
        known = self.items[index] if index < len(self.items) else None
        if known and known[1] == role and known[0] == item:
            return known[2]
        message = message_of(item, role)
        self.items[index:] = [(item, role, message)]
        return message


def messages_in(value: Any, role: Role, memo: Memo | None = None) -> list[Message]:
    """The messages in an attribute's value; `role` is that of those that name none."""
    memo = memo or Memo()
    told = (memo.message_of(i, item, role) for i, item in enumerate(_items(decoded(value))))
    return [m for m in told if m and (m.text or m.reasoning or m.calls or m.results)]


def message_of(value: Any, role: Role) -> Message | None:
    """The message in one item; None for what is none."""
    if isinstance(value, str):
        return Message(role, value) if value.strip() else None
    if not isinstance(value, dict):
        return None
    inner = decoded(value.get("message"))
    raw = inner if isinstance(inner, dict) else value
    own = text_of(raw, "role") or text_of(value, "role") or text_of(raw, "type")
    role = _ROLES.get(own.lower(), role)
    if isinstance(inner, str):
        return Message(role, inner)
    if "role" not in raw and text_of(raw, "type") in _PARTS:
        return _with_parts(_role_of_part(raw), raw, [raw])
    return _with_parts(role, raw, list(_blocks(raw)))


def _role_of_part(part: Mapping[str, Any]) -> Role:
    return "tool" if text_of(part, "type") in _RESULTS else "assistant"


def joined(messages: list[Message]) -> Message:
    """Several messages of one answer as one."""
    return Message(
        "assistant",
        "\n".join(m.text for m in messages if m.text),
        "\n".join(m.reasoning for m in messages if m.reasoning),
        tuple(call for m in messages for call in m.calls),
        tuple(result for m in messages for result in m.results),
    )


def text_in(value: Any) -> str:
    """The text of a result or value: its own, that of its blocks, else its JSON."""
    if isinstance(value, str):
        return value
    if value is None or value == [] or value == {}:
        return ""
    held = value.get("content") if isinstance(value, dict) else value
    return content_text(held) or orjson.dumps(value, default=str).decode()


def _items(value: Any) -> list[Any]:
    """The messages of a value: a list, a list of lists, a request, a response, or one message."""
    if isinstance(value, list):
        inner = [item for item in value if isinstance(item, list)]
        return inner[0] if inner and len(inner) == len(value) else value
    if not isinstance(value, dict):
        return [value]
    system = value.get("system")
    lead = [{"role": "system", "content": system}] if system else []
    for key in ("messages", "choices", "input"):
        if isinstance(decoded(value.get(key)), list):
            return lead + _items(decoded(value[key]))
    if prompt := value.get("prompt"):
        return [*lead, *_items(decoded(prompt))]
    asked = (text_of(value, key) for key in _QUESTIONS)
    return [value] if "role" in value else [next(filter(None, asked), value)]


def _blocks(raw: Mapping[str, Any]) -> Iterator[Any]:
    """The parts of a message: `parts`, else the content, which may be one text or object."""
    for key in ("parts", "content", "contents", "text", "output"):
        held = _without_wrapping(raw.get(key))
        if isinstance(held, str | dict) and held:
            yield held
            return
        if isinstance(held, list) and held:
            yield from held
            return


def _without_wrapping(held: Any) -> Any:
    """The blocks in a text that is nothing but their JSON, else what is held."""
    blocks = decoded(held)
    is_blocks = isinstance(blocks, list) and blocks and all(text_of(b, "type") for b in blocks)
    return blocks if is_blocks else held


def _with_parts(role: Role, raw: Mapping[str, Any], blocks: list[Any]) -> Message:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    results: list[Result] = []
    for kind, block in map(_kind_and_block, blocks):
        if kind in _CALLS:
            calls.append(_call(block))
        elif kind in _RESULTS:
            results.append(_result(block))
        elif kind in _THOUGHTS:
            told = _own_text(block) or text_of(block, "thinking")
            thoughts.append(told or content_text(block.get("summary")))
        else:
            inner = content_text(block.get("content")) if isinstance(block, dict) else ""
            texts.append(_own_text(block) or inner or content_text([block]))
    calls += _listed_calls(raw)
    thoughts = thoughts or [text_of(raw, "reasoning_content") or text_of(raw, "reasoning")]
    text = "\n".join(filter(None, texts))
    if role == "tool" and not results:
        call_id = id_of(raw, "tool_call_id", "id")
        results, text = [Result(call_id, text_of(raw, "name"), text, None)], ""
    return Message(role, text, "\n".join(filter(None, thoughts)), tuple(calls), tuple(results))


def _kind_and_block(block: Any) -> tuple[str, Any]:
    if not isinstance(block, dict):
        return "text", block
    if isinstance(block.get("message_content"), dict):
        block = block["message_content"]
    for key, kind in _GEMINI.items():
        if isinstance(block.get(key), dict):
            return kind, block[key]
    return text_of(block, "type"), block


def _own_text(block: Any) -> str:
    return text_of(block, "text") or text_of(block, "content")


def _listed_calls(raw: Mapping[str, Any]) -> Iterator[ToolCall]:
    for key in ("tool_calls", "toolCalls"):
        for call in objects_of({key: decoded(raw.get(key))}, key):
            inner = mapping_of(call, "tool_call")
            yield _call(inner or call)


def _call(block: Mapping[str, Any]) -> ToolCall:
    function = mapping_of(block, "function")
    name = next(
        filter(None, (text_of(b, k) for b in (function, block) for k in ("name", "toolName"))), ""
    )
    held = (b.get(k) for b in (function, block) for k in ("arguments", "input", "args"))
    arguments = next((value for value in held if value is not None), None)
    return ToolCall(id_of(block, *_CALL_IDS), name, decode_object(arguments))


def _result(block: Mapping[str, Any]) -> Result:
    held = (block.get(key) for key in ("response", "result", "output", "content"))
    value = next((value for value in held if value is not None), None)
    flags = (block.get("is_error"), block.get("isError"))
    stated = next((flag for flag in flags if isinstance(flag, bool)), None)
    kind = text_of(value, "type")
    if isinstance(value, dict) and "value" in value:
        stated = True if kind in _FAILED_OUTPUTS else stated
        value = value["value"]
    call_id = id_of(block, *reversed(_CALL_IDS))
    name = text_of(block, "name") or text_of(block, "toolName")
    return Result(call_id, name, text_in(value), stated)
