"""Gemini's messages, translated into steps."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from agent_core.session import Event, Observation, Step, Tokens, ToolCall
from pipelines.sources.fields import (
    content_text,
    count_of,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.formats.gemini_cli.replay import Entry
from pipelines.sources.json_text import decode_object
from pipelines.sources.person import person_text
from pipelines.sources.tool_errors import is_rejection, observe

_UNIQUE_ID = re.compile(r"[0-9a-fA-F-]{36}")
_SUMMARY = "<state_snapshot>"
_FILES = "--- Content from referenced files ---"
_CANCELLED = "Request cancelled."
_COMPRESSED = re.compile(r"compressed from:? \d+ to \d+ tokens", re.IGNORECASE)
_ENDED = frozenset(("success", "error", "cancelled"))
_SHELL = "run_shell_command"
_EXIT_CODE = re.compile(r"^Exit Code: (-?\d+)\s*$", re.MULTILINE)
_REFUSED = re.compile(r"(?:\[Operation Cancelled\] Reason: )?User (?:denied|did not allow)")


def steps_of(ref: str, entry: Entry, *, is_subagent: bool) -> Iterator[Step]:
    """The step of a message, and one for each of its calls that the person refused."""
    for step in _steps(ref, entry, is_subagent=is_subagent):
        is_message = step.source_ref == ref and _UNIQUE_ID.fullmatch(ref)
        yield replace(
            step, timestamp=time_of(entry.message), content_id=ref if is_message else None
        )


def _steps(ref: str, entry: Entry, *, is_subagent: bool) -> Iterator[Step]:
    message, kind = entry.message, text_of(entry.message, "type")
    text = content_text(message.get("content"))
    if entry.event:
        is_persons = entry.event == "rollback"
        yield Step(ref, "user" if is_persons else "system", text, event=entry.event)
    elif entry.is_programs:
        yield Step(ref, "system", text)
    elif kind == "gemini":
        yield from _answer(ref, message)
    elif kind == "user":
        yield _prompt(ref, message, is_subagent=is_subagent)
    else:
        event = _event(kind, text)
        yield Step(ref, "user" if event == "interrupt" else "system", text, event=event)


def _prompt(ref: str, message: Mapping[str, Any], *, is_subagent: bool) -> Step:
    """The person's turn, as it was typed: without the files that the program put after it."""
    text = content_text(message.get("displayContent")) or content_text(message.get("content"))
    if text.startswith(_SUMMARY):
        return Step(ref, "system", text, event="compaction")
    words = person_text(text.split(_FILES, 1)[0].rstrip())
    return Step(ref, "user", words or text, is_person=bool(words) and not is_subagent)


def _event(kind: str, text: str) -> Event | None:
    """What a notice tells of: Gemini CLI has no records of their own for it."""
    if kind == "error":
        return "api_error"
    if text.strip() == _CANCELLED:
        return "interrupt"
    return "compaction" if _COMPRESSED.search(text) else None


def _answer(ref: str, message: Mapping[str, Any]) -> Iterator[Step]:
    calls = objects_of(message, "toolCalls")
    step = Step(
        ref,
        "agent",
        content_text(message.get("content")),
        reasoning="\n".join(filter(None, map(_thought, objects_of(message, "thoughts")))),
        tool_calls=tuple(_call(ref, index, call) for index, call in enumerate(calls)),
        observations=tuple(_observations(ref, calls)),
        model=id_of(message, "model") or None,
        tokens=_tokens(mapping_of(message, "tokens")),
    )
    yield step
    for index, seen in enumerate(step.observations):
        if seen.error_class == "rejected":
            yield Step(f"{ref}/rejection/{index}", "user", event="rejection")


def _thought(thought: Mapping[str, Any]) -> str:
    subject, description = text_of(thought, "subject"), text_of(thought, "description")
    return ": ".join(filter(None, (subject, description)))


def _call(ref: str, index: int, call: Mapping[str, Any]) -> ToolCall:
    return ToolCall(
        _call_id(ref, index, call), text_of(call, "name"), decode_object(call.get("args"))
    )


def _call_id(ref: str, index: int, call: Mapping[str, Any]) -> str:
    return id_of(call, "id") or f"{ref}/toolCalls/{index}"


def _observations(ref: str, calls: list[dict[str, Any]]) -> Iterator[Observation]:
    """A result for each call that ended; a command that ended badly is a `success` too."""
    for index, call in enumerate(calls):
        status = text_of(call, "status")
        if status not in _ENDED and not call.get("result"):
            continue
        content, is_error = _result(call)
        if text_of(call, "name") == _SHELL and (codes := _EXIT_CODE.findall(content)):
            is_error = is_error or codes[-1].strip("-0") != ""
        seen = observe(
            content,
            call_id=_call_id(ref, index, call),
            is_error=is_error or status in ("error", "cancelled"),
            source_ref=None,
        )
        is_refused = seen.is_error and (_REFUSED.match(content) or is_rejection(content))
        yield replace(seen, error_class="rejected") if is_refused else seen


def _result(call: Mapping[str, Any]) -> tuple[str, bool]:
    """Text of a result and whether it says that it is an error."""
    result = call.get("result")
    if isinstance(result, str):
        return result, False
    texts, is_error = [], False
    for part in result if isinstance(result, list) else [result]:
        response = mapping_of(mapping_of(part, "functionResponse"), "response")
        is_error = is_error or bool(response.get("error"))
        texts.append(_response_text(response) if response else content_text([part]))
    content = "\n".join(filter(None, texts))
    return content or text_of(call, "resultDisplay"), is_error


def _response_text(response: Mapping[str, Any]) -> str:
    """What a tool answered: its output or error, else the whole object as JSON."""
    for key in ("output", "error"):
        if isinstance(response.get(key), str):
            return text_of(response, key)
    return orjson.dumps(response, option=orjson.OPT_NON_STR_KEYS).decode()


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """`input` includes what was cached; thoughts and the tools' prompts stand beside the rest.

    A call of which nothing but zeros is told is one of which nothing is known.
    """
    thoughts = count_of(usage, "thoughts")
    whole = count_of(usage, "input") + count_of(usage, "tool")
    output = count_of(usage, "output") + thoughts
    return Tokens(whole, count_of(usage, "cached"), output, thoughts) if whole or output else None
