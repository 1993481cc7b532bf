"""The verb `watch`: running sessions, and what goes wrong in them, as it does."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.entry import answer_hook
from pipelines.cli.options import Options, options

if TYPE_CHECKING:
    from pipelines.watching import Told

DEFAULT_MINUTES = 10.0


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command()(watch)


def watch(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Logs or folders; none: the known log folders.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help="Also tell what happened in the last so many minutes.")
    ] = DEFAULT_MINUTES,
    hook: Annotated[
        bool, typer.Option("--hook", help="Answer one event of an agent's hook on stdin.")
    ] = False,
) -> None:
    """Follow running sessions and say when friction is building in one.

    The warehouse is not opened, and no word of a session is printed. Ctrl-C ends it.
    """
    given = options(context)
    if hook:
        answer_hook(["--home", str(given.home.root)])
    from pipelines.known_folders import log_folders
    from pipelines.watching import Watching, watch

    home, config = given.home.prepare(), given.config()
    watching = Watching(
        paths or log_folders(config.sources, home.sessions),
        home.salt(),
        datetime.now(UTC) - timedelta(minutes=minutes),
        config.sources.exclude,
        ignored=[home.root],
    )
    stop = Event()
    with _ended_by_signals(stop):
        _tell(f"watching {', '.join(str(path) for path in watching.paths)}")
        watch(watching, lambda told: _say(given, told), _tell, stop)


def _say(given: Options, told: "Told") -> None:
    given.print(_row(told), lambda: _line(told))
    sys.stdout.flush()


def _row(told: "Told") -> dict[str, Any]:
    session, alarm = told.session, told.alarm
    return {
        "at": alarm.at.isoformat() if alarm.at else None,
        "path": session.source_path,
        "format": session.format,
        "session_id": session.session_id,
        "source_ref": alarm.source_ref,
        "turn": alarm.turn,
        "kind": alarm.kind,
        "times": alarm.times,
        "says": alarm.says,
        "advice": alarm.advice,
    }


def _line(told: "Told") -> str:
    alarm, path = told.alarm, Path(told.session.source_path)
    at = f"{alarm.at.astimezone():%H:%M:%S}" if alarm.at else "--:--:--"
    return f"{at}  {path.parent.name}/{path.name}  {alarm.kind}: {alarm.says}\n  {alarm.advice}"


def _tell(line: str) -> None:
    print(f"signals: {line}", file=sys.stderr, flush=True)


@contextmanager
def _ended_by_signals(stop: Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end it between two looks."""

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
