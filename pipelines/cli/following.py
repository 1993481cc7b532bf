"""`signals ingest --follow`: passes until somebody says stop."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from types import FrameType

from pipelines.cli.options import Options
from pipelines.context import Context
from pipelines.follow import follow
from pipelines.ingest_pass import IngestPasses
from pipelines.ingest_report import IngestReport
from pipelines.ingest_text import has_news, pass_as_line, report_as_text
from pipelines.progress import end_progress


def follow_paths(
    given: Options, context: Context, paths: Sequence[Path], passes: IngestPasses
) -> None:
    """Read `paths` and what comes below them, and print a line a pass, until a signal ends it."""
    shown = _Passes(given, passes)
    stop = Event()
    try:
        with _set_by_sigterm(stop):
            follow(paths, shown.read, _tell, stop, ignored=[context.home.root])
    except BaseException:  # whichever way the signal came out of the library at work
        if not stop.is_set():
            raise
    _tell("stopped; what was done is kept")


class _Passes:
    """Prints the first pass whole and each of the others on a line."""

    def __init__(self, given: Options, passes: IngestPasses) -> None:
        self._given, self._passes = given, passes
        self._is_first = True

    def read(self, paths: Sequence[Path]) -> None:
        report = self._passes.read(paths)
        if not (self._is_first or has_news(report)):
            return
        at = datetime.now().astimezone()
        self._given.print({"at": at, **report.as_dict()}, lambda: self._text(report, at))
        sys.stdout.flush()
        self._is_first = False

    def _text(self, report: IngestReport, at: datetime) -> str:
        return report_as_text(report) if self._is_first else pass_as_line(report, at)


def _tell(line: str) -> None:
    end_progress()
    print(f"signals: {line}", file=sys.stderr, flush=True)


@contextmanager
def _set_by_sigterm(stop: Event) -> Iterator[None]:
    """Let SIGTERM set `stop` and interrupt as Ctrl-C does."""

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
