"""Thousands of damaged records of every format: nothing fails, and what is lost is told."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.context import Context
from pipelines.sources import FORMATS, FileReading, read_file
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from tests.pipelines.sources.all_cases import cases_by_format
from tests.pipelines.sources.damage import Damaged, damage_document, damage_lines

_RECORDS = 24_000
"""Damaged in all, over all formats."""
_SHARE, _PLACES = 0.4, 3


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_damage_loses_nothing_without_a_word(name: str, context: Context, tmp_path: Path) -> None:
    wanted = _RECORDS // len(FORMATS) + 1
    hit = 0
    faults: dict[str | None, bytes] = {}
    for number, (file, damaged) in enumerate(_damaged_files(name)):
        path = tmp_path / "logs" / str(number) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damaged.content)
        reading = read_file(path)
        if reading.status == "unreadable" or _unaccounted(reading, damaged.content):
            faults.setdefault(reading.detail, damaged.content)
        hit += damaged.records
        if hit >= wanted:
            break
    assert faults == {}
    counts = ingest(context, [tmp_path / "logs"])
    assert "files_unreadable" not in counts
    assert sum(n for key, n in counts.items() if key.startswith("files_")) == counts["files"]
    assert summarise_sessions(context)["seen"] >= 1


def _damaged_files(name: str) -> Iterator[tuple[str, Damaged]]:
    """Files of the format's cases, each damaged anew, without end."""
    draw = random.Random(name)
    files = [
        (path, content)
        for case in cases_by_format()[name].values()
        for path, content in case.files.items()
        if content.lstrip()[:1] in (b"{", b"[")
    ]
    while True:
        path, content = draw.choice(files)
        if _is_document(content):
            yield path, damage_document(content, draw, _PLACES)
        else:
            yield path, damage_lines(content, draw, _SHARE)


def _is_document(content: bytes) -> bool:
    try:
        json.loads(content.decode("utf-8", "replace").strip("\0 \t\r\n"))
    except (ValueError, RecursionError):
        return False
    return True


def _unaccounted(reading: FileReading, content: bytes) -> list[int]:
    """Lines of a line-based file that are no JSON and of which the reading says nothing."""
    if reading.status != "read" or _is_document(content):
        return []
    told = Counter(broken.place.partition(".")[0] for broken in reading.quarantined)
    told[f"line:{reading.torn_line}"] += 1
    lines = enumerate(content.split(b"\n"), 1)
    return [number for number, line in lines if _is_broken(line) and not told[f"line:{number}"]]


def _is_broken(line: bytes) -> bool:
    text = line.replace(b"\0", b"").strip()
    try:
        json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return bool(text)
    return False
