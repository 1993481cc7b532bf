"""JSON as logs hold it: broken, concatenated, with lone surrogates and NaN."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

_MAX_DEPTH_CHECKED = 200
_MAX_CONTAINERS = 2_000_000
_MAX_ITEMS = 20_000_000
_MAX_VALUES = 1_000
_TOO_MANY = "more values in one text than memory has room for"
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


class NotJsonError(ValueError):
    """The text cannot be decoded; the message says why without quoting it."""


def decode(text: bytes) -> Any:
    """The one JSON value in `text`; NotJsonError when there is none or more than one.

    Accepts what orjson refuses but logs contain: bytes that are not UTF-8 and lone surrogates
    (both become replacement characters) and NaN or infinities (become null).
    """
    containers = text.count(b"[") + text.count(b"{")
    if containers > _MAX_CONTAINERS or (len(text) > _MAX_ITEMS and text.count(b",") > _MAX_ITEMS):
        # A few hundred kilobytes of compressed `{},` would take gigabytes.
        raise NotJsonError(_TOO_MANY)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _decode_leniently(text)
    if containers > _MAX_DEPTH_CHECKED:
        _refuse_deep_nesting(value)
    return value


def decode_rest(text: bytes, reason: str) -> tuple[list[Any], str | None]:
    """The values one after the other in a `text` that is no single one, for the `reason` given.

    The second of the result says what is wrong with the rest; None when everything decoded.
    """
    if reason == _TOO_MANY or not text.startswith(b"{"):
        # A scalar before garbage is a line of a larger document, not a record.
        return [], reason
    decoded = text.decode("utf-8", "replace")
    values: list[Any] = []
    start = 0
    while start < len(decoded):
        value, start, problem = _next_value(decoded, start)
        if problem:
            return values, problem if values else reason
        values.append(value)
        if len(values) == _MAX_VALUES and start < len(decoded):
            return values, f"more than {_MAX_VALUES} values on a line"
    return values, None


def decode_object(value: Any, raw_key: str = "input") -> Mapping[str, Any]:
    """Arguments of a call, which logs hold as an object or as its JSON text.

    What is no object is kept whole under `raw_key`.
    """
    if isinstance(value, str):
        try:
            decoded = decode(value.encode("utf-8", "replace"))
            _refuse_deep_nesting([[[[decoded]]]])  # it will be written within other values
        except NotJsonError:
            return {raw_key: value} if value else {}
        return decoded if isinstance(decoded, dict) else {raw_key: value}
    if isinstance(value, dict):
        return value
    return {} if value is None else {raw_key: value}


def _decode_leniently(text: bytes) -> Any:
    try:
        return _without_surrogates(_DECODER.decode(text.decode("utf-8", "replace")))
    except RecursionError as error:
        raise NotJsonError("nested too deeply") from error
    except ValueError as error:
        raise NotJsonError(_reason(error)) from error


def _next_value(text: str, start: int) -> tuple[Any, int, str | None]:
    try:
        value, end = _DECODER.raw_decode(text, start)
        value = _without_surrogates(value)
        _refuse_deep_nesting(value)
    except (RecursionError, NotJsonError):
        return None, len(text), "nested too deeply"
    except ValueError as error:
        return None, len(text), _reason(error)
    while end < len(text) and text[end] in " \t\r\n\0":
        end += 1
    return value, end, None


def _without_surrogates(value: Any) -> Any:
    return orjson.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _refuse_deep_nesting(value: Any) -> None:
    # What orjson cannot write back, nothing after this room can store either.
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise NotJsonError("nested too deeply") from error


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON at character {error.pos + 1}"
    return "not valid JSON"
