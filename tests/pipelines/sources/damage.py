"""Damage to log files as disks, crashes and strangers do it, drawn from a seed."""

import json
import random
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    2**70,
    "",
    " ",
    "\ud800",
    "0000-99-99T99:99:99Z",
    "9" * 400,
    [],
    {},
    [[]],
    [None, 7, {"type": "text"}],
    {"type": {"type": "type"}},
    {"text": ["a"], "content": 5, "id": [], "role": {}},
)
_GARBAGE = (b"\0\0\0", b"\xff\xfe\xc3", b'{"a":', b"]]}}", b'"', b"\\u12", b"\r", b"NaN")


class Damaged(NamedTuple):
    """A file with damage, and how many of its records were hit."""

    content: bytes
    records: int


def damage_lines(content: bytes, draw: random.Random, share: float) -> Damaged:
    """A line-based file of whose lines about a `share` is damaged, each in a way of its own."""
    lines = content.split(b"\n")
    hit = [i for i, line in enumerate(lines) if line.strip() and draw.random() < share]
    for index in hit:
        lines[index] = _damage_line(lines[index], lines, draw)
    return Damaged(b"\n".join(lines), len(hit))


def damage_document(content: bytes, draw: random.Random, times: int) -> Damaged:
    """A one-document file with odd values in `times` places, or now and then damaged bytes."""
    if draw.random() < 0.1:
        return Damaged(_damage_bytes(content, draw), 1)
    document = json.loads(content)
    for _ in range(times):
        document = _with_odd_value(document, draw)
    return Damaged(_encode(document), times)


def _damage_line(line: bytes, lines: list[bytes], draw: random.Random) -> bytes:
    kind = draw.randrange(6)
    if kind == 0:
        return _damage_bytes(line, draw)
    if kind == 1:
        return line + draw.choice(lines)
    if kind == 2:
        return line + b"\n" + line
    try:
        value = json.loads(line)
    except ValueError:  # damaged as it came
        return _damage_bytes(line, draw)
    for _ in range(draw.randrange(1, 4)):
        value = _with_odd_value(value, draw)
    return _encode(value)


def _damage_bytes(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data) + 1)
    if draw.random() < 0.4:
        return data[:place]
    if draw.random() < 0.5:
        return data[:place] + draw.choice(_GARBAGE) + data[place:]
    return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]


def _with_odd_value(value: Any, draw: random.Random) -> Any:
    """The value with one place in it replaced, taken away, renamed or nested deeply."""
    places = list(_places(value))
    if not places:
        return deepcopy(draw.choice(_ODD_VALUES))
    holder, key = draw.choice(places)
    kind = draw.randrange(10)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[f"{key}2"] = holder.pop(key)
    elif kind == 2:
        holder[key] = json.loads("[" * 300 + "]" * 300)
    elif kind == 3:
        holder[key] = [holder[key], holder[key]]
    else:
        holder[key] = deepcopy(draw.choice(_ODD_VALUES))
    return value


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    if depth > 60:
        return
    keys: Iterable[Any] = value if isinstance(value, dict) else ()
    keys = range(len(value)) if isinstance(value, list) else keys
    for key, inner in [(key, value[key]) for key in keys]:
        yield value, key
        yield from _places(inner, depth + 1)


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")
