"""OpenCode: what `opencode export` writes, one session a document (or one a line).

`{info, messages[{info{role, …}, parts[…]}]}`. Built from the published schema of messages and
parts and from how OpenCode computes its usage, not from files.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from pipelines.sources.drafting import SessionDraft, with_facts_of_steps
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
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.person import person_text
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records
from pipelines.sources.tool_errors import observe

_ROLES = ("user", "assistant")
_OF_A_SESSION = frozenset(("directory", "version", "projectID", "title", "slug", "time"))
_REJECTIONS = ("The user rejected permission", "The user dismissed this question")
_FEEDBACK = "with the following feedback:"
_ABORTED = "MessageAbortedError"


class OpenCode:
    """Reads exports of sessions and of the subagents' sessions, which name their parent."""

    name = "opencode"
    version = 1
    evidence: Evidence = "documentation"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document or a record holds a session's facts beside its messages."""
        return any(map(_is_export, [head.document, *head.records]))

    def read(self, log: LogFile) -> Parsed:
        """One session for each export."""
        exports, quarantined = _exports(log)
        sessions = []
        for pointer, export in exports:
            session = _session(log, pointer, export)
            if session.steps:
                sessions.append(session)
            quarantined += [
                Quarantined(f"{pointer}/messages/{index}", "not a message with a role and parts")
                for index, message in enumerate(export["messages"])
                if not _is_message(message)
            ]
        return Parsed(tuple(sessions), tuple(quarantined))


def _is_export(value: Any) -> bool:
    messages = value.get("messages") if isinstance(value, dict) else None
    info = mapping_of(value, "info")
    if not isinstance(messages, list) or not isinstance(info.get("id"), str):
        return False
    if not messages:
        return len(_OF_A_SESSION & info.keys()) > 1
    return any(map(_is_message, messages))


def _is_message(value: Any) -> bool:
    is_told = text_of(mapping_of(value, "info"), "role") in _ROLES
    return is_told and isinstance(value.get("parts"), list)


def _exports(log: LogFile) -> tuple[list[tuple[str, dict[str, Any]]], list[Quarantined]]:
    if _is_export(log.head.document):
        return [("#", log.head.document)], []
    broken = broken_records(log)
    exports = []
    for place, _, value in log.records:
        if _is_export(value):
            exports.append((f"{place}#", value))
        else:
            broken.append(Quarantined(place, "not an export of a session"))
    return exports, broken


def _session(log: LogFile, pointer: str, export: dict[str, Any]) -> Session:
    info = export["info"]
    session_id = text_of(info, "id") or f"{log.path}{pointer}"
    parent_id = text_of(info, "parentID")
    draft = _draft(pointer, export, is_subagent=bool(parent_id))
    session = Session(
        key=f"{OpenCode.name}:{session_id}",
        format=OpenCode.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=draft.finish(),
        agent="opencode",
        agent_version=text_of(info, "version") or None,
        project=text_of(info, "directory") or None,
        parent_key=f"{OpenCode.name}:{parent_id}" if parent_id else None,
        started_at=time_of(mapping_of(info, "time"), "created"),
        extra={"clashes": draft.clashes} if draft.clashes else {},
    )
    return with_facts_of_steps(session)


def _draft(pointer: str, export: dict[str, Any], *, is_subagent: bool) -> SessionDraft:
    draft = SessionDraft()
    is_requested = False
    for index, message in enumerate(export["messages"]):
        if not _is_message(message):
            continue
        place = f"{pointer}/messages/{index}"
        ref = draft.claim(id_of(message["info"], "id") or place, place, message)
        if ref is None:
            continue
        if message["info"]["role"] == "assistant":
            steps = _answer(ref, message, is_requested=is_requested)
        else:
            is_requested = _has_part(objects_of(message, "parts"), "compaction")
            steps = _prompt(ref, message, is_subagent=is_subagent)
        for step in steps:
            draft.add(step)
    if text_of(mapping_of(export["info"], "revert"), "messageID"):
        draft.add(Step(f"{pointer}/info/revert", "user", event="rollback"))
    return draft


def _prompt(ref: str, message: dict[str, Any], *, is_subagent: bool) -> Iterator[Step]:
    """The person's turn; what the program put beside it; the request for a compaction.

    The task of a subagent comes from the agent that called it.
    """
    info, parts = message["info"], objects_of(message, "parts")
    time = time_of(mapping_of(info, "time"), "created")
    typed = _texts(p for p in parts if p.get("synthetic") is not True)
    words = person_text(typed)
    if text := words or typed or _texts(parts):
        yield Step(
            ref,
            "user",
            text,
            timestamp=time,
            is_person=bool(words) and not is_subagent,
            content_id=_content_id(message),
        )
    elif not _has_part(parts, "compaction"):
        yield Step(ref, "user", timestamp=time, content_id=_content_id(message))
    if _has_part(parts, "compaction"):
        yield Step(f"{ref}/compaction" if text else ref, "system", "", time, event="compaction")


