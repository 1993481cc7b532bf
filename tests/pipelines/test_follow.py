"""What is watched and when it is read, over real files; the reading itself is a list here."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from agent_core.errors import LockHeldError
from pipelines.follow import Pace, follow

_PACE = Pace(tick=0.1, rest=0.3, share=1.0, retry=0.5, check=60)


@dataclass
class _Log:
    """What was read and told, in order."""

    root: Path
    passes: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    held: int = 0
    """So many passes still meet a home in use."""

    def read(self, paths: Sequence[Path]) -> None:
        if self.held:
            self.held -= 1
            raise LockHeldError("in use by somebody")
        self.passes.append([str(path.relative_to(self.root)) for path in paths])

    def tell(self, line: str) -> None:
        self.lines.append(line.replace(f"{self.root}/", ""))

    def wait_for(self, seen: Callable[["_Log"], bool]) -> None:
        until = time.monotonic() + 20
        while not seen(self):
            assert time.monotonic() < until, (self.passes, self.lines)
            time.sleep(0.02)


@contextmanager
def _following(
    log: _Log, *names: str, pace: Pace = _PACE, ignored: Sequence[Path] = ()
) -> Iterator[None]:
    stop = threading.Event()
    paths = [log.root / name for name in names]
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(follow, paths, log.read, log.tell, stop, ignored=ignored, pace=pace)
        try:
            yield
        finally:
            stop.set()
        ended.result(timeout=20)


@pytest.fixture
def log(tmp_path: Path) -> _Log:
    """Nothing read yet; the folder `logs` holds one file."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a").write_text("1")
    return _Log(tmp_path)


def test_first_everything_then_only_what_came_or_grew(log: _Log) -> None:
    with _following(log, "logs"):
        log.wait_for(lambda log: log.passes == [["logs"]])
        (log.root / "logs" / "b").write_text("1")
        log.wait_for(lambda log: log.passes[1:] == [["logs/b"]])
        with (log.root / "logs" / "a").open("a") as file:
            file.write("2")
        log.wait_for(lambda log: log.passes[2:] == [["logs/a"]])
        (log.root / "logs" / "new").mkdir()
        (log.root / "logs" / "new" / "c").write_text("1")
        log.wait_for(lambda log: log.passes[3:] == [["logs/new/c"]])
        (log.root / "logs" / "b").unlink()
        time.sleep(1)
    assert len(log.passes) == 4
    assert log.lines == []


@pytest.mark.slow
def test_a_busy_writer_does_not_cause_a_pass_a_line(log: _Log) -> None:
    with _following(log, "logs"):
        log.wait_for(lambda log: len(log.passes) == 1)
        for _ in range(100):
            with (log.root / "logs" / "a").open("a") as file:
                file.write("line")
            time.sleep(0.02)
        written = time.monotonic()
        time.sleep(1)
    assert 2 <= len(log.passes) <= 9
    assert time.monotonic() - written < 20


def test_a_home_in_use_is_said_and_tried_again(log: _Log) -> None:
    log.held = 2
    with _following(log, "logs"):
        log.wait_for(lambda log: len(log.lines) == 2)
        (log.root / "logs" / "b").write_text("1")
        log.wait_for(lambda log: bool(log.passes))
    assert log.lines == ["in use by somebody; tried again in 0 s"] * 2
    assert {name for names in log.passes for name in names} >= {"logs"}


def test_a_path_that_comes_and_goes_is_said(log: _Log) -> None:
    folder = log.root / "later"
    with _following(log, "later"):
        log.wait_for(lambda log: bool(log.lines))
        folder.mkdir()
        (folder / "a").write_text("1")
        log.wait_for(lambda log: log.passes == [["later/a"]])
        folder.rename(log.root / "away")
        log.wait_for(lambda log: len(log.lines) == 3)
        folder.write_text("a file")
        log.wait_for(lambda log: log.passes[1:] == [["later"]])
    assert log.lines == [
        "later: not there yet; waiting for it",
        "later: there now",
        "later: gone; waiting for it, what was read of it stays",
        "later: there now, as a file",
    ]


