"""What a person is told of a folder of logs: counts that add up, and a line for what is odd."""

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.context import Context
from pipelines.ingest_pass import IngestPasses
from pipelines.ingest_problems import Problem, problems_of
from pipelines.ingest_report import IngestReport
from pipelines.ingest_text import has_news, pass_as_line, report_as_text
from tests.pipelines.claude_log import answered, said, write_log

_WRITTEN = datetime(2026, 9, 2, tzinfo=UTC).timestamp()


@pytest.fixture
def passes(context: Context) -> IngestPasses:
    """Passes in an empty home, each call of whose clock is a second later."""

    def clock() -> Iterator[datetime]:
        now = datetime(2026, 10, 1, 12, tzinfo=UTC)
        while True:
            now += timedelta(seconds=1)
            yield now

    return IngestPasses(replace(context, clock=clock().__next__))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with one of each: sound, copied, broken, torn, damaged, odd, foreign."""
    logs = tmp_path / "logs"
    sound = [said("s1", "u1", 0, "Go."), answered("s1", "u2", 1, "Ok.")]
    write_log(logs / "sound.jsonl", *sound)
    write_log(logs / "copy.jsonl", *sound, said("s1", "u3", 2, "And on."))
    words = "secret words"
    write_log(logs / "broken.jsonl", said("s2", "w1", 0, words), f"{{ {words}", '"text"')
    torn = json.dumps(answered("s3", "x2", 1, words))[:80]
    write_log(logs / "torn.jsonl", said("s3", "x1", 0, words))
    with (logs / "torn.jsonl").open("a") as file:
        file.write(torn)
    late = {**said("s4", "y1", 0, words), "timestamp": "2027-01-01T00:00:00"}
    write_log(logs / "late.jsonl", late)
    whole = "".join(json.dumps(said("s5", f"z{i}", i, words)) + "\n" for i in range(9))
    (logs / "half.jsonl.gz").write_bytes(gzip.compress(whole.encode(), 0)[:600])
    (logs / "damaged.jsonl.gz").write_bytes(b"\x1f\x8bnothing of the kind")
    (logs / "loop").symlink_to(logs)
    (logs / "notes.json").write_text(json.dumps({"checkpoint_id": "c", "session_id": "s"}))
    (logs / "empty.jsonl").touch()
    for number in range(12):
        (logs / f"poem-{number:02d}.txt").write_text(words)
    for path in logs.iterdir():
        os.utime(path, (_WRITTEN, _WRITTEN), follow_symlinks=False)
    return logs


def _told(report: IngestReport, logs: Path, **options: Any) -> str:
    return report_as_text(report, **options).replace(str(logs), "LOGS")


_REPORT = """\
Coverage
       22 files found
           12 of no known format
            6 read
            2 unreadable
            1 empty
            1 metadata beside a log
        5 sessions in them
            1 selected
            4 left out: no step of the agent
       10 steps in them
            8 counted
            2 in another file too
       11 records decoded
        2 broken records set aside

By format             files  sessions     steps
  claude_code             6         5        10

New: 5 sessions, 8 steps

Could not be read (2)
  LOGS/damaged.jsonl.gz: damaged compression (BadGzipFile)
    -> copy the file anew from where it came from
  LOGS/loop: a link back to its own folder
    -> nothing is lost: what the link leads to is read where it is; remove the link

Broken records, set aside (2)
  LOGS/broken.jsonl:2: not valid JSON at character 3
  LOGS/broken.jsonl:3: not a JSON object
    -> the rest of the file is read; mend the record, and the next run takes it

Read, but unusual (5)
  LOGS/late.jsonl: 1 time later than the file itself
    -> check the clock of the machine that wrote it
  LOGS/half.jsonl.gz: the compressed stream ends early
    -> copy the file anew from where it came from
  LOGS/late.jsonl: times without a zone, taken for UTC
    -> nothing to do, unless the machine that wrote it was not on UTC
  LOGS/half.jsonl.gz: line 3 is cut off and waits for its rest
  LOGS/torn.jsonl: line 2 is cut off and waits for its rest
    -> nothing to do: the next run reads it when it is whole