def _answer(ref: str, message: dict[str, Any], *, is_requested: bool) -> Iterator[Step]:
    info, parts = message["info"], objects_of(message, "parts")
    tools = [part for part in parts if part.get("type") == "tool"]
    time = mapping_of(info, "time")
    cost = info.get("cost")
    # What a compaction wrote is the program's: a request for it is an event of its own.
    is_summary = info.get("summary") is True
    step = Step(
        ref,
        "system" if is_summary else "agent",
        _texts(parts),
        event="compaction" if is_summary and not is_requested else None,
        timestamp=time_of(time, "completed") or time_of(time, "created"),
        reasoning=_texts(parts, "reasoning"),
        tool_calls=tuple(_call(ref, index, part) for index, part in enumerate(tools)),
        observations=tuple(_observations(ref, tools)),
        model=id_of(info, "modelID") or None,
        tokens=_usage(info, parts),
        cost_usd=float(cost) if isinstance(cost, int | float) and 0 <= cost < 1e12 else None,
        content_id=_content_id(message),
    )
    if step.text or step.reasoning or step.tool_calls or not info.get("error"):
        yield step
    yield from _rejections(step)
    yield from _failures(step, info, parts)


def _texts(parts: Iterable[dict[str, Any]], kind: str = "text") -> str:
    told = (text_of(p, "text") for p in parts if p.get("type") == kind and not p.get("ignored"))
    return "\n".join(text for text in told if text)


def _has_part(parts: list[dict[str, Any]], kind: str) -> bool:
    return any(part.get("type") == kind for part in parts)


def _call(ref: str, index: int, part: dict[str, Any]) -> ToolCall:
    arguments = decode_object(mapping_of(part, "state").get("input"))
    return ToolCall(_call_id(ref, index, part), text_of(part, "tool"), arguments)


def _call_id(ref: str, index: int, part: dict[str, Any]) -> str:
    return id_of(part, "callID", "id") or f"{ref}/tools/{index}"


def _observations(ref: str, tools: list[dict[str, Any]]) -> Iterator[Observation]:
    """A result for each call that ended; a command that ended badly is `completed` too."""
    for index, part in enumerate(tools):
        state = mapping_of(part, "state")
        status = text_of(state, "status")
        if status in ("completed", "error"):
            key = "output" if status == "completed" else "error"
            exit_code = mapping_of(state, "metadata").get("exit")
            seen = observe(
                content_text(state.get(key)),
                call_id=_call_id(ref, index, part),
                is_error=status == "error" or (type(exit_code) is int and exit_code != 0),
                source_ref=id_of(part, "id") or None,
            )
            yield replace(seen, error_class="rejected") if _is_refused(seen) else seen


def _is_refused(seen: Observation) -> bool:
    return seen.is_error and seen.content.startswith(_REJECTIONS)


def _rejections(step: Step) -> Iterator[Step]:
    """An event for each call that the person refused, with what was said of it."""
    for index, seen in enumerate(step.observations):
        if _is_refused(seen):
            comment = seen.content.partition(_FEEDBACK)[2].strip()
            ref = f"{step.source_ref}/rejections/{index}"
            yield Step(ref, "user", comment, timestamp=step.timestamp, event="rejection")


def _failures(step: Step, info: dict[str, Any], parts: list[dict[str, Any]]) -> Iterator[Step]:
    """What went wrong with the call of the model, the tries before the last one included."""
    for index, part in enumerate(parts):
        if part.get("type") == "retry":
            ref = f"{step.source_ref}/parts/{index}"
            text = _error_text(mapping_of(part, "error"))
            time = time_of(mapping_of(part, "time"), "created") or step.timestamp
            yield Step(ref, "system", text, time, event="api_error")
    error = mapping_of(info, "error")
    if error:
        is_abort = text_of(error, "name") == _ABORTED
        yield Step(
            f"{step.source_ref}/error",
            "user" if is_abort else "system",
            _error_text(error),
            timestamp=step.timestamp,
            event="interrupt" if is_abort else "api_error",
        )


def _error_text(error: Mapping[str, Any]) -> str:
    return text_of(error.get("data"), "message") or text_of(error, "message")


def _usage(info: dict[str, Any], parts: list[dict[str, Any]]) -> Tokens | None:
    """The tokens of a message: the sum over its calls, whose last alone its `info` may tell."""
    calls = [_tokens(mapping_of(p, "tokens")) for p in parts if p.get("type") == "step-finish"]
    known = [tokens for tokens in calls if tokens]
    return _sum(known) if known else _tokens(mapping_of(info, "tokens"))


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """`input` excludes what was cached; `output` excludes the reasoning where `total` says so.

    Versions before there was a `total` wrote the provider's output, which includes it.
    """
    if not usage:
        return None
    cache = mapping_of(usage, "cache")
    read, write = count_of(cache, "read"), count_of(cache, "write")
    whole = count_of(usage, "input") + read + write
    output, reasoning = count_of(usage, "output"), count_of(usage, "reasoning")
    if reasoning > output or count_of(usage, "total") >= whole + output + reasoning:
        output += reasoning
    return Tokens(whole, read, output, reasoning, write)


def _sum(calls: list[Tokens]) -> Tokens:
    return Tokens(
        sum(call.input for call in calls),
        sum(call.cached for call in calls),
        sum(call.output for call in calls),
        sum(call.reasoning for call in calls),
        sum(call.cache_write for call in calls),
    )


def _content_id(message: dict[str, Any]) -> str | None:
    """Equal in forks, which give copies new ids but keep their times, texts and call ids."""
    info, parts = message["info"], objects_of(message, "parts")
    created = id_of(mapping_of(info, "time"), "created")
    calls = "|".join(id_of(part, "callID") for part in parts)
    if not created or not (calls.strip("|") or _texts(parts)):
        return None
    told = "\0".join((info["role"], created, _texts(parts), calls))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]


SOURCE = OpenCode()
