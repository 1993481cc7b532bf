"""`signals ingest --follow` in a process of its own, with real signals, logs and home."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

import pytest

from pipelines.home import Home
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals

_SECONDS = 60


class _Follower:
    """The command, and its lines as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: dict[str, Queue[str]] = {"out": Queue(), "err": Queue()}
        for name, stream in (("out", process.stdout), ("err", process.stderr)):
            assert stream is not None
            Thread(target=self._collect, args=(name, stream), daemon=True).start()

    def _collect(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            self._lines[name].put(line.rstrip())

    def line(self, stream: str = "out", seconds: float = _SECONDS) -> str:
        """The next line."""
        try:
            return self._lines[stream].get(timeout=seconds)
        except Empty:
            raise AssertionError(f"no line on {stream}; {self.process.poll()}") from None

    def report(self) -> dict[str, Any]:
        """The next pass, where they are JSON."""
        report = json.loads(self.line())
        assert isinstance(report, dict)
        return report

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; the exit code and the line that was said last."""
        self.process.send_signal(number)
        code = self.process.wait(_SECONDS)
        return code, self.line("err")


@contextmanager
def _following(home: Path, *arguments: str | Path) -> Iterator[_Follower]:
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "ingest", "--follow"]
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _Follower(process)
        finally:
            process.kill()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two records."""
    return write_log(
        tmp_path / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Go."),
        answered("s1", "u2", 1, "Ok."),
    )


def _append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


@pytest.mark.slow
def test_a_growing_log_is_read_as_it_grows_and_other_verbs_run_between(
    log: Path, tmp_path: Path
) -> None:
    third = json.dumps(said("s1", "u3", 2, "And now the rest."))
    with _following(tmp_path / "home", "--json", log.parent) as follower:
        first = follower.report()
        assert (first["files"], first["new"]["steps"]) == (
            {"found": 1, "unchanged": 0, "read": 1},
            2,
        )
        _append(log, third[:50])
        torn = follower.report()
        assert torn["new"]["steps"] == 0
        assert [(p["kind"], p["reason"]) for p in torn["problems"]] == [
            ("unusual", "line 3 is cut off and waits for its rest")
        ]
        _append(log, f"{third[50:]}\n")
        whole = follower.report()
        assert (whole["new"]["steps"], whole["problems"]) == (1, [])
        exported = signals("export", "sessions", home=tmp_path / "home")
        assert (exported.returncode, exported.stdout.count("\n")) == (0, 1)
        write_log(
            log.parent / "b.jsonl", said("s2", "w1", 0, "Hi."), answered("s2", "w2", 1, "Hm.")
        )
        second = follower.report()
        assert second["new"] == {"sessions": 1, "steps": 2, "sessions_excluded": 0}
        assert follower.end(signal.SIGTERM) == (0, "signals: stopped; what was done is kept")


@pytest.mark.slow
def test_each_pass_is_a_line_that_says_what_was_new(log: Path, tmp_path: Path) -> None:
    with _following(tmp_path / "home", log.parent) as follower:
        while not follower.line().startswith("New: 1 session, 2 steps"):
            pass
        (log.parent / "poem.txt").write_text("roses are red")
        _append(log, json.dumps(said("s1", "u3", 2, "And now the rest.")) + "\n{ broken\n")
        told = follower.line().split("  ", 1)[1]
        assert told == (
            "2 files; 0 new sessions, 1 new step; 1 broken record (a.jsonl:4); 1 unknown (poem.txt)"
        )
        code, line = follower.end(signal.SIGINT)
        assert (code, line) == (
            130,
            "signals: interrupted; what was done is kept, run again to go on",
        )


@pytest.mark.slow
def test_a_folder_that_is_not_there_yet_is_waited_for(log: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    with _following(tmp_path / "home", "--json", later) as follower:
        assert follower.line("err") == f"signals: {later}: not there yet; waiting for it"
        log.parent.rename(later)
        assert follower.line("err") == f"signals: {later}: there now"
        assert follower.report()["sessions"] == {"found": 1, "selected": 1}


@pytest.mark.slow
def test_a_home_that_is_in_use_for_long_is_said_and_tried_again(log: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    with _following(home.root, "--json", log.parent) as follower:
        with home.locked("this test"):
            started = time.monotonic()
            told = follower.line("err", 120)
            assert time.monotonic() - started > 55
        assert told.startswith(f"signals: {home.root}: in use by this test (process ")
        assert told.endswith("); wait for it to end, then try again; tried again in 30 s")
        assert follower.report()["new"]["steps"] == 2
