"""Attributes of spans: OTLP's typed values and flattened keys, as plain values.

Source: opentelemetry-proto `common.proto` in its JSON form; OpenInference's flattened lists
(`llm.input_messages.0.message.content`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.sources.json_text import NotJsonError, decode

Attributes = Mapping[str, Any]

_PLAIN = ("stringValue", "boolValue", "doubleValue", "bytesValue", "string_value", "bool_value")
_WHOLE = ("intValue", "int_value")
_LISTS = ("arrayValue", "array_value")
_MAPS = ("kvlistValue", "kvlist_value")
# What fits 64 bits: nothing larger can be stored.
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_MAX_LEVELS = 24
_COUNT_LIMIT = 1 << 40


def attributes_of(value: Any) -> Attributes:
    """The attributes by name, whether they are OTLP's list of pairs or a plain object."""
    if isinstance(value, dict):
        return value
    pairs = value if isinstance(value, list) else []
    return {
        pair["key"]: plain_value(pair.get("value"))
        for pair in pairs
        if isinstance(pair, dict) and isinstance(pair.get("key"), str)
    }


def plain_value(value: Any) -> Any:
    """The value in an OTLP `AnyValue`; a value that is none stays as it is."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, held),) = value.items()
    if kind in _PLAIN:
        return held
    if kind in _WHOLE:
        return _whole(held)
    inner = held.get("values") if isinstance(held, dict) else None
    if kind in _LISTS:
        return [plain_value(item) for item in inner] if isinstance(inner, list) else []
    if kind in _MAPS:
        return attributes_of(inner if isinstance(inner, list) else [])
    return value


def first_value(attributes: Attributes, *keys: str) -> Any:
    """The first value that is there and not empty, under flat or under nested keys."""
    for key in keys:
        value = attributes.get(key)
        if value is None and key.partition(".")[0] in attributes:
            value = _nested(attributes, key)
        if value not in (None, "", [], {}):
            return value
    return None


def first_text(attributes: Attributes, *keys: str) -> str:
    """The first of the values that is a text or a number, as text; else an empty string."""
    for key in keys:
        value = first_value(attributes, key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return ""


def first_count(attributes: Attributes, *keys: str) -> int | None:
    """The first of the values that is a non-negative whole number, in digits too."""
    for key in keys:
        count = _whole(first_value(attributes, key))
        if isinstance(count, int | float) and not isinstance(count, bool):
            return int(count) if 0 <= count < _COUNT_LIMIT else None
    return None


def first_structure(attributes: Attributes, *keys: str) -> Any:
    """The first value that is there: its JSON decoded, its flattened items put together."""
    for key in keys:
        value = decoded(first_value(attributes, key)) or unflattened(attributes, key)
        if value:
            return value
    return None


def decoded(value: Any) -> Any:
    """What the JSON in a text says; any other value, and text that is no JSON, as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return decode(value.encode("utf-8", "replace"))
    except NotJsonError:
        return value


def unflattened(attributes: Attributes, prefix: str) -> list[Any]:
    """The items whose parts stand under `prefix.<index>.<…>`, in the order of the indices."""
    tree: dict[str, Any] = {}
    for path, value in _paths_below(attributes, f"{prefix}."):
        branch = tree
        for level in path[:-1]:
            held = branch.setdefault(level, {})
            branch = held if isinstance(held, dict) else {}
        branch.setdefault(path[-1], value)
    items = _lists_in(tree)
    return items if isinstance(items, list) else []


def _paths_below(attributes: Attributes, prefix: str) -> Iterator[tuple[list[str], Any]]:
    for key, value in attributes.items():
        if key.startswith(prefix):
            path = key[len(prefix) :].split(".")
            if path[0].isdecimal() and len(path) <= _MAX_LEVELS:
                yield path, value


def _lists_in(tree: dict[str, Any]) -> Any:
    held = {k: _lists_in(v) if isinstance(v, dict) else v for k, v in tree.items()}
    if held and all(key.isdecimal() and len(key) < _MAX_LEVELS for key in held):
        return [held[key] for key in sorted(held, key=int)]
    return held


def _nested(attributes: Attributes, key: str) -> Any:
    value: Any = attributes
    for level in key.split("."):
        value = value.get(level) if isinstance(value, dict) else None
    return value


def _whole(value: Any) -> Any:
    """A whole number written as text, which is how OTLP writes 64 bits; else the value."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
