"""Ids and times as the exporters of many languages write them."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pipelines.sources.fields import time_of

_HEX = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_ID_BYTES = (8, 16)
# Of a number of this size, how many nanoseconds one of it is: nano-, micro-, milliseconds.
_UNITS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
_TIME_LIMIT = 1 << 63


def identifier(text: str) -> str:
    """Hex in lower case, from hex or from the base64 that protobuf makes of bytes; "" for zeros."""
    lowered = text.lower().removeprefix("0x")
    if not _HEX.fullmatch(lowered):
        try:
            raw = base64.b64decode(text, validate=True) if text.endswith("=") else b""
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) not in _ID_BYTES:
            return text
        lowered = raw.hex()
    return lowered if lowered.strip("0") else ""


def nanoseconds(value: Mapping[str, Any], *keys: str) -> int:
    """Nanoseconds from a number or its text, from [seconds, nanoseconds], or from ISO text."""
    for key in keys:
        held = value.get(key)
        if isinstance(held, str) and not held.isdecimal():
            told = time_of(value, key)
            return int(told.timestamp() * 1_000_000) * 1000 if told else 0
        if isinstance(held, list) and len(held) == len("sn"):
            whole, rest = int(_number(held[0])), int(_number(held[1]))
            return whole * 10**9 + rest if whole < _UNITS[2][0] else 0
        if number := _number(held):
            return next(int(number * unit) for least, unit in _UNITS if number >= least)
    return 0


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) <= len(str(_TIME_LIMIT)) else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return value if 0 < value < _TIME_LIMIT else 0
