"""Where the command begins: a hook is answered before the command itself is loaded."""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

_HOME = "--home"


def main() -> None:
    """Run the command, or answer an agent's hook, and leave the process."""
    if is_hook(sys.argv[1:]):
        answer_hook(sys.argv[1:])
    else:
        from pipelines.cli.app import main as run_command

        run_command()


def is_hook(arguments: Sequence[str]) -> bool:
    """Whether it is `signals watch --hook`, with or without a home."""
    rest = list(arguments)
    if _HOME in rest[:-1]:
        position = rest.index(_HOME)
        del rest[position : position + 2]
    rest = [argument for argument in rest if not argument.startswith(f"{_HOME}=")]
    return rest == ["watch", "--hook"]


def answer_hook(arguments: Sequence[str]) -> None:
    """Answer the event on standard input; ends the process with 0, whatever happens."""
    os.umask(0o077)
    home = hook_home(arguments)
    try:
        from pipelines.live_hook import main as answer

        answer(home)
    except Exception as error:  # noqa: BLE001 - the agent must go on; the log says what it was
        from pipelines.live_failures import note_failure

        note_failure(home, error)
    os._exit(0)  # an agent waits for it: nothing is left to tidy up


def hook_home(arguments: Sequence[str]) -> Path:
    """The home that the arguments, else the environment name."""
    given = dict(pairwise(arguments)).get(_HOME)
    joined = [one.partition("=")[2] for one in arguments if one.startswith(f"{_HOME}=")]
    named = given or "".join(joined[:1]) or os.environ.get("SIGNALS_HOME") or "~/.signals"
    return Path(named).expanduser().absolute()
