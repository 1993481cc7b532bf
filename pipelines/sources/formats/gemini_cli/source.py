"""Gemini CLI: `~/.gemini/tmp/<project>/chats/session-*.json`, newer `.jsonl`.

Subagents' recordings lie in a folder beside it that has the name of the session.
"""

from collections.abc import Mapping
from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import SessionDraft, with_facts_of_steps
from pipelines.sources.fields import id_of, text_of, time_of
from pipelines.sources.formats.gemini_cli.messages import steps_of
from pipelines.sources.formats.gemini_cli.replay import Chat, is_message, replay
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, broken_records

_OF_A_CHAT = frozenset(("sessionId", "projectHash", "startTime"))


class GeminiCli:
    """Reads a chat as one document, or as records that are replayed in order."""

    name = "gemini_cli"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document is a chat, or a record is one that only such a chat has."""
        return _is_document(head.document) or any(map(_is_record, head.objects))

    def read(self, log: LogFile) -> Parsed:
        """One session."""
        if _is_document(log.head.document):
            chat = _document(log.head.document)
        else:
            chat = replay(log.records)
            broken = broken_records(log)
            chat.quarantined[:0] = broken
        session = _session(log, chat)
        return Parsed((session,) if session.steps else (), tuple(chat.quarantined))


def _is_document(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        return False
    is_told = bool({"projectHash", "lastUpdated"} & value.keys())
    return is_told and isinstance(value.get("sessionId"), str) and "type" not in value


def _is_record(record: dict[str, Any]) -> bool:
    if isinstance(record.get("$rewindTo"), str) or isinstance(record.get("$set"), dict):
        return True
    if record.get("type") == "gemini":
        return is_message(record) and isinstance(record.get("id"), str) and "timestamp" in record
    return "type" not in record and record.keys() >= _OF_A_CHAT


def _document(document: Mapping[str, Any]) -> Chat:
    chat = Chat()
    chat.describe(document)
    chat.take_messages("#", document["messages"])
    return chat


def _session(log: LogFile, chat: Chat) -> Session:
    told = chat.about
    is_subagent = told.get("kind") == "subagent"
    parent_id = log.path.parent.name if is_subagent else ""
    session_id = id_of(told, "sessionId") or f"{log.path}#0"
    draft = SessionDraft()
    for entry in chat.entries:
        ref = draft.claim(id_of(entry.message, "id") or entry.place, entry.place, entry.message)
        if ref is not None:
            for step in steps_of(ref, entry, is_subagent=is_subagent):
                draft.add(step)
    session = Session(
        key=f"{GeminiCli.name}:{session_id}",
        format=GeminiCli.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=draft.finish(),
        agent="gemini-cli",
        project=text_of(told, "projectHash") or None,
        parent_key=f"{GeminiCli.name}:{parent_id}" if parent_id else None,
        started_at=time_of(told, "startTime"),
        extra={"clashes": draft.clashes} if draft.clashes else {},
    )
    return with_facts_of_steps(session)
