"""Traces of models and tools, translated: every convention and every way of writing spans down."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Session
from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case, told

_SECOND = 1_767_261_600
"""2026-01-01T10:00:00Z."""
_TRACE = "0af7651916cd43dd8448eb211c80319c"
_OTHER = "1bf7651916cd43dd8448eb211c80319c"


def _any(value: Any) -> dict[str, Any]:
    """OTLP's `AnyValue` of a plain value."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": value}


def _pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in attributes.items()]


def _id(number: int) -> str:
    return f"{number:016x}"


def _span(
    number: int,
    attributes: dict[str, Any],
    *,
    parent: int | None = None,
    start: int | None = None,
    trace: str = _TRACE,
    **more: Any,
) -> dict[str, Any]:
    """A span that starts at its number's second, unless told, and takes half a second."""
    begin = (_SECOND + (number if start is None else start)) * 10**9
    return {
        "traceId": trace,
        "spanId": _id(number),
        "parentSpanId": "" if parent is None else _id(parent),
        "name": "span",
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + 5 * 10**8),
        "attributes": _pairs(attributes),
        **more,
    }


def _export(*spans: Any, **resource: Any) -> dict[str, Any]:
    about = {"attributes": _pairs(resource)}
    return {"resourceSpans": [{"resource": about, "scopeSpans": [{"spans": list(spans)}]}]}


