"""Messages typed while the agent runs: they wait in a queue, and some leave no other record.

Newer versions write a message where the agent gets it: as a user record, or as an attachment.
Versions around 2.1 wrote only that it left the queue.
"""

from collections import OrderedDict, defaultdict, deque
from typing import Any

from pipelines.sources.fields import content_text, mapping_of, text_of
from pipelines.sources.person import person_text

_COMMAND, _JSON_NOTICE = "/", '{"task_id"'
_MOST_WAITING = 100
"""People leave a handful: more are not looked for in every record."""


class Deliveries:
    """Notes which of the messages that waited stand in a record of their own.

    To be shown every queue operation of a file, and all records while deliveries `are_awaited`.
    """

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._delivered: set[str] = set()

    @property
    def are_awaited(self) -> bool:
        """Whether a message waits, so that any record may be the one that brings it."""
        return bool(self._waiting)

    def note(self, kind: Any, record: dict[str, Any]) -> None:
        """Look at one record."""
        if kind == "queue-operation":
            is_new = record.get("operation") == "enqueue" and len(self._waiting) < _MOST_WAITING
            if is_new and (text := _message(record)):
                self._waiting.add(text)
        elif self._waiting and (text := _told(kind, record)):
            self._delivered.update(waiting for waiting in self._waiting if waiting in text)
            self._waiting -= self._delivered

    def has(self, text: str) -> bool:
        """Whether a record brings this message."""
        return text in self._delivered


class Waiting:
    """The queue of one session, while its records are read."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        # A plain dictionary finds its first item more slowly, the more were taken out before it.
        self._messages: OrderedDict[int, str] = OrderedDict()
        self._places: defaultdict[str, deque[int]] = defaultdict(deque)
        self._enqueued = 0

    def take(self, record: dict[str, Any]) -> str | None:
        """The message that the agent gets by this operation alone, if it is one of the person."""
        operation, message = text_of(record, "operation"), _message(record)
        if operation == "enqueue":
            self._append(message)
            return None
        if operation == "popAll":  # the person takes them back, to write on
            self._messages.clear()
            self._places.clear()
            return None
        if operation not in ("remove", "dequeue") or not self._messages:
            return None
        left = self._leave(message)
        is_only_here = operation == "remove" and not self._deliveries.has(left)
        return left if is_only_here and _is_persons(left) else None

    def _append(self, message: str) -> None:
        self._messages[self._enqueued] = message
        self._places[message].append(self._enqueued)
        self._enqueued += 1

    def _leave(self, message: str) -> str:
        """Take out the first message of that text, else the first of all."""
        left = message if message in self._places else self._messages[next(iter(self._messages))]
        places = self._places[left]
        del self._messages[places.popleft()]
        if not places:
            del self._places[left]
        return left


def _message(record: dict[str, Any]) -> str:
    return content_text(record.get("content")).strip()


def _is_persons(message: str) -> bool:
    is_machine = message.startswith((_COMMAND, _JSON_NOTICE))
    return bool(message) and not is_machine and bool(person_text(message))


def _told(kind: Any, record: dict[str, Any]) -> str:
    if kind == "attachment":
        return content_text(mapping_of(record, "attachment").get("prompt"))
    # A summary quotes what was said before.
    if kind != "user" or record.get("isCompactSummary") is True:
        return ""
    return content_text(mapping_of(record, "message").get("content"))
