"""The records of a Gemini chat, replayed: messages that are written again, rewound, rewritten.

Source: Gemini CLI's own recorder and its loader. Unlike the loader, nothing that was said is
dropped: what was rewound or compressed away keeps its place, and an event tells of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_core.session import Event
from pipelines.sources.fields import content_text, id_of, objects_of, text_of
from pipelines.sources.json_lines import Record
from pipelines.sources.reading import Quarantined

_KINDS = frozenset(("user", "gemini", "info", "warning", "error"))


@dataclass
class Entry:
    """A message in its last state, or something that befell the chat."""

    place: str
    message: Mapping[str, Any]
    event: Event | None = None
    is_programs: bool = False
    """The program put it into the history by itself, in whoever's place it stands."""


@dataclass
class Chat:
    """What the records of a chat leave behind."""

    about: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    _live: dict[str, Entry] = field(default_factory=dict)
    """The messages of the history by id, in its order."""

    def describe(self, told: Mapping[str, Any]) -> None:
        """Facts of the chat; later ones replace earlier ones."""
        self.about.update((key, told[key]) for key in told if key != "messages")

    def take_messages(self, place: str, messages: list[Any]) -> None:
        """All messages of a document."""
        for index, message in enumerate(messages):
            self.take(f"{place}/messages/{index}", message)

    def take(self, place: str, message: Any, *, is_programs: bool = False) -> None:
        """A message; one that is written again replaces what it was, where it stood."""
        if not isinstance(message, dict) or not text_of(message, "type"):
            self.quarantined.append(Quarantined(place, "not a message with a type"))
            return
        if not is_message(message):
            if message["type"] in _KINDS:
                self.quarantined.append(Quarantined(place, "a message without content"))
            return
        name = id_of(message, "id") or place
        if earlier := self._live.get(name):
            earlier.message = message
            return
        entry = Entry(place, message, is_programs=is_programs)
        self.entries.append(entry)
        self._live[name] = entry

    def rewind(self, place: str, message_id: str) -> None:
        """Undo a message and all after it; every message where none has that id."""
        ids = list(self._live)
        undone = ids[ids.index(message_id) :] if message_id in self._live else ids
        turns = sum(_is_users(self._live[name]) for name in undone)
        for name in undone:
            del self._live[name]
        self.entries.append(Entry(place, {"content": f"{turns} turns rolled back"}, "rollback"))

    def rewrite(self, place: str, told: Mapping[str, Any]) -> None:
        """The history as it is sent from now on: shortened, masked or summarised.

        Messages keep what they said first; those that are new come from the program. What a tool
        gave stands in both places and is no message here.
        """
        messages = [m for m in objects_of(told, "messages") if is_message(m)]
        kept = {id_of(message, "id") for message in messages}
        gone = [name for name, entry in self._live.items() if _is_users(entry) and name not in kept]
        new = [m for m in messages if id_of(m, "id") not in self._live and _text(m)]
        if gone:
            summary = new.pop(0) if new and new[0]["type"] == "user" else {}
            self.entries.append(Entry(place, {**summary, "id": None}, "compaction"))
            self._live[id_of(summary, "id") or place] = self.entries[-1]
        for name in gone:
            del self._live[name]
        for index, message in enumerate(new):
            self.take(f"{place}#/messages/{index}", message, is_programs=True)


def replay(records: Iterable[Record]) -> Chat:
    """The chat that the records of a `.jsonl` file tell."""
    chat = Chat()
    for place, _, record in records:
        if not isinstance(record, dict):
            chat.quarantined.append(Quarantined(place, "not a JSON object"))
        elif isinstance(record.get("$rewindTo"), str):
            chat.rewind(place, record["$rewindTo"])
        elif isinstance(record.get("$set"), dict):
            chat.describe(record["$set"])
            if isinstance(record["$set"].get("messages"), list):
                chat.rewrite(place, record["$set"])
        elif "type" not in record and "sessionId" in record:
            chat.describe(record)
            told = record.get("messages")
            chat.take_messages(f"{place}#", told if isinstance(told, list) else [])
        elif not any(key.startswith("$") for key in record):
            chat.take(place, record)
    return chat


def is_message(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a kind of message and holds what such a one holds."""
    is_known = text_of(record, "type") in _KINDS
    return is_known and (isinstance(record.get("content"), str | list) or "toolCalls" in record)


def _is_users(entry: Entry) -> bool:
    is_users = entry.message.get("type") == "user" and entry.event is None
    return is_users and not entry.is_programs and bool(_text(entry.message))


def _text(message: Mapping[str, Any]) -> str:
    return content_text(message.get("content")).strip()