def _document(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def _lines(*values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def _text(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _call(call_id: str, name: str, **arguments: Any) -> dict[str, Any]:
    part = {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}
    return {"role": "assistant", "parts": [part]}


def _result(call_id: str, response: Any) -> dict[str, Any]:
    part = {"type": "tool_call_response", "id": call_id, "response": response}
    return {"role": "tool", "parts": [part]}


def _chat(
    number: int,
    inputs: list[dict[str, Any]],
    *outputs: dict[str, Any],
    parent: int | None = None,
    start: int | None = None,
    trace: str = _TRACE,
    status: dict[str, Any] | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """A span of a model's call in today's conventions; `__` in a name stands for a dot."""
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "model-1",
        "gen_ai.input.messages": json.dumps(inputs),
        "gen_ai.output.messages": json.dumps(list(outputs)),
        **{name.replace("__", "."): value for name, value in attributes.items()},
    }
    span = _span(number, told, parent=parent, start=start, trace=trace)
    return span if status is None else {**span, "status": status}


def _tool(
    number: int, name: str, call_id: str, result: str | None, parent: int | None = None, **more: Any
) -> dict[str, Any]:
    told: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    if call_id:
        told["gen_ai.tool.call.id"] = call_id
    if result is not None:
        told["gen_ai.tool.call.result"] = result
    attributes = {**told, **more.pop("attributes", {})}
    return _span(number, attributes, parent=parent, **more)


_SYSTEM, _ASK = _text("system", "Be kind"), _text("user", "Where is it?")
_FIND, _OPEN = _call("c1", "find", n=1), _call("c2", "open", n=2)
_FAILED = {"code": 2, "message": "Gone"}

_TURN_ONE = (
    _span(1, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop"}),
    _chat(
        2,
        [_SYSTEM, _ASK],
        {"role": "assistant", "parts": [*_FIND["parts"], *_OPEN["parts"]]},
        parent=1,
        gen_ai__conversation__id="talk-1",
        gen_ai__usage__input_tokens=100,
        gen_ai__usage__output_tokens=20,
        gen_ai__usage__cache_read__input_tokens=60,
        gen_ai__usage__cache_creation__input_tokens=10,
    ),
    _tool(3, "find", "c1", "Shelf 4", parent=1),
    _tool(
        4,
        "open",
        "c2",
        None,
        parent=1,
        events=[
            {
                "name": "exception",
                "attributes": _pairs(
                    {"exception.type": "PermissionError", "exception.message": "access denied"}
                ),
            }
        ],
    ),
    _chat(
        5,
        [_SYSTEM, _ASK, _FIND, _OPEN, _result("c1", "Shelf 4"), _result("c2", "denied")],
        _text("assistant", "On shelf 4"),
        parent=1,
        gen_ai__conversation__id="talk-1",
        gen_ai__usage__input_tokens=130,
        gen_ai__usage__output_tokens=9,
    ),
)
_HISTORY = [_SYSTEM, _ASK, _FIND, _OPEN, _text("assistant", "On shelf 4")]
_TURN_TWO = (
    _chat(
        12,
        [*_HISTORY, _text("user", "Thanks")],
        _text("assistant", "Welcome"),
        trace=_OTHER,
        gen_ai__conversation__id="talk-1",
        user__id="ada",
    ),
)
_SHOP = {"service.name": "shop-service", "service.version": "1.4"}
_ABOUT_TALK = "agent=shop version=1.4"


def _user(session_id: str, text: str) -> str:
    """The reference of what a user says: of the session and the text, whatever the file."""
    return "user:" + hashlib.sha256(f"{session_id} {text}".encode()).hexdigest()[:24]


def _system(session_id: str, text: str) -> str:
    return _user(session_id, text).replace("user:", "system:")


_TOLD_TURN_ONE = [
    f"{_system('talk-1', 'Be kind')} system: Be kind",
    f"{_user('talk-1', 'Where is it?')} user turn: Where is it?",
    f"{_id(2)} agent model-1 in 100 (cached 60, written 10) out 20:"
    ' | find{"n": 1} #c1 | open{"n": 2} #c2 -> Shelf 4 #c1'
    " -> permission! PermissionError: access denied #c2",
    f"{_id(5)} agent model-1 in 130 out 9: On shelf 4",
]
_TOLD_TURN_TWO = [
    f"{_user('talk-1', 'Thanks')} user turn: Thanks",
    f"{_id(12)} agent model-1: Welcome",
]
_TALK = [
    f"{_ABOUT_TALK} user=ada start=2026-01-01T10:00:02 end=2026-01-01T10:00:12",
    *_TOLD_TURN_ONE,
    *_TOLD_TURN_TWO,
]


def _in_base64(span: dict[str, Any]) -> dict[str, Any]:
    def encoded(text: str) -> str:
        return base64.b64encode(bytes.fromhex(text)).decode()

    keys = ("traceId", "spanId", "parentSpanId")
    return {**span, **{key: encoded(span[key]) for key in keys}}


_TOOLS_ALONE = (
    _span(1, {"openinference.span.kind": "AGENT", "input.value": "Go", "output.value": "Done"}),
    _span(
        2,
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "ls",
            "input.value": '{"path": "."}',
            "output.value": "a.py",
        },
        parent=1,
    ),
    _span(
        3,
        {"openinference.span.kind": "TOOL", "tool.name": "rm", "error.type": "timeout"},
        parent=1,
    ),
)

_FLAT_CALL = "llm.output_messages.0.message.tool_calls.0.tool_call"

CASES: dict[str, Case] = {
    "one-conversation-over-two-traces": Case(
        {"traces.json": _document(_export(*_TURN_TWO, *_TURN_ONE, **_SHOP))},
        {"otlp:talk-1": _TALK},
    ),
    "an-export-a-line-with-repeats": Case(
        {
            "traces.jsonl": _lines(
                _export(*_TURN_ONE[1:3], **_SHOP),
                {"resourceMetrics": []},
                _export(_TURN_ONE[1], **_SHOP),
                _export(*_TURN_ONE[3:], _TURN_ONE[0], **_SHOP),
                5,
                _export(*_TURN_TWO, 7, None),
            )
            + b'{"resourceSpans": [\n'
        },
        {"otlp:talk-1": _TALK},
        {
            "traces.jsonl:line:5": "not a JSON object",
            "traces.jsonl:line:6#/resourceSpans/0/scopeSpans/0/spans/1": "not a span",
            "traces.jsonl:line:6#/resourceSpans/0/scopeSpans/0/spans/2": "not a span",
            "traces.jsonl:line:7": "not valid JSON at character 20",
        },
    ),
    "a-session-over-files-names-its-parts-alike": Case(
        {"b.json": _document(_export(*map(_in_base64, _TURN_TWO)))},
        {
            "otlp:talk-1": [
                "agent=unknown user=ada start=2026-01-01T10:00:12 end=2026-01-01T10:00:12",
                f"{_system('talk-1', 'Be kind')} system: Be kind",
                f"{_user('talk-1', 'Where is it?')} user turn: Where is it?",
                f'{_id(12)}/input/2 agent copied: | find{{"n": 1}} #c1',
                f'{_id(12)}/input/3 agent copied: | open{{"n": 2}} #c2',
                f"{_id(12)}/input/4 agent copied: On shelf 4",
                *_TOLD_TURN_TWO,
            ]
        },
    ),
    "results-that-only-inputs-tell-of": Case(
        {
            "traces.json": _document(
                _export(
                    _chat(1, [_ASK], _FIND),
                    _chat(2, [_ASK, _FIND, _result("c1", "Error: no shelf")], _OPEN),
                    _chat(
                        3,
                        [
                            _ASK,
                            _FIND,
                            _result("c1", "Error: no shelf"),
                            _OPEN,
                            _result("c2", {"ok": True}),
                            _result("c9", "whose call is elsewhere"),
                        ],
                        _text("assistant", "So"),
                    ),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:03",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f'{_id(1)} agent model-1: | find{{"n": 1}} #c1 -> other! Error: no shelf #c1',
                f'{_id(2)} agent model-1: | open{{"n": 2}} #c2 -> {{"ok":true}} #c2',
                f"{_id(3)} agent model-1: So",
                f"{_id(3)}/input/5 system copied: -> whose call is elsewhere #c9",
            ]
        },
    ),
    "a-file-that-begins-in-the-middle": Case(
        {
            "traces.json": _document(
                _export(
                    _chat(
                        5,
                        [_ASK, _FIND, _result("c1", "Shelf 4"), _OPEN, _result("c2", "Error: no")],
                        _call("c3", "close"),
                        parent=77,
                    ),
                    _tool(3, "open", "c2", "Error: no", parent=77),
                    _tool(6, "close", "c3", "closed", parent=77),
                    _tool(7, "late", "c4", "its parent ends later", parent=77),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:03 end=2026-01-01T10:00:07",
                f"{_id(3)} system: -> other! Error: no #c2",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f'{_id(5)}/input/1 agent copied: | find{{"n": 1}} #c1 -> Shelf 4 #c1',
                f'{_id(5)}/input/3 agent copied: | open{{"n": 2}} #c2',
                f"{_id(5)} agent model-1: | close{{}} #c3 -> closed #c3",
                f"{_id(7)} system: -> its parent ends later #c4",
            ]
        },
    ),
    "sub-agents": Case(
        {
            "traces.json": _document(
                _export(
                    _span(
                        1, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "main"}
                    ),
                    _chat(2, [_ASK], _call("c1", "delegate"), parent=1),
                    _tool(3, "delegate", "c1", "Found it", parent=1),
                    # Given the same words by the agent above: they are known.
                    _chat(4, [_text("system", "Helper"), _ASK], _text("assistant", "Hm"), parent=3),
                    # Given others: they are not the person's.
                    _chat(
                        5, [_text("user", "Search shelf 4")], _text("assistant", "Yes"), parent=3
                    ),
                    _span(
                        6,
                        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer"},
                    ),
                    _chat(7, [_text("user", "Write it up")], _text("assistant", "Ok"), parent=6),
                    # The person goes on with the other agent.
                    _chat(
                        8,
                        [_ASK, _text("assistant", "Ok"), _text("user", "Shorter")],
                        _text("assistant", "Here"),
                        parent=6,
                    ),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=main start=2026-01-01T10:00:02 end=2026-01-01T10:00:08",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f"{_id(2)} agent model-1: | delegate{{}} #c1 -> Found it #c1",
                f"{_id(4)} agent model-1: Hm",
                f"{_user(_TRACE, 'Search shelf 4')} user: Search shelf 4",
                f"{_id(5)} agent model-1: Yes",
                f"{_user(_TRACE, 'Write it up')} user: Write it up",
                f"{_id(7)} agent model-1: Ok",
                f"{_user(_TRACE, 'Shorter')} user turn: Shorter",
                f"{_id(8)} agent model-1: Here",
            ]
        },
    ),
    "the-same-words-again": Case(
        {
            "traces.json": _document(
                _export(
                    _chat(1, [_ASK], _text("assistant", "A"), session__id="s1"),
                    # The history says them twice.
                    _chat(
                        2,
                        [_ASK, _text("assistant", "A"), _ASK],
                        _text("assistant", "B"),
                        trace=_OTHER,
                    ),
                    # A server keeps the history: each trace says only what is new.
                    _chat(3, [_ASK], _text("assistant", "C"), trace="3" * 32, session__id="s1"),
                    _chat(4, [_ASK], _text("assistant", "D"), trace="3" * 32, session__id="s1"),
                    # Under other instructions they are another task's input.
                    _chat(
                        5,
                        [_text("system", "Name it"), _ASK],
                        _text("assistant", "E"),
                        trace="5" * 32,
                        session__id="s1",
                    ),
                )
            )
        },
        {
            "otlp:s1": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:05",
                f"{_user('s1', 'Where is it?')} user turn: Where is it?",
                f"{_id(1)} agent model-1: A",
                f"{_user('s1', 'Where is it?')}.2 user turn: Where is it?",
                f"{_id(3)} agent model-1: C",
                f"{_id(4)} agent model-1: D",
                f"{_id(5)} agent model-1: E",
            ],
            f"otlp:{_OTHER}": [
                "agent=unknown start=2026-01-01T10:00:02 end=2026-01-01T10:00:02",
                f"{_user(_OTHER, 'Where is it?')} user turn: Where is it?",
                f"{_id(2)}/input/1 agent copied: A",
                f"{_user(_OTHER, 'Where is it?')}.2 user turn: Where is it?",
                f"{_id(2)} agent model-1: B",
            ],
        },
    ),
    "calls-of-the-model-that-fail": Case(
        {
            "traces.json": _document(
                _export(
                    _chat(1, [_ASK], status=_FAILED),
                    _chat(2, [_ASK], error__type="KeyboardInterrupt"),
                    _chat(
                        3, [_ASK], _text("assistant", "Half"), status={"code": "STATUS_CODE_ERROR"}
                    ),
                    _chat(4, [_ASK], _text("assistant", "Whole"), status={"code": 1}),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:04",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f"{_id(1)} system api_error model-1: Gone",
                f"{_id(2)} user interrupt model-1: KeyboardInterrupt",
                f"{_id(3)} agent api_error model-1: Half",
                f"{_id(4)} agent model-1: Whole",
            ]
        },
    ),
    "calls-without-ids": Case(
        {
            "traces.json": _document(
                _export(
                    _chat(
                        1,
                        [_text("user", "<system-reminder>Be brief</system-reminder>"), _ASK],
                        {
                            "role": "model",
                            "parts": [
                                {"functionCall": {"name": "find", "args": {"n": 1}}},
                                {"functionCall": {"name": "find", "args": {"n": 2}}},
                            ],
                        },
                    ),
                    _tool(
                        2, "find", "", "two", attributes={"gen_ai.tool.call.arguments": '{"n": 2}'}
                    ),
                    _tool(3, "find", "", "one"),
                    _chat(
                        4,
                        [
                            {"role": "model", "parts": [{"functionCall": {"name": "find"}}]},
                            {
                                "role": "user",
                                "parts": [
                                    {"functionResponse": {"name": "find", "response": "one"}},
                                ],
                            },
                        ],
                        {"role": "model", "parts": [{"functionCall": {"name": "open"}}]},
                    ),
                    _chat(
                        5,
                        [{"role": "tool", "name": "open", "content": "opened"}],
                        _text("model", "Good"),
                    ),
                    _tool(6, "unknown", "", None, status={"code": 2}),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:06",
                f"{_user(_TRACE, '<system-reminder>Be brief</system-reminder>')} user:"
                " <system-reminder>Be brief</system-reminder>",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f'{_id(1)} agent model-1: | find{{"n": 1}} #{_id(1)}/calls/0'
                f' | find{{"n": 2}} #{_id(1)}/calls/1'
                f" -> two #{_id(1)}/calls/1 -> one #{_id(1)}/calls/0",
                f"{_id(4)} agent model-1: | open{{}} #{_id(4)}/calls/0 -> opened #{_id(4)}/calls/0",
                f"{_id(5)} agent model-1: Good",
                f"{_id(6)} agent: | unknown{{}} #{_id(6)}/calls/0 -> other!  #{_id(6)}/calls/0",
            ]
        },
    ),
    "one-call-in-two-libraries-spans": Case(
        {
            "traces.json": _document(
                _export(
                    _chat(1, [_ASK], _text("assistant", "A"), gen_ai__usage__input_tokens=5),
                    _chat(
                        2, [_ASK], _text("assistant", "A"), parent=1, gen_ai__usage__input_tokens=5
                    ),
                    # The inner one was told to keep contents to itself.
                    _chat(3, [_ASK], _text("assistant", "B")),
                    _span(4, {"gen_ai.operation.name": "chat"}, parent=3),
                    _tool(5, "find", "", "outer"),
                    _tool(6, "find", "", "inner", parent=5),
                    _span(7, {"gen_ai.operation.name": "embeddings", "input.value": "x"}),
                    _span(8, {"openinference.span.kind": "RETRIEVER", "input.value": "x"}),
                    _span(9, {"http.method": "GET"}),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:02 end=2026-01-01T10:00:05",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f"{_id(2)} agent model-1 in 5 out 0: A",
                f"{_id(3)} agent model-1: B",
                f"{_id(5)} agent: | find{{}} #{_id(5)}/calls/0 -> outer #{_id(5)}/calls/0",
            ]
        },
    ),
    "no-call-of-a-model": Case(
        {
            "traces.json": _document(
                _export(_span(1, {"http.method": "GET"}), _span(2, {"ai.operationId": "ai.embed"}))
            )
        },
        {},
    ),
    "agents-and-tools-alone": Case(
        {"traces.json": _document(_export(*_TOOLS_ALONE, **{"service.name": "unknown_service:x"}))},
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:03",
                f"{_user(_TRACE, 'Go')} user turn: Go",
                "#/resourceSpans/0/scopeSpans/0/spans/0 agent: Done",
                f'{_id(2)} agent: | ls{{"path": "."}} #{_id(2)}/calls/0 -> a.py #{_id(2)}/calls/0',
                f"{_id(3)} agent: | rm{{}} #{_id(3)}/calls/0 -> timeout! timeout #{_id(3)}/calls/0",
            ]
        },
    ),
    "openinference-flattened": Case(
        {
            "traces.json": _document(
                _export(
                    _span(
                        1,
                        {
                            "openinference.span.kind": "LLM",
                            "session.id": "s1",
                            "llm.model_name": "model-2",
                            "llm.input_messages.0.message.role": "system",
                            "llm.input_messages.0.message.content": "Be kind",
                            "llm.input_messages.1.message.role": "user",
                            "llm.input_messages.1.message.contents.0.message_content.type": "text",
                            "llm.input_messages.1.message.contents.0.message_content.text": "Look",
                            "llm.input_messages.1.message.contents.1.message_content.type": "image",
                            "llm.input_messages.2.message.role": "user",
                            "llm.input_messages.2.message.content": "Second",
                            "llm.input_messages.10.message.role": "user",
                            "llm.input_messages.10.message.content": "Tenth",
                            "llm.output_messages.0.message.role": "assistant",
                            f"{_FLAT_CALL}.id": "c1",
                            f"{_FLAT_CALL}.function.name": "f",
                            f"{_FLAT_CALL}.function.arguments": '{"n": 1}',
                            "llm.token_count.prompt": 50,
                            "llm.token_count.completion": 8,
                            "llm.token_count.prompt_details.cache_read": 20,
                            "llm.token_count.completion_details.reasoning": 3,
                            "llm.cost.total": 0.5,
                            "input.value": "not needed",
                        },
                    ),
                    _span(
                        2,
                        {
                            "openinference.span.kind": "LLM",
                            "session.id": "s1",
                            "input.value": json.dumps(
                                {"messages": [{"role": "user", "content": "Raw"}]}
                            ),
                            "output.value": json.dumps(
                                {"choices": [{"message": {"role": "assistant", "content": "Yes"}}]}
                            ),
                        },
                    ),
                    **{"openinference.project.name": "shop"},
                )
            )
        },
        {
            "otlp:s1": [
                "agent=unknown project=shop start=2026-01-01T10:00:01 end=2026-01-01T10:00:02",
                f"{_system('s1', 'Be kind')} system: Be kind",
                f"{_user('s1', 'Look' + chr(10) + '[image]')} user turn: Look\n[image]",
                f"{_user('s1', 'Second')} user turn: Second",
                f"{_user('s1', 'Tenth')} user turn: Tenth",
                f"{_id(1)} agent model-2 in 50 (cached 20) out 8 (thought 3) $0.5:"
                ' | f{"n": 1} #c1',
                f"{_user('s1', 'Raw')} user turn: Raw",
                f"{_id(2)} agent: Yes",
            ]
        },
    ),
    "deprecated-attributes-and-events": Case(
        {
            "traces.json": _document(
                _export(
                    _span(
                        1,
                        {
                            "gen_ai.system": "maker",
                            "gen_ai.request.model": "model-3",
                            "gen_ai.prompt.0.role": "user",
                            "gen_ai.prompt.0.content": '[{"type": "text", "text": "One"}]',
                            "gen_ai.completion.0.role": "assistant",
                            "gen_ai.completion.0.content": "First",
                            "gen_ai.completion.0.tool_calls.0.id": "c1",
                            "gen_ai.completion.0.tool_calls.0.name": "f",
                            "gen_ai.completion.0.tool_calls.0.arguments": '{"n": 1}',
                            "gen_ai.usage.prompt_tokens": 3,
                            "gen_ai.usage.completion_tokens": 4,
                            "gen_ai.usage.cache_read_input_tokens": 30,
                            "llm.request.type": "chat",
                        },
                    ),
                    _span(
                        2,
                        {"gen_ai.operation.name": "text_completion"},
                        events=[
                            {
                                "name": "gen_ai.content.prompt",
                                "attributes": _pairs({"gen_ai.prompt": "Two"}),
                            },
                            {
                                "name": "gen_ai.content.completion",
                                "attributes": _pairs(
                                    {"gen_ai.completion": '{"text": "Second", "finish": "x"}'}
                                ),
                            },
                        ],
                    ),
                    _span(
                        3,
                        {"gen_ai.operation.name": "chat"},
                        events=[
                            {
                                "name": "gen_ai.user.message",
                                "attributes": _pairs(
                                    {"gen_ai.event.content": '{"role": "user", "content": "Three"}'}
                                ),
                            },
                            {
                                "name": "gen_ai.assistant.message",
                                "attributes": _pairs(
                                    {
                                        "gen_ai.event.content": json.dumps(
                                            {
                                                "tool_calls": [
                                                    {"id": "c1", "function": {"name": "f"}},
                                                ]
                                            }
                                        )
                                    }
                                ),
                            },
                            {
                                "name": "gen_ai.tool.message",
                                "attributes": _pairs({"id": "c1", "content": "Error: no"}),
                            },
                            {
                                "name": "gen_ai.choice",
                                "attributes": _pairs(
                                    {"gen_ai.event.content": '{"message": {"content": "Third"}}'}
                                ),
                            },
                        ],
                    ),
                    _span(
                        4,
                        {"gen_ai.operation.name": "chat"},
                        events=[
                            {
                                "name": "gen_ai.client.inference.operation.details",
                                "attributes": _pairs(
                                    {
                                        "gen_ai.system_instructions": [
                                            {"type": "text", "content": "Not the first"}
                                        ],
                                        "gen_ai.input.messages": [_text("user", "Four")],
                                        "gen_ai.output.messages": [
                                            {
                                                "role": "assistant",
                                                "parts": [
                                                    {"type": "reasoning", "content": "Hm"},
                                                    {"type": "text", "content": "Fourth"},
                                                ],
                                            }
                                        ],
                                    }
                                ),
                            }
                        ],
                    ),
                )
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:04",
                f"{_user(_TRACE, 'One')} user turn: One",
                f'{_id(1)} agent model-3 in 33 (cached 30) out 4: First | f{{"n": 1}} #c1'
                " -> other! Error: no #c1",
                f"{_user(_TRACE, 'Two')} user turn: Two",
                f"{_id(2)} agent: Second",
                f"{_user(_TRACE, 'Three')} user turn: Three",
                f"{_id(3)} agent: Third",
                f"{_user(_TRACE, 'Four')} user turn: Four",
                f"{_id(4)} agent: (Hm) Fourth",
            ]
        },
    ),
    "log-records": Case(
        {
            "logs.jsonl": _lines(
                {
                    "resourceLogs": [
                        {
                            "resource": {"attributes": _pairs({"service.name": "shop"})},
                            "scopeLogs": [
                                {
                                    "logRecords": [
                                        {
                                            "timeUnixNano": (_SECOND + at) * 10**9,
                                            "traceId": _TRACE,
                                            "spanId": _id(1),
                                            "attributes": _pairs({"event.name": name}),
                                            "body": _any(body),
                                        }
                                        for at, name, body in (
                                            (3, "gen_ai.choice", {"message": {"content": "Hi"}}),
                                            (1, "gen_ai.system.message", {"content": "Be kind"}),
                                            (2, "gen_ai.user.message", {"content": "Hello"}),
                                        )
                                    ]
                                    + [
                                        {
                                            "timeUnixNano": str((_SECOND + 5) * 10**9),
                                            "traceId": _TRACE,
                                            "eventName": "gen_ai.user.message",
                                            "body": _any({"content": "Without a span"}),
                                        },
                                        {"body": _any("a line of another kind")},
                                        4,
                                    ]
                                }
                            ],
                        }
                    ]
                },
                _export(
                    _span(1, {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 4})
                ),
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=shop start=2026-01-01T10:00:01 end=2026-01-01T10:00:05",
                f"{_system(_TRACE, 'Be kind')} system: Be kind",
                f"{_user(_TRACE, 'Hello')} user turn: Hello",
                f"{_id(1)} agent in 4 out 0: Hi",
                f"{_user(_TRACE, 'Without a span')} user turn: Without a span",
            ]
        },
    ),
    "vercel-spans-in-a-list": Case(
        {
            "spans.json": _document(
                [
                    {
                        "name": "ai.generateText",
                        "spanContext": {"traceId": _TRACE, "spanId": _id(1)},
                        "attributes": {
                            "ai.operationId": "ai.generateText",
                            "ai.telemetry.functionId": "helper",
                            "ai.prompt": '{"system": "Be kind", "prompt": "Weigh it"}',
                            "ai.response.text": "2 kg",
                        },
                        "startTime": [_SECOND, 0],
                        "endTime": [_SECOND + 9, 0],
                        "status": {"code": 0},
                        "events": [],
                    },
                    {
                        "name": "ai.generateText.doGenerate",
                        "spanContext": {"traceId": _TRACE, "spanId": _id(2)},
                        "parentSpanContext": {"traceId": _TRACE, "spanId": _id(1)},
                        "attributes": {
                            "ai.operationId": "ai.generateText.doGenerate",
                            "ai.model.id": "model-4",
                            "ai.prompt.messages": json.dumps(
                                [
                                    {"role": "system", "content": "Be kind"},
                                    {
                                        "role": "user",
                                        "content": [{"type": "text", "text": "Weigh it"}],
                                    },
                                ]
                            ),
                            "ai.response.toolCalls": json.dumps(
                                [{"toolCallId": "c1", "toolName": "scale", "input": {"n": 1}}]
                            ),
                            "ai.usage.promptTokens": 5,
                            "ai.usage.completionTokens": 2,
                        },
                        "startTime": [_SECOND + 1, 0],
                        "endTime": [_SECOND + 2, 500_000_000],
                    },
                    {
                        "name": "ai.toolCall",
                        "spanContext": {"traceId": _TRACE, "spanId": _id(3)},
                        "parentSpanId": _id(1),
                        "attributes": {
                            "ai.operationId": "ai.toolCall",
                            "ai.toolCall.id": "c1",
                            "ai.toolCall.name": "scale",
                            "ai.toolCall.args": '{"n": 1}',
                            "ai.toolCall.result": '{"kg": 2}',
                        },
                        "startTime": [_SECOND + 3, 0],
                    },
                    {
                        "name": "ai.generateText.doGenerate",
                        "spanContext": {"traceId": _TRACE, "spanId": _id(4)},
                        "parentSpanId": _id(1),
                        "attributes": {
                            "ai.operationId": "ai.generateText.doGenerate",
                            "ai.model.id": "model-4",
                            "ai.prompt.messages": json.dumps(
                                [
                                    {
                                        "role": "user",
                                        "content": [{"type": "text", "text": "Weigh it"}],
                                    },
                                    {
                                        "role": "assistant",
                                        "content": [
                                            {
                                                "type": "tool-call",
                                                "toolCallId": "c1",
                                                "toolName": "scale",
                                                "input": {"n": 1},
                                            }
                                        ],
                                    },
                                    {
                                        "role": "tool",
                                        "content": [
                                            {
                                                "type": "tool-result",
                                                "toolCallId": "c1",
                                                "output": {"type": "json", "value": {"kg": 2}},
                                            },
                                            {
                                                "type": "tool-result",
                                                "toolCallId": "c2",
                                                "output": {"type": "error-text", "value": "broken"},
                                            },
                                        ],
                                    },
                                ]
                            ),
                            "ai.response.text": "2 kg",
                            "ai.response.reasoning": "Heavy",
                        },
                        "startTime": [_SECOND + 4, 0],
                    },
                    "odd",
                ]
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=helper start=2026-01-01T10:00:01 end=2026-01-01T10:00:04",
                f"{_system(_TRACE, 'Be kind')} system: Be kind",
                f"{_user(_TRACE, 'Weigh it')} user turn: Weigh it",
                f'{_id(2)} agent model-4 in 5 out 2: | scale{{"n": 1}} #c1 -> {{"kg": 2}} #c1',
                f"{_id(4)} agent model-4: (Heavy) 2 kg",
                f"{_id(4)}/input/2 system copied: -> other! broken #c2",
            ]
        },
        {"spans.json:#/4": "not a span"},
    ),
    "a-wrapper-alone": Case(
        {
            "spans.json": _document(
                {
                    "ai.streamText": [
                        {
                            "name": "ai.streamText",
                            "spanContext": {"traceId": _TRACE, "spanId": _id(1)},
                            "attributes": {
                                "ai.operationId": "ai.streamText",
                                "ai.prompt": '{"prompt": "Sing"}',
                                "ai.response.text": "La",
                                "ai.usage.inputTokens": 5,
                                "ai.usage.outputTokens": 4,
                                "ai.usage.cachedInputTokens": 1,
                                "ai.usage.reasoningTokens": 2,
                            },
                        }
                    ]
                }
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=unknown",
                f"{_user(_TRACE, 'Sing')} user turn: Sing",
                "#/ai.streamText/0 agent in 5 (cached 1) out 4 (thought 2): La",
            ]
        },
    ),
    "bare-attributes-of-one-span": Case(
        {
            "span.json": _document(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.response.model": "model-5",
                    "gen_ai.input.messages": [_ASK, _FIND, _result("c1", "Shelf 4")],
                    "gen_ai.output.messages": json.dumps([_text("assistant", "There")]),
                }
            )
        },
        {
            "otlp:{folder}/span.json#": [
                "agent=unknown",
                "#/input/0 user turn: Where is it?",
                '#/input/1 agent: | find{"n": 1} #c1 -> Shelf 4 #c1',
                "# agent model-5: There",
            ]
        },
    ),
    "spans-as-other-programs-write-them": Case(
        {
            "spans.jsonl": _lines(
                # Python's console exporter.
                {
                    "name": "chat model-1",
                    "context": {"trace_id": f"0x{_TRACE}", "span_id": f"0x{_id(1)}"},
                    "parent_id": None,
                    "start_time": "2026-01-01T10:00:01.250000Z",
                    "end_time": "2026-01-01T10:00:02.000000Z",
                    "status": {"status_code": "UNSET"},
                    "attributes": {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.input.messages": json.dumps([_ASK]),
                        "gen_ai.output.messages": json.dumps([_FIND]),
                    },
                    "events": [],
                    "resource": {"attributes": {"service.name": "console"}},
                },
                # A row of a table of spans.
                {
                    "name": "find",
                    "context.trace_id": _TRACE,
                    "context.span_id": _id(2),
                    "parent_id": _id(1),
                    "start_time": "2026-01-01T10:00:03+00:00",
                    "status_code": "ERROR",
                    "status_message": "x",
                    "attributes.openinference.span.kind": "TOOL",
                    "attributes.tool_call.id": "c1",
                    "attributes.tool.name": "find",
                    "attributes.output.value": "No shelf",
                },
                # Nested attributes.
                {
                    "name": "model",
                    "trace_id": _TRACE,
                    "span_id": _id(3),
                    "start_time": 1_767_261_604.5,
                    "attributes": {
                        "openinference": {"span": {"kind": "LLM"}},
                        "llm": {
                            "model_name": "model-6",
                            "input_messages": [{"message": {"role": "user", "content": "And?"}}],
                            "output_messages": [{"message": {"content": "Nothing"}}],
                            "token_count": {"prompt": 3, "completion": "1"},
                        },
                    },
                },
            )
        },
        {
            f"otlp:{_TRACE}": [
                "agent=console start=2026-01-01T10:00:01 end=2026-01-01T10:00:04",
                f"{_user(_TRACE, 'Where is it?')} user turn: Where is it?",
                f'{_id(1)} agent: | find{{"n": 1}} #c1 -> other! No shelf #c1',
                f"{_user(_TRACE, 'And?')} user turn: And?",
                f"{_id(3)} agent model-6 in 3 out 1: Nothing",
            ]
        },
    ),
    "wrong-types-everywhere": Case(
        {
            "traces.jsonl": _lines(
                {"resourceSpans": [None, 3, {"scopeSpans": 5}, {"scopeSpans": [{"spans": {}}]}]},
                {"resourceSpans": "none", "resourceLogs": [{"scopeLogs": [{"logRecords": [[]]}]}]},
                _export(
                    {},
                    {
                        "traceId": 5,
                        "spanId": "zz=",
                        "parentSpanId": "zz=",
                        "startTimeUnixNano": "9" * 40,
                        "endTimeUnixNano": [1, None],
                        "attributes": [
                            3,
                            {"key": 4},
                            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                            {"key": "gen_ai.input.messages", "value": {"arrayValue": 3}},
                            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "-5"}},
                            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "9" * 30}},
                            {"key": "gen_ai.output.messages", "value": {"stringValue": "[{"}},
                            {"key": "llm.cost.total", "value": {"stringValue": "much"}},
                            {"key": "llm.input_messages.x", "value": {"boolValue": True}},
                            {"key": "llm.input_messages.0", "value": {"kvlistValue": None}},
                            {"key": "llm.input_messages.0.message.role", "value": 4},
                        ],
                        "events": [None, {"name": 4, "attributes": 5}, {"name": "exception"}],
                        "status": "odd",
                    },
                    _span(
                        1,
                        {
                            "gen_ai.operation.name": "chat",
                            "gen_ai.input.messages": [
                                4,
                                None,
                                {"role": 5, "parts": [7, None, {"type": 8}, {"type": "tool_call"}]},
                                {"role": "user", "content": {"text": "Still here"}},
                                {"role": "user", "tool_calls": 4},
                            ],
                            "gen_ai.output.messages": {"role": "assistant", "content": 4},
                        },
                        parent=1,
                    ),
                ),
            )
        },
        {
            "otlp:5": [
                "agent=unknown autonomous=True start=1970-01-01T00:00:01 end=1970-01-01T00:00:01",
                "zz= agent api_error: [{",
            ],
            f"otlp:{_TRACE}": [
                "agent=unknown start=2026-01-01T10:00:01 end=2026-01-01T10:00:01",
                f"{_user(_TRACE, 'Still here')} user turn: Still here",
                f"{_id(1)} agent:",
            ],
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_files_give_their_sessions(name: str, tmp_path: Path) -> None:
    check_case(CASES[name], tmp_path)


def _read(folder: Path, name: str, *spans: Any) -> Session:
    (folder / name).write_bytes(_document(_export(*spans)))
    (session,) = read_file(folder / name).sessions
    return session


def test_parts_in_several_files_make_the_steps_of_one(tmp_path: Path) -> None:
    """Each file repeats what was said before: no step may get another name there."""
    whole = _read(tmp_path, "whole.json", *_TURN_ONE, *_TURN_TWO)
    parts = [
        _read(tmp_path, "1.json", *_TURN_ONE[1:3]),
        _read(tmp_path, "2.json", *_TURN_ONE[:1], *_TURN_ONE[3:], *_TURN_TWO),
    ]
    counted = {s.source_ref: s.text for p in parts for s in p.steps if not s.is_copied_context}
    assert counted.pop(_id(4)) == ""  # the result of a call that is in the first file
    assert counted == {step.source_ref: step.text for step in whole.steps}


def test_a_wrapper_in_another_trace_has_the_identity_of_what_it_wraps(tmp_path: Path) -> None:
    """Without a parent each of the two is a trace: the answer counts once by the provider's id."""
    said = {"ai.response.text": "La", "ai.response.id": "resp_0123456789abcdef"}
    inner = {"ai.prompt.messages": '[{"role": "user", "content": "Sing"}]', **said}
    outer = {"ai.prompt": '{"prompt": "Sing"}', **said}
    wrapped = _span(1, {"ai.operationId": "ai.streamText.doStream", **inner})
    wrapper = _span(2, {"ai.operationId": "ai.streamText", **outer}, trace=_OTHER)
    alone = [_read(tmp_path, "1.json", wrapped), _read(tmp_path, "2.json", wrapper)]
    known = [[step.content_id for step in session.steps] for session in alone]
    assert known[0] == known[1]
    assert len(set(known[0]) - {None}) == len(["Sing", "La"])
    together = _read(tmp_path, "both.json", wrapped, wrapper)
    assert told(together) == told(alone[0])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"resourceMetrics": [{"scopeMetrics": []}]}, id="metrics"),
        pytest.param(
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]},
            id="other-logs",
        ),
        pytest.param([{"name": "x", "attributes": {}}], id="no-span-ids"),
        pytest.param({"spans": [], "name": "x"}, id="no-spans"),
        pytest.param({"role": "user", "content": "hi"}, id="a-message"),
        pytest.param([], id="empty"),
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, content: Any) -> None:
    (tmp_path / "file.json").write_bytes(_document(content))
    assert read_file(tmp_path / "file.json").format is None


