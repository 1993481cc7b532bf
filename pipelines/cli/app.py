"""The entry point: global options, errors as one line, exit codes.

Exit codes: 0 done, 1 failed, 2 bad usage. Each module below registers its verbs on `app`; what is
heavy is imported inside the verbs, so that `--help` stays quick.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from agent_core.errors import BadInputError, SignalsError
from pipelines.cli import (
    agent,
    breaches,
    calibration,
    care,
    demo,
    later,
    loop_verbs,
    schema,
    tasks,
    views,
    watch,
)
from pipelines.cli.options import Options
from pipelines.progress import end_progress

_INTERRUPTED = "interrupted; what was done is kept, run again to go on"

app = typer.Typer(
    name="signals",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds friction and delight in agent session logs and lets the agent repair itself.",
)

for _module in (
    demo,
    loop_verbs,
    breaches,
    views,
    tasks,
    schema,
    calibration,
    agent,
    care,
    watch,
    later,
):
    _module.register(app)


@app.callback()
def _global_options(
    context: typer.Context,
    home: str = typer.Option(
        None,
        "--home",
        envvar="SIGNALS_HOME",
        help="Where Signals keeps its data.",
        show_default="~/.signals",
    ),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    source = context.get_parameter_source("home")
    given = source is not None and source.name == "COMMANDLINE"
    # Whatever is made from here on, by whichever library, is its owner's alone.
    umask = os.umask(0o077)
    context.obj = Options.of(home, json_output=json_output, on_command_line=given, umask=umask)


def main() -> None:
    """Run the command and leave the process with its exit code."""
    # Inside a git hook these would lead our calls to the hook's repository and index.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        os.environ.pop(name, None)
    # Without git GitPython fails on import; asked to be quiet it fails where git is needed.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.flush()
    # Not sys.exit: torn down in one interpreter, Dagster and torch keep DuckDB's extension module
    # alive, which then prints a page about leaks. All files and connections are closed by now.
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; an error for a person is one line on stderr."""
    try:
        if "" in arguments:
            raise BadInputError("an argument is empty: check the quotes and variables")
        app(_globals_first(arguments))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        # Typer turns an interrupt into this exit code, without a word.
        return _failed(_INTERRUPTED, code) if code == 130 else code
    except KeyboardInterrupt:
        return _failed(_INTERRUPTED, 130)
    except Exception as error:  # noqa: BLE001 - the outermost edge
        return _ended_by(error)
    return 0


def _ended_by(error: Exception) -> int:
    if _is_interrupt(error):
        return _failed(_INTERRUPTED, 130)
    match error:
        case BadInputError():
            return _failed(str(error), 2)
        case SignalsError():
            return _failed(str(error), 1)
        case BrokenPipeError():
            return 1
        case OSError():
            return _failed(f"{error.filename or 'the system'}: {error.strerror or error}", 1)
    if type(error).__module__.endswith("duckdb"):
        first = str(error).strip().partition("\n")[0]
        return _failed(
            f"the warehouse cannot be used ({first}); signals doctor looks at it; moved away, "
            "sessions are read anew from the logs",
            1,
        )
    traceback.print_exception(error)  # a fault of ours: the whole of it, for a report
    return 1


def _is_interrupt(error: Exception) -> bool:
    """Whether it is DuckDB's word for Ctrl-C during a query: either of two errors."""
    return type(error).__name__ == "InterruptException" or (
        isinstance(error, RuntimeError) and str(error) == "Query interrupted"
    )


def _globals_first(arguments: Sequence[str]) -> list[str]:
    """Let `--home DIR` and `--json` stand behind the verb as well."""
    hoisted, rest = [], []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--home":
            hoisted += [argument, *([value] if (value := next(remaining, None)) else [])]
        elif argument == "--json" or argument.startswith("--home="):
            hoisted.append(argument)
        else:
            rest.append(argument)
            if argument == "--":
                rest += remaining
    return hoisted + rest


def _failed(text: str, code: int) -> int:
    end_progress()
    print(f"signals: {' '.join(text.split())}", file=sys.stderr)
    return code
