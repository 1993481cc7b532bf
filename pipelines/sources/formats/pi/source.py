"""Pi: `~/.pi/agent/sessions/<folder>/<time>_<id>.jsonl`, versions 1 to 3, and its derivatives."""

import re
from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, text_of, time_of
from pipelines.sources.formats.pi.entries import PiEntries
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records

# A parent is told by its file, whose name ends with its id, or by the id alone.
_PARENT_ID = re.compile(r"(?:.*[/\\])?(?:[^/\\]*_)?([^/\\_]+?)(?:\.jsonl)?", re.DOTALL)


class Pi:
    """Reads the tree of a session's entries in the order in which they were written."""

    name = "pi"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether a record is the header of a session or an entry with a message."""
        return any(_is_header(record) or _is_entry(record) for record in head.objects)

    def read(self, log: LogFile) -> Parsed:
        """One session."""
        quarantined = broken_records(log)
        entries = PiEntries(is_subagents=_is_subagents(log))
        header: dict[str, Any] = {}
        for place, _, record in log.records:
            if not isinstance(record, dict):
                quarantined.append(Quarantined(place, "not a JSON object"))
            elif record.get("type") == "session":
                header = header or record
            elif reason := entries.take(place, record):
                quarantined.append(Quarantined(place, reason))
        session = _session(log, header, entries)
        return Parsed((session,) if session.steps else (), tuple(quarantined))


def _is_header(record: dict[str, Any]) -> bool:
    is_session = record.get("type") == "session" and isinstance(record.get("id"), str)
    return is_session and isinstance(record.get("cwd"), str) and "timestamp" in record


def _is_entry(record: dict[str, Any]) -> bool:
    message = record.get("message")
    is_message = record.get("type") == "message" and isinstance(message, dict)
    return is_message and "parentId" in record and isinstance(record.get("id"), str)


def _is_subagents(log: LogFile) -> bool:
    """Whether another agent began the session: such a one tells first what it was begun with."""
    return any(record.get("type") == "session_init" for record in log.head.objects)


def _session(log: LogFile, header: dict[str, Any], entries: PiEntries) -> Session:
    session_id = id_of(header, "id") or f"{log.path}#0"
    parent = _PARENT_ID.fullmatch(text_of(header, "parentSession"))
    draft = entries.draft
    session = Session(
        key=f"{Pi.name}:{session_id}",
        format=Pi.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=draft.finish(),
        agent="pi",
        project=text_of(header, "cwd") or None,
        parent_key=f"{Pi.name}:{parent[1]}" if parent else None,
        started_at=time_of(header, "timestamp"),
        extra={"clashes": draft.clashes} if draft.clashes else {},
    )
    return with_facts_of_steps(session)
