"""What is unusual about a file is said of every format alike, and never in its own words."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources import read_file
from tests.pipelines.claude_log import answered, said, write_log

_WRITTEN = datetime(2026, 9, 2, tzinfo=UTC).timestamp()


def _at(time: str, uuid: str = "u1", **fields: Any) -> dict[str, Any]:
    return {**said("s1", uuid, 0, "Go."), "timestamp": time, **fields}


def _detail(path: Path) -> str | None:
    os.utime(path, (_WRITTEN, _WRITTEN))
    return read_file(path).detail


@pytest.mark.parametrize(
    ("records", "detail"),
    [
        pytest.param([said("s1", "u1", 0, "Go."), answered("s1", "u2", 1, "Ok.")], None, id="none"),
        pytest.param(
            [said("s1", "u1", 0, "Go."), _at("2026-09-04T00:00:00Z", "")],
            "1 time later than the file itself, first at line:2",
            id="from the future",
        ),
        pytest.param(
            [_at("2026-09-02T23:00:00Z"), _at("2026-09-01T00:00:00Z", "u2")],
            None,
            id="a zone away",
        ),
        pytest.param(
            [_at("1970-01-02T00:00:00Z", "u1"), _at("1999-12-31T00:00:00Z", "u2")],
            "2 times before 2015",
            id="a clock that was never set",
        ),
        pytest.param(
            [_at("2026-09-01T08:00:00.123"), answered("s1", "u2", 1, "Ok.")],
            "times without a zone, taken for UTC",
            id="no zone",
        ),
        pytest.param(
            [said("s1", "u1", 0, 'At "2026-09-01T08:00:00" it failed.')],
            None,
            id="a time in the person's words",
        ),
    ],
)
def test_the_clock_of_a_file(
    tmp_path: Path, records: list[dict[str, Any]], detail: str | None
) -> None:
    assert _detail(write_log(tmp_path / "a.jsonl", *records)) == detail


def test_an_id_that_could_be_words_is_no_place(tmp_path: Path) -> None:
    odd = _at("1970-01-02T00:00:00Z", "please do not repeat this")
    assert _detail(write_log(tmp_path / "a.jsonl", odd)) == "1 time before 2015"


def test_times_are_looked_at_below_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(_at("2026-09-01 08:00:00")).encode() + b"\n"))
    assert _detail(path) == "times without a zone, taken for UTC"
