"""Access to foreign records: what is missing or of another type is simply not there."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_SECONDS_LIMIT = 1e11
"""Numbers above are milliseconds: as seconds they would lie thousands of years ahead."""
_COUNT_LIMIT = 1 << 40
"""Counts above are no counts; millions of those below still add up to 63 bits."""
_EMPTY: Mapping[str, Any] = {}


def text_of(record: Any, key: str) -> str:
    """The string under `key`, else an empty one."""
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) else ""


def mapping_of(record: Any, key: str) -> Mapping[str, Any]:
    """The object under `key`, else an empty one."""
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, dict) else _EMPTY


def objects_of(record: Any, key: str) -> list[dict[str, Any]]:
    """The objects in the list under `key`."""
    value = record.get(key) if isinstance(record, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count_of(record: Any, key: str) -> int:
    """The non-negative whole number under `key`, else 0."""
    value = record.get(key) if isinstance(record, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value < _COUNT_LIMIT else 0


def id_of(record: Any, *keys: str) -> str:
    """The first of the keys that holds a text or a number, as text; else an empty string."""
    for key in keys:
        value = record.get(key) if isinstance(record, dict) else None
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def time_of(record: Any, key: str = "timestamp") -> datetime | None:
    """The ISO text or Unix number (seconds or milliseconds) under `key`, in UTC.

    A time without zone is taken for UTC; what is no time gives None.
    """
    value = record.get(key) if isinstance(record, dict) else None
    try:
        if isinstance(value, str):
            stamp = datetime.fromisoformat(value)
            return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / (1000 if value > _SECONDS_LIMIT else 1), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def content_texts(content: Any) -> Iterator[str]:
    """The texts of a message's content: a string, or blocks with `text`; images leave a mark."""
    if isinstance(content, str):
        yield content
        return
    for block in content if isinstance(content, list) else []:
        if isinstance(block, str):
            yield block
        elif isinstance(block, dict):
            if isinstance(block.get("text"), str):
                yield block["text"]
            elif "image" in text_of(block, "type"):
                yield "[image]"


def content_text(content: Any) -> str:
    """The texts of a message's content, one a line."""
    return "\n".join(text for text in content_texts(content) if text)


def is_odd_content(content: Any) -> bool:
    """Whether a message's content should say something and has no form in which it is known.

    Blocks of a type that is not known are no such thing: they name what they are.
    """
    if content is None or isinstance(content, str):
        return False
    if not isinstance(content, list):
        return True
    return bool(content) and all(map(_is_odd_block, content))


def _is_odd_block(block: Any) -> bool:
    if not isinstance(block, dict):
        return not isinstance(block, str)
    return not (isinstance(block.get("type"), str) and isinstance(block.get("text", ""), str))
