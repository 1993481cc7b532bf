"""The entry point: global options, errors as one line, exit codes.

Exit codes: 0 done, 1 failed, 2 bad usage. Each module below registers its verbs on `app`; what is
heavy is imported inside the verbs, so that `--help` stays quick.
"""

import sys

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
    context.obj = Options.of(home, json_output=json_output, on_command_line=given)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        app(_globals_first(given))
    except BadInputError as error:
        _fail(error, 2)
    except SignalsError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)


def _globals_first(arguments: list[str]) -> list[str]:
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


def _fail(error: SignalsError, code: int) -> None:
    print(f"signals: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(code)