Of no known format, not read (12)
  LOGS/poem-00.txt: not JSON
  LOGS/poem-01.txt: not JSON
  LOGS/poem-02.txt: not JSON
  LOGS/poem-03.txt: not JSON
  LOGS/poem-04.txt: not JSON
  LOGS/poem-05.txt: not JSON
  LOGS/poem-06.txt: not JSON
  LOGS/poem-07.txt: not JSON
  LOGS/poem-08.txt: not JSON
  LOGS/poem-09.txt: not JSON
  and 2 more: --list-all or --json names each
    -> keep it out of the folder, or name its format with --format"""


def test_the_whole_report(passes: IngestPasses, logs: Path) -> None:
    text = _told(passes.read([logs]), logs)
    assert text == _REPORT
    assert "secret" not in text


@pytest.mark.slow
def test_the_counts_add_up_now_and_when_nothing_is_new(passes: IngestPasses, logs: Path) -> None:
    first, again = passes.read([logs]), passes.read([logs])
    for report in (first, again):
        for counts in (report.files, report.sessions, report.steps):
            assert counts["found"] == sum(counts.values()) - counts["found"]
        assert sum(row.steps for row in report.formats) == report.steps["found"]
    assert dict(again.files) == {"found": 22, "unchanged": 20, "unreadable": 2}
    assert again.problems == first.problems
    assert again.new == {"sessions": 0, "steps": 0, "sessions_excluded": 0}


def test_of_many_files_ten_are_named_unless_all_are_wanted(
    passes: IngestPasses, logs: Path
) -> None:
    report = passes.read([logs])
    poems = [f"  LOGS/poem-{number:02d}.txt: not JSON" for number in range(12)]
    remedy = "    -> keep it out of the folder, or name its format with --format"
    shown = _told(report, logs).splitlines()[-13:]
    assert (
        shown
        == [
            "",
            "Of no known format, not read (12)",
            *poems[:10],
            "  and 2 more: --list-all or --json names each",
            remedy,
        ][-13:]
    )
    assert _told(report, logs, list_all=True).splitlines()[-13:] == [*poems, remedy]


@pytest.mark.slow
def test_a_pass_over_single_files_tells_of_these_alone(passes: IngestPasses, logs: Path) -> None:
    passes.read([logs])
    write_log(logs / "sound.jsonl", said("s1", "u1", 0, "Go."), "{ broken")
    report = passes.read([logs / "sound.jsonl", logs / "poem-00.txt"])
    assert report.files == {"found": 2, "unchanged": 1, "read": 1}
    at = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
    assert pass_as_line(report, at) == (
        "12:30:00  1 file; 0 new sessions, 0 new steps; 1 broken record (sound.jsonl:2); "
        "1 unknown (poem-00.txt)"
    )
    assert has_news(report)
    assert not has_news(passes.read([logs / "sound.jsonl"]))


def test_a_path_cannot_fake_a_line(passes: IngestPasses, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a\nNew: 7 sessions\x1b[2J").write_text("x")
    text = _told(passes.read([logs]), logs)
    assert "  LOGS/a\\nNew: 7 sessions\\x1b[2J: not JSON\n" in text


_GONE = "it went away while it was to be read; run again"


@pytest.mark.parametrize(
    ("status", "detail", "kind", "reason", "remedy"),
    [
        pytest.param(
            "unreadable", "Permission denied", "unreadable", "Permission denied",
            "give this user the right to read it; the next run tries again", id="closed",
        ),
        pytest.param(
            "unreadable", "larger than 1024 MB", "unreadable", "larger than 1024 MB",
            "cut the file into smaller ones", id="size",
        ),
        pytest.param(
            "unreadable", "KeyError at otlp.py:12", "unreadable", "KeyError at otlp.py:12",
            "a fault of Signals: report the line, it holds nothing of the log", id="fault",
        ),
        pytest.param(
            "unreadable", "No such file or directory", "unreadable", "No such file or directory",
            _GONE, id="gone",
        ),
        pytest.param(
            "read", "2 records have the id of another one and other content", "unusual",
            "2 records have the id of another one and other content",
            "nothing to do: each is kept, known by its place in the file", id="ids",
        ),
        pytest.param(
            "part", "part of the conversation that begins in a.json; 1 time before 2015",
            "unusual", "1 time before 2015",
            "check the clock of the machine that wrote it", id="clock",
        ),
    ],
)  # fmt: skip
def test_each_problem_has_its_remedy(
    status: str, detail: str, kind: Any, reason: str, remedy: str
) -> None:
    assert list(problems_of("a", status, detail)) == [Problem(kind, "a", None, reason, remedy)]


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ("read", ""),
        ("part", "part of the conversation that begins in base_state.json"),
        ("metadata", "stands beside a log; holds no session"),
        ("empty", ""),
        ("excluded", ""),
    ],
)
def test_what_is_as_it_should_be_is_no_problem(status: str, detail: str) -> None:
    assert list(problems_of("a", status, detail)) == []
