"""Cursor agent transcripts: `agent-transcripts/<id>/<id>.jsonl` below a project's folder.

Lines are `{role, message{content}}` and `{type: "turn_ended", status}`: no ids, no results, no
tokens, and times only in the frame around what the person typed. Built from public descriptions
of the files, not from files.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent_core.session import Observation, Session, Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step, with_facts_of_steps
from pipelines.sources.fields import (
    content_text,
    id_of,
    is_odd_content,
    mapping_of,
    objects_of,
    text_of,
)
from pipelines.sources.json_lines import Record
from pipelines.sources.json_text import decode_object
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.person import person_text
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records
from pipelines.sources.tool_errors import looks_failed, observe

_QUERY = re.compile(r"<user_query>(.*?)(?:</user_query>|\Z)", re.DOTALL)
_TIMESTAMP = re.compile(
    r"<timestamp>\s*\w+, (\w{3})\w* (\d{1,2}), (\d{4}), (\d{1,2}):(\d{2}) ([AP]M)"
    r"(?: \(UTC(?:([+-]\d{1,2})(?::?(\d{2}))?)?\))?\s*</timestamp>"
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ABORTED = re.compile(r"abort|cancel|interrupt", re.IGNORECASE)
# Stands for thinking that Cursor does not write down.
_REDACTED = "[REDACTED]"


class Cursor:
    """Reads transcripts of Cursor's agent, in the editor and on the command line."""

    name = "cursor"
    version = 1
    evidence: Evidence = "documentation"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether a record is a message under a role, with nothing of other formats."""
        return any(map(_is_message, head.objects))

    def read(self, log: LogFile) -> Parsed:
        """The one session of a transcript."""
        session = _session(log)
        broken = broken_records(log)
        broken += [
            Quarantined(record.place, "neither a message nor the end of a turn")
            for record in log.records
            if not (_is_message(record.value) or text_of(record.value, "type"))
        ]
        return Parsed((session,) if session.steps else (), tuple(broken))


def _is_message(value: Any) -> bool:
    if text_of(value, "role") not in ("user", "assistant") or value.keys() & {"type", "uuid"}:
        return False
    content = mapping_of(value, "message").get("content")
    return isinstance(content, str | list) and not is_odd_content(content)


def _session(log: LogFile) -> Session:
    session_id, parent_id = _ids_in(log.path)
    session = Session(
        key=f"{Cursor.name}:{session_id}",
        format=Cursor.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=_steps(log, is_subagent=parent_id is not None),
        agent="cursor",
        parent_key=f"{Cursor.name}:{parent_id}" if parent_id else None,
    )
    return with_facts_of_steps(session)


def _ids_in(path: Path) -> tuple[str, str | None]:
    """The session that a path names, and its parent's where it lies in `<id>/subagents/`."""
    stem = path.name.partition(".")[0]
    own = stem if _UUID.fullmatch(stem) else f"{path}#0"
    folder = path.parent
    is_subagent = folder.name == "subagents" and _UUID.fullmatch(folder.parent.name)
    return own, folder.parent.name if is_subagent else None


def _steps(log: LogFile, *, is_subagent: bool) -> tuple[Step, ...]:
    draft = SessionDraft()
    is_framed = any(_QUERY.search(_text(record.value)) for record in log.records)
    for record in log.records:
        if _is_message(record.value):
            for step in _message_steps(record, is_framed=is_framed, is_subagent=is_subagent):
                draft.add(step)
        elif end := _turn_end(record.place, record.value):
            draft.add(end)
    return draft.finish()


def _text(value: Any) -> str:
    return content_text(mapping_of(value, "message").get("content"))


def _message_steps(record: Record, *, is_framed: bool, is_subagent: bool) -> Iterator[Step]:
    place, value = record.place, record.value
    blocks = objects_of(mapping_of(value, "message"), "content")
    results = tuple(_observation(place, b) for b in blocks if b.get("type") == "tool_result")
    if value["role"] == "assistant":
        yield _answer(place, value, blocks)
    else:
        text = _text(value)
        if text:
            yield _user_step(place, text, is_framed=is_framed, is_subagent=is_subagent)
        elif results:
            yield result_step(place, results)
    for index, block in enumerate(blocks):
        if step := _turn_end(f"{place}#/message/content/{index}", block):
            yield step


def _user_step(place: str, text: str, *, is_framed: bool, is_subagent: bool) -> Step:
    """In a file without any frame, as older versions wrote, the bare text is the person's."""
    queries = [query.strip() for query in _QUERY.findall(text)]
    bare = "" if is_framed or text.lstrip().startswith("<") else text
    words = person_text("\n".join(queries) or bare)
    return Step(
        place,
        "user",
        words or text,
        timestamp=_time_in(text),
        is_person=bool(words) and not is_subagent,
    )


def _time_in(text: str) -> datetime | None:
    """The time of the frame, in words and with the offset of the person's zone."""
    match = _TIMESTAMP.search(text)
    if match is None:
        return None
    month, day, year, hour, minute, half, offset, offset_minutes = match.groups()
    east = timedelta(hours=int(offset or 0))
    east += timedelta(minutes=int(offset_minutes or 0)) * (-1 if east < timedelta() else 1)
    try:
        hours = int(hour) % 12 + (12 if half == "PM" else 0)
        number = _MONTHS.index(month) + 1
        return datetime(int(year), number, int(day), hours, int(minute), tzinfo=UTC) - east
    except (ValueError, OverflowError):
        return None


def _answer(place: str, value: dict[str, Any], blocks: list[dict[str, Any]]) -> Step:
    message = mapping_of(value, "message")
    return Step(
        place,
        "agent",
        _text(value).removesuffix(_REDACTED).strip(),
        reasoning="\n".join(filter(None, (text_of(block, "thinking") for block in blocks))),
        tool_calls=tuple(_calls(place, blocks)),
        model=text_of(message, "model") or None,
    )


def _calls(place: str, blocks: list[dict[str, Any]]) -> Iterator[ToolCall]:
    """The calls, which have no ids of their own: they are known by their places."""
    for index, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            call_id = id_of(block, "id") or f"{place}#/message/content/{index}"
            yield ToolCall(call_id, text_of(block, "name"), decode_object(block.get("input")))


def _observation(place: str, block: dict[str, Any]) -> Observation:
    text = content_text(block.get("content"))
    stated = block.get("is_error")
    failed = stated if isinstance(stated, bool) else looks_failed(text)
    call_id = id_of(block, "tool_use_id") or None
    return observe(text, call_id=call_id, is_error=failed, source_ref=place)


def _turn_end(place: str, value: Any) -> Step | None:
    """An event for a turn that did not end well; None for one that did, and for other records."""
    if text_of(value, "type") != "turn_ended":
        return None
    status, error = text_of(value, "status"), text_of(value, "error")
    error = error or text_of(value.get("error"), "message")
    if _ABORTED.search(f"{status} {error}"):
        return Step(place, "user", error, event="interrupt")
    return Step(place, "system", error, event="api_error") if status == "error" else None


SOURCE = Cursor()
