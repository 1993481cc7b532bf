"""What a JSON value is among those that OpenHands writes, told by its content alone."""

import re
from typing import Any

from pipelines.sources.fields import id_of, text_of

_SOURCES = ("user", "agent", "environment", "hook")
_KIND = re.compile(
    r"[A-Z]\w*(?:Event|Observation|Condensation|CondensationRequest)|Condensation\w*"
)
_STATE_KEYS = frozenset(("agent", "workspace", "id"))
_STATE_MARKS = frozenset(("execution_status", "agent_status", "max_iterations", "stats"))
_TASK_KEYS = ("instance_id", "issue", "test_result", "metrics")
_SEEN_EVENTS = 60


def is_sdk_event(value: Any) -> bool:
    """Whether a value is an event of the SDK, told apart by its `kind`."""
    return (
        text_of(value, "source") in _SOURCES
        and bool(_KIND.fullmatch(text_of(value, "kind")))
        and bool(id_of(value, "id"))
    )


def is_first_event(value: Any) -> bool:
    """Whether a value is a whole event of the first generation."""
    if text_of(value, "source") not in _SOURCES or not ({"id", "timestamp"} & value.keys()):
        return False
    is_action = bool(text_of(value, "action")) and isinstance(value.get("args"), dict)
    is_seen = bool(text_of(value, "observation")) and {"content", "extras"} <= value.keys()
    return is_action or is_seen


def is_event(value: Any) -> bool:
    """Whether a value is an event of either generation."""
    return is_sdk_event(value) or is_first_event(value)


def is_event_list(value: Any) -> bool:
    """Whether a value is a list of events; a few of them may be odd."""
    seen = value[:_SEEN_EVENTS] if isinstance(value, list) else []
    return sum(map(is_event, seen)) * 2 > len(seen)


def is_state(value: Any) -> bool:
    """Whether a value is the state that the SDK keeps beside the events of a conversation."""
    if not isinstance(value, dict) or not value.keys() >= _STATE_KEYS:
        return False
    is_described = isinstance(value["agent"], dict) and isinstance(value["workspace"], dict)
    return is_described and bool(_STATE_MARKS & value.keys())


def is_record(value: Any) -> bool:
    """Whether a value is a line of an evaluation's or the resolver's output."""
    history = value.get("history") if isinstance(value, dict) else None
    if not isinstance(history, list) or not any(key in value for key in _TASK_KEYS):
        return False
    return not history or any(map(_is_entry, history[:_SEEN_EVENTS]))


def _is_entry(entry: Any) -> bool:
    """An event of a history, which in old outputs comes as a pair and with less around it."""
    if isinstance(entry, list):
        return any(map(_is_entry, entry[:2])) and not any(isinstance(e, list) for e in entry)
    return bool(text_of(entry, "action") or text_of(entry, "observation"))
