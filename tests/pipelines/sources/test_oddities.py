"""What is unusual about a file is said of every format alike, and never in its own words."""

import gzip
import json
import os
from collections.abc import Callable
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


@pytest.mark.parametrize(
    ("damage", "detail"),
    [
        pytest.param(
            (b"Go.", "Grüße".encode("latin-1")),
            "bytes that are not UTF-8, replaced: convert the file to have them",
            id="latin-1",
        ),
        pytest.param((b"Go.", b"Go\0\0."), "NUL bytes, taken out", id="nuls"),
        pytest.param((b"Go.", "Grüße".encode()), None, id="utf-8"),
    ],
)
def test_what_was_done_to_the_bytes_of_a_file_is_said(
    tmp_path: Path, damage: tuple[bytes, bytes], detail: str | None
) -> None:
    path = write_log(tmp_path / "a.jsonl", said("s1", "u1", 0, "Go."))
    path.write_bytes(path.read_bytes().replace(*damage))
    assert _detail(path) == detail


def test_an_id_that_could_be_words_is_no_place(tmp_path: Path) -> None:
    odd = _at("1970-01-02T00:00:00Z", "please do not repeat this")
    assert _detail(write_log(tmp_path / "a.jsonl", odd)) == "1 time before 2015"


def test_times_are_looked_at_below_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(_at("2026-09-01 08:00:00")).encode() + b"\n"))
    assert _detail(path) == "times without a zone, taken for UTC"


def _opencode(*messages: tuple[str, str]) -> str:
    told = [
        {"info": {"id": name, "role": "user"}, "parts": [{"type": "text", "text": text}]}
        for name, text in messages
    ]
    return json.dumps({"info": {"id": "s1", "directory": "/shop"}, "messages": told})


def _openhands(*messages: tuple[str, str]) -> str:
    about = {"timestamp": "2026-09-01T08:00:00Z", "source": "user", "action": "message"}
    return json.dumps([{"id": name, **about, "args": {"content": t}} for name, t in messages])


def _pi(*messages: tuple[str, str]) -> str:
    time = "2026-09-01T08:00:00Z"
    head = {"type": "session", "version": 3, "id": "p", "timestamp": time, "cwd": "/shop"}
    told = [
        {"type": "message", "id": name, "parentId": None, "timestamp": time,
         "message": {"role": "user", "content": text}}
        for name, text in messages
    ]  # fmt: skip
    return "".join(json.dumps(record) + "\n" for record in (head, *told))


def _claude_code(*messages: tuple[str, str]) -> str:
    return "".join(json.dumps(said("s1", name, 0, text)) + "\n" for name, text in messages)


@pytest.mark.parametrize(
    "write",
    [_claude_code, _opencode, _openhands, _pi],
    ids=["claude_code", "opencode", "openhands", "pi"],
)
def test_an_id_used_twice_is_said_where_the_records_differ(
    tmp_path: Path, write: Callable[..., str]
) -> None:
    path = tmp_path / "log"
    path.write_text(write(("m1", "Go."), ("m2", "On."), ("m2", "On.")))
    assert _detail(path) is None
    path.write_text(write(("m1", "Go."), ("m2", "On."), ("m2", "Back.")))
    assert _detail(path) == "1 record has the id of another one and other content"
