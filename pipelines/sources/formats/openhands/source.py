"""OpenHands: event lists, evaluation outputs, and folders with a file for each event."""

from pathlib import Path
from typing import Any

from agent_core.session import Session
from pipelines.sources.fields import id_of
from pipelines.sources.formats.openhands import folder
from pipelines.sources.formats.openhands.conversation import NAME, Conversation
from pipelines.sources.formats.openhands.records import Events, read_record
from pipelines.sources.formats.openhands.shapes import (
    is_event,
    is_event_list,
    is_record,
    is_state,
)
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined


class OpenHands:
    """Reads V0 (trajectories, `output.jsonl`, event files) and V1 (event lines, event files)."""

    name = NAME
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document or a record is an event, a list of them, a state or a task."""
        document = head.document
        if is_state(document) or is_event_list(document):
            return True
        values = [document, *head.records]
        return any(is_event(value) or is_record(value) for value in values)

    def read(self, log: LogFile) -> Parsed:
        """One session for the file or its folder, or for each line of an evaluation."""
        document = log.head.document
        conversation = self.conversation_folder(log.path)
        is_of_folder = is_state(document) or is_event(document) or _is_page(log)
        if conversation is not None and is_of_folder:
            return _read_folder(log, conversation)
        if isinstance(document, list):
            return _read_list(log, document)
        return _read_lines(log)

    def conversation_folder(self, path: Path) -> Path | None:
        """The folder of the conversation, where the file's name is that of a part of one."""
        return folder.conversation_folder(path)


def _is_page(log: LogFile) -> bool:
    return log.path.parent.name == "event_cache" and is_event_list(log.head.document)


def _read_folder(log: LogFile, conversation: Path) -> Parsed:
    """All of the conversation for its first file, nothing for the others."""
    leader = folder.leader_of(conversation)
    if leader is None:
        return Parsed((), notes=("the state of a conversation without events",))
    if leader != log.path:
        return Parsed((), _odd_entries(log), part_of=leader)
    talk = Conversation()
    talk.note_state(folder.state_of(conversation))
    events, count = Events(talk), 0
    for place, event in folder.events_of(conversation):
        events.take(id_of(event, "id"), place, event)
        count += 1
    return Parsed(_sessions(talk, conversation.name, log), _odd_entries(log), records=count)


def _odd_entries(log: LogFile) -> tuple[Quarantined, ...]:
    """What is no event in a page of them."""
    page = log.head.document if isinstance(log.head.document, list) else []
    odd = (index for index, event in enumerate(page) if not isinstance(event, dict))
    return tuple(Quarantined(f"#/{index}", "not an event") for index in odd)


def _read_list(log: LogFile, document: list[Any]) -> Parsed:
    talk = Conversation()
    events = Events(talk)
    for index, event in enumerate(document):
        if isinstance(event, dict):
            events.take(id_of(event, "id"), f"#/{index}", event)
    return Parsed(_sessions(talk, talk.session_id or f"{log.path}#0", log), _odd_entries(log))


def _read_lines(log: LogFile) -> Parsed:
    """A session for each task, and one for all events that stand alone."""
    talk, sessions = Conversation(), list[Session]()
    events = Events(talk)
    quarantined: list[Quarantined] = []
    for place, value in _values(log):
        if is_record(value):
            fallback_id = f"{log.path}#{len(sessions)}"
            session, odd = read_record(value, f"{place}#" if place else "#", fallback_id,
                                       str(log.path))  # fmt: skip
            sessions += [session] if session.steps else []
            quarantined += odd
        elif isinstance(value, dict) and {"kind", "action", "observation"} & value.keys():
            events.take(id_of(value, "id"), place or "#", value)
        else:
            quarantined.append(Quarantined(place or "#", "neither an event nor a task's history"))
    if log.is_line_based:
        broken = log.broken_lines
        quarantined += [Quarantined(f"line:{line.line}", line.reason) for line in broken]
    sessions += _sessions(talk, talk.session_id or f"{log.path}#{len(sessions)}", log)
    return Parsed(tuple(sessions), tuple(quarantined))


def _values(log: LogFile) -> Any:
    if log.head.document is not None and not log.head.records:
        return [("", log.head.document)]
    return ((record.place, record.value) for record in log.records)


def _sessions(talk: Conversation, session_id: str, log: LogFile) -> tuple[Session, ...]:
    session = talk.session(session_id, str(log.path))
    return (session,) if session.steps else ()
