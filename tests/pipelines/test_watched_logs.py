"""Logs of every kind that are followed: their references, their ends, what cannot be read."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from agent_core.session import Step
from judges.live import LiveJudge
from pipelines.live_tail import (
    MAX_DOCUMENT_BYTES,
    MAX_TAIL_BYTES,
    TAIL_BYTES,
    Excerpt,
    Tail,
    TooLargeError,
)
from pipelines.watching import FollowedLog, Told, Watching, watch
from tests.pipelines.claude_log import answered, line, said, write_log
from tests.pipelines.sources.all_cases import ALL_CASES
from tests.pipelines.sources.format_table import Case, read_case

_NOW = datetime.now(UTC)
_SINCE = _NOW - timedelta(minutes=10)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{name}-{id_}") for name, id_, case in ALL_CASES]
)
def test_the_end_of_every_log_is_read(case: Case, tmp_path: Path) -> None:
    """As many steps as the whole file has, or said in words that it is not followed."""
    for reading in read_case(case, tmp_path):
        try:
            excerpt = Tail(reading.path).read()
        except TooLargeError:
            continue
        complete = reading.path.read_bytes().endswith(b"\n") or not reading.torn_line
        if complete:
            steps = [len(session.steps) for session in excerpt.sessions]
            assert steps == [len(session.steps) for session in reading.sessions]


def test_records_within_a_line_keep_its_place(tmp_path: Path) -> None:
    chats = [
        _chat("tell me of the sea", "It is deep."),
        _chat("and of the hills", "They are high."),
    ]
    path = write_log(tmp_path / "chats.jsonl", *chats)
    begins = len(path.read_bytes().splitlines(keepends=True)[0])
    refs = [step.source_ref for one in Tail(path).read().sessions for step in one.steps]
    assert refs == [
        "at:0#/messages/0",
        "at:0#/messages/1",
        f"at:{begins}#/messages/0",
        f"at:{begins}#/messages/1",
    ]


def _chat(wish: str, answer: str) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": wish},
            {"role": "assistant", "content": answer},
        ]
    }


def test_a_first_line_of_megabytes_is_no_document(tmp_path: Path) -> None:
    first = answered("s1", "first", 0, "x" * (2 << 20))
    more = [answered("s1", f"more-{n}", 1, "y" * 4_000) for n in range(MAX_DOCUMENT_BYTES // 4_000)]
    path = write_log(tmp_path / "s1.jsonl", first, *more)
    (session,) = Tail(path).read().sessions
    refs = [step.source_ref for step in session.steps]
    assert (refs[0], refs[-1]) == ("first", more[-1]["uuid"])
    assert len(refs) < 2 * TAIL_BYTES // 4_000


def test_a_first_line_beyond_all_measure_is_said(tmp_path: Path) -> None:
    path = write_log(tmp_path / "s1.jsonl", answered("s1", "first", 0, "x" * MAX_TAIL_BYTES))
    with pytest.raises(TooLargeError, match="first line"):
        Tail(path).read()


# Only what comes after all that is known is new


def _pair(number: int, *, failed: bool, size: int = 0) -> list[dict[str, Any]]:
    given = {"file_path": "a.py", "new_string": "x" * size}
    use = {"type": "tool_use", "id": f"t{number}", "name": "Edit", "input": given}
    call = {"id": f"m{number}", "role": "assistant", "model": "made-up", "content": [use]}
    text = "<tool_use_error>String to replace not found in file.</tool_use_error>"
    result = {
        "type": "tool_result",
        "tool_use_id": f"t{number}",
        "content": text if failed else "ok",
        "is_error": failed,
    }
    at = {"timestamp": _NOW.isoformat()}
    told = {"role": "user", "content": [result]}
    return [
        line("s1", f"call-{number}", 1, type="assistant", message=call) | at,
        line("s1", f"result-{number}", 1, type="user", message=told) | at,
    ]


def _append(path: Path, records: Sequence[dict[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write("".join(f"{json.dumps(record)}\n" for record in records))


def _kinds(log: FollowedLog) -> list[str]:
    return [told.alarm.kind for told in log.grown(0.0)]


def _old_work() -> list[dict[str, Any]]:
    """Turns with two failures each: none is a run of failures by itself."""
    return [
        record
        for number in range(50)
        for record in (
            said("s1", f"ask-{number}", 0, f"now part{number} of item{number}"),
            *_pair(2 * number, failed=True, size=7_000),
            *_pair(2 * number + 1, failed=True, size=7_000),
        )
    ]


def test_old_results_without_their_calls_are_not_new(tmp_path: Path) -> None:
    """As the end moves on, a call is cut off before its result, which then stands alone."""
    last = said("s1", "last", 2, "thanks, go on with the rest")
    path = write_log(tmp_path / "s1.jsonl", *_old_work(), last)
    assert path.stat().st_size > TAIL_BYTES + 150_000
    log = _followed(path)
    assert _kinds(log) == []
    later = []
    for number in range(100, 140):
        _append(path, _pair(number, failed=False, size=2_400))
        later += _kinds(log)
    assert later == []
    _append(path, [r for n in range(140, 143) for r in _pair(n, failed=True)])
    assert _kinds(log) == ["repeated_call"]


def test_results_that_alone_are_left_of_what_was_known_are_not_new(tmp_path: Path) -> None:
    (call, result), (other_call, other_result) = (_pair(n, failed=True) for n in range(2))
    call["message"]["content"] += other_call["message"]["content"]
    result["message"]["content"] += other_result["message"]["content"]
    path = write_log(tmp_path / "s1.jsonl", said("s1", "ask", 0, "look at it"), call, result)
    log = _followed(path)
    assert _kinds(log) == []
    word = answered("s1", "word", 2, "") | {"timestamp": _NOW.isoformat()}
    room = TAIL_BYTES - len(json.dumps(result)) - len(json.dumps(word)) - 100
    word["message"]["content"][0]["text"] = "x" * room
    _append(path, [word])
    assert _kinds(log) == []
    (session,) = Tail(path).read().sessions
    assert [step.source_ref for step in session.steps] == ["ask", "result-0", "word"]


def test_a_line_longer_than_the_end_makes_nothing_old_new(tmp_path: Path) -> None:
    """While it is half written, much more of what comes before it is read than at first."""
    last = said("s1", "last", 2, "thanks, go on with the rest")
    path = write_log(tmp_path / "s1.jsonl", *_old_work(), last)
    log = _followed(path)
    assert _kinds(log) == []
    whole = json.dumps(answered("s1", "long", 2, "x" * (TAIL_BYTES + 100_000)))
    for part in (whole[:-10], f"{whole[-10:]}\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write(part)
        assert _kinds(log) == []
    _append(path, [r for n in range(140, 143) for r in _pair(n, failed=True)])
    assert _kinds(log) == ["repeated_call"]


def _followed(path: Path) -> FollowedLog:
    return FollowedLog(path, b"salt", _SINCE)


# One log that cannot be read


def test_the_watch_goes_on_without_a_log_that_breaks_its_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, and left when it grows; the log beside it is followed as it grows."""
    broken = write_log(tmp_path / "a.jsonl", said("s0", "ask", 0, "a secret wish"))
    asked = said("s1", "ask", 0, "please look at the settings")
    served = write_log(tmp_path / "b.jsonl", asked, *_failing(0))
    read = Tail.read

    def read_or_break(tail: Tail) -> Excerpt:
        if tail.path == broken:
            raise KeyError("secret")
        return read(tail)

    monkeypatch.setattr(Tail, "read", read_or_break)
    lines, told, stop = list[str](), list[int](), Event()

    def say(one: Told) -> None:
        told.append(one.alarm.times)
        if len(told) == 2:
            stop.set()
        _append(broken, _failing(9))
        _append(served, _failing(3))

    watch(Watching([tmp_path], b"salt", _SINCE), say, lines.append, stop)
    (line_of,) = lines
    assert line_of.startswith(f"{broken}: cannot be followed (KeyError at test_watched_logs.py:")
    assert "secret" not in line_of
    assert told == [3, 6]


def test_a_log_that_fails_when_its_agent_rests_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = answered("s1", "word", 1, "I look.") | {"timestamp": _NOW.isoformat()}
    for name in "ab":
        write_log(tmp_path / f"{name}.jsonl", said("s1", "ask", 0, "look at it"), word)

    def fail(_judge: LiveJudge, _step: Step) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(LiveJudge, "rest", fail)
    lines, stop = list[str](), Event()

    def tell(line_: str) -> None:
        lines.append(line_)
        if len(lines) == 2:
            stop.set()

    watch(Watching([tmp_path], b"salt", _SINCE), lambda _: None, tell, stop)
    assert [line_.partition(" (")[0] for line_ in sorted(lines)] == [
        f"{tmp_path}/a.jsonl: cannot be followed",
        f"{tmp_path}/b.jsonl: cannot be followed",
    ]


def _failing(start: int) -> list[dict[str, Any]]:
    return [r for n in range(start, start + 3) for r in _pair(n, failed=True)]
