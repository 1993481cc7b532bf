"""Global options, and what every verb is given."""

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent_core.errors import BadInputError
from pipelines.config import Config, load_config
from pipelines.home import Home
from pipelines.progress import end_progress

if TYPE_CHECKING:
    from pipelines.context import Context

# A title or name from a log must not steer the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
DEFAULT_HOME = "~/.signals"
DEMO_HOME = ".demo"


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the verb."""

    home: Home
    json_output: bool
    demo_home: Home
    """The demo's: `.demo`, unless the command line itself names a home."""
    umask: int
    """The user's own: for what is made outside of a home."""

    @staticmethod
    def of(home: str | None, *, json_output: bool, on_command_line: bool, umask: int) -> "Options":
        """Options for the home named, or the default one."""
        found = Home(Path(home or DEFAULT_HOME).expanduser().absolute())
        demo = found if on_command_line else Home(Path(DEMO_HOME).absolute())
        return Options(found, json_output, demo, umask)

    def config(self) -> Config:
        """The configuration of the home. Raises ConfigError."""
        return load_config(self.home.config)

    def context(self, verb: str) -> "Context":
        """The context of one verb, in a prepared home. Raises HomeError or ConfigError."""
        from pipelines.context import Context, new_run_id

        home = self.home.prepare()
        return Context(home, self.config(), new_run_id(datetime.now(UTC)), verb)

    def print(self, result: Any, text: Callable[[], str] | None = None) -> None:
        """Print `result` as JSON where asked for, else the text (default: a line a count)."""
        end_progress()
        if self.json_output:
            print(json.dumps(result, default=str, ensure_ascii=False))
        else:
            print(printable(text() if text else _counts(result)))

    def say(self, line: str) -> None:
        """A line for people before the result; beside it where that is for machines."""
        end_progress()
        print(line, file=sys.stderr if self.json_output else sys.stdout, flush=True)


def printable(text: str) -> str:
    """The text without what could steer a terminal."""
    return _CONTROL.sub("", text)


def options(context: typer.Context) -> Options:
    """The global options of an invocation."""
    found = context.obj
    assert isinstance(found, Options)
    return found


def print_report(given: Options, home: Home | None = None) -> None:
    """Print what the published snapshot of the home says."""
    from pipelines.report import read_report, report_as_dict, report_as_text

    report = read_report((home or given.home).snapshots)
    given.print(report_as_dict(report), lambda: report_as_text(report))


def ask_consent(what: str, endpoint: str, *, yes: bool) -> None:
    """Ask before anything is sent to a model. Raises BadInputError without a yes."""
    if yes:
        return
    question = f"Send {what}, secrets redacted, to {endpoint}?"
    end_progress()
    if not sys.stdin.isatty():
        raise BadInputError(f"{question} Nobody to ask here: agree with --yes")
    if not typer.confirm(question):
        raise BadInputError("nothing was sent")


def _counts(result: Mapping[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' '):<42} {value}" for name, value in result.items())