@pytest.mark.shared
def test_counts_of_real_files(shared_dir: Path) -> None:
    """(sessions, turns, calls, errors, input and output tokens), as counted by hand from the
    attributes: LLM spans, user parts, tool calls in any message, the usage attributes.
    """
    folder = shared_dir / "logs" / "otel_openinference"
    counted = {
        path.name: _figures(read_file(path).sessions) for path in sorted(folder.rglob("*.json"))
    }
    assert counted == {
        "ai-embed-doEmbed.json": (0, 0, 0, 0, 0, 0),
        "ai-embed.json": (0, 0, 0, 0, 0, 0),
        "ai-generateObject-doGenerate.json": (1, 1, 0, 0, 63, 156),
        "ai-generateObject.json": (1, 1, 0, 0, 63, 156),
        "ai-generateText-doGenerate.json": (2, 3, 0, 0, 64, 29),
        "ai-generateText.json": (2, 3, 0, 0, 64, 29),
        "ai-streamText-doStream.json": (1, 1, 0, 0, 15, 112),
        "ai-streamText.json": (1, 1, 0, 0, 15, 112),
        "all-spans.json": (4, 5, 0, 0, 142, 297),
        "capture-results.json": (0, 0, 0, 0, 0, 0),
        "openinference_client_span_input_output_only.json": (1, 1, 1, 0, 97, 52),
        "openinference_client_span_tool_calls.json": (1, 1, 1, 0, 97, 52),
        "otel_genai_client_span_tool_calls.json": (1, 1, 1, 0, 97, 52),
        "otel_genai_deprecated_client_span_tool_calls.json": (1, 1, 1, 0, 97, 52),
        "otel_genai_tool_execution_span.json": (1, 0, 1, 0, 0, 0),
        "spans-by-operation.json": (4, 5, 0, 0, 142, 297),
    }


def _figures(sessions: tuple[Session, ...]) -> tuple[int, ...]:
    steps = [step for session in sessions for step in session.steps]
    tokens = [step.tokens for step in steps if step.tokens]
    return (
        len(sessions),
        sum(step.is_person for step in steps),
        sum(len(step.tool_calls) for step in steps),
        sum(seen.is_error for step in steps for seen in step.observations),
        sum(usage.input for usage in tokens),
        sum(usage.output for usage in tokens),
    )