def test_what_changes_during_the_first_pass_is_read_in_the_next(log: _Log) -> None:
    def read(paths: Sequence[Path]) -> None:
        if not log.passes:
            (log.root / "logs" / "b").write_text("1")
        _Log.read(log, paths)

    log.read = read  # type: ignore[method-assign]
    with _following(log, "logs"):
        log.wait_for(lambda log: log.passes == [["logs"], ["logs/b"]])


def test_what_comes_while_it_is_said_to_be_missing_is_read(log: _Log) -> None:
    def tell(line: str) -> None:
        if not log.lines:
            (log.root / "logs").rename(log.root / "later")
        _Log.tell(log, line)

    log.tell = tell  # type: ignore[method-assign]
    with _following(log, "later"):
        log.wait_for(lambda log: log.passes == [["later/a"]])


def test_a_folder_put_in_the_place_of_another_is_read(log: _Log) -> None:
    (log.root / "next").mkdir()
    (log.root / "next" / "b").write_text("1")
    with _following(log, "logs"):
        log.wait_for(lambda log: len(log.passes) == 1)
        (log.root / "logs").rename(log.root / "before")
        (log.root / "next").rename(log.root / "logs")
        log.wait_for(lambda log: log.passes[1:] == [["logs/b"]])
        (log.root / "logs" / "c").write_text("1")
        log.wait_for(lambda log: log.passes[2:] == [["logs/c"]])


def test_what_events_did_not_tell_is_found_by_looking(log: _Log) -> None:
    """A link's target lies outside of what the library watches."""
    target = log.root / "elsewhere"
    target.write_text("1")
    (log.root / "logs" / "link").symlink_to(target)
    with _following(log, "logs", pace=Pace(0.1, 0.1, 1.0, 0.5, check=0.5)):
        log.wait_for(lambda log: len(log.passes) == 1)
        target.write_text("12")
        log.wait_for(lambda log: log.passes[1:] == [["logs/link"]])


def test_a_file_under_two_paths_is_read_as_one(log: _Log) -> None:
    with _following(log, "logs"):
        log.wait_for(lambda log: len(log.passes) == 1)
        (log.root / "logs" / "b").hardlink_to(log.root / "logs" / "a")
        (log.root / "logs" / "c").write_text("1")
        log.wait_for(lambda log: log.passes[1:] == [["logs/c"]])


def test_the_home_is_not_followed_but_for_what_was_asked_for(log: _Log) -> None:
    home = log.root / "logs" / "home"
    (home / "sessions").mkdir(parents=True)
    with _following(log, "logs", "logs/home/sessions", ignored=[home]):
        log.wait_for(lambda log: len(log.passes) == 1)
        (home / "signals.duckdb").write_text("1")
        (home / "sessions" / "s").write_text("1")
        log.wait_for(lambda log: log.passes[1:] == [["logs/home/sessions/s"]])


@pytest.mark.parametrize("error", [OSError("no space left"), RuntimeError("internal")], ids=repr)
def test_without_notifications_it_looks_now_and_then(
    log: _Log, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The kernel's limits cannot be met without meeting them for everything on the machine."""

    def limited(*paths: Path, **options: Any) -> Iterator[set[watchfiles.main.FileChange]]:
        if not options["force_polling"]:
            raise error
        return watchfiles.watch(*paths, **options)

    monkeypatch.setattr("pipelines.follow.watch", limited)
    with _following(log, "logs"):
        log.wait_for(lambda log: len(log.passes) == 1)
        log.wait_for(lambda log: bool(log.lines))
        time.sleep(0.6)
        (log.root / "logs" / "b").write_text("1")
        log.wait_for(lambda log: log.passes[1:] == [["logs/b"]])
    assert log.lines == [f"changes cannot be watched ({error}); looking now and then instead"]
