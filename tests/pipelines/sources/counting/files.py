"""Plain reading of log files: no detection, no streaming, no recovery beyond what decodes."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_DECODER = json.JSONDecoder()


def text_of(path: Path) -> str:
    """The whole text of a file, decompressed."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return data.decode("utf-8", "replace")


def records(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, also several on one line; the rest is left out."""
    return [
        value
        for line in text_of(path).split("\n")
        for value in _values(line)
        if isinstance(value, dict)
    ]


def document(path: Path) -> Any:
    """The value of a JSON document, None where the file is none."""
    try:
        return json.loads(text_of(path))
    except ValueError:
        return None


def logs(paths: Iterable[Path]) -> Iterator[Path]:
    """All files under the paths but the metadata that a capturing tool put beside them."""
    for path in sorted(paths):
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (
            file for file in found if file.is_file() and not file.name.endswith("entire-meta.json")
        )


def number(value: Any) -> int:
    """A count of tokens as it stands in a log, 0 where there is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _values(line: str) -> Iterator[Any]:
    rest = line.strip()
    while rest:
        try:
            value, end = _DECODER.raw_decode(rest)
        except ValueError:
            return
        yield value
        rest = rest[end:].strip()
