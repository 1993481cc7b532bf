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
from pipelines.cli import agent, care, demo, later, loop_verbs, schema, tasks, views
from pipelines.cli.options import Options

app = typer.Typer(
    name="signals",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds friction and delight in agent session logs and lets the agent repair itself.",
)

for _module in (demo, loop_verbs, views, tasks, schema, agent, care, later):
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
        app(_globals_first(arguments))
    except BadInputError as error:
        return _failed(error, 2)
    except SignalsError as error:
        return _failed(error, 1)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except Exception:  # noqa: BLE001 - the outermost edge
        traceback.print_exc()  # a fault of ours: the whole of it, for a report
        return 1
    return 0


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


def _failed(error: SignalsError, code: int) -> int:
    print(f"signals: {' '.join(str(error).split())}", file=sys.stderr)
    return code
