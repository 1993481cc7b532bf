"""The verb `agent`: the bundled core at work on a task of yours."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent_core.errors import BadInputError
from pipelines.cli.options import ask_consent, options, printable
from pipelines.progress import end_progress


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command()(agent)


def agent(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="What to do, in words.")],
    repo: Annotated[Path, typer.Option(help="The folder to work in.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Agree to send text to the model.")] = False,
) -> None:
    """Work on a task with the configured model; the session is logged in the home.

    Where the task is not clear the agent asks: at a terminal you answer there.
    """
    from agent_core.model import shown_url
    from pipelines.agent_task import work_on

    given = options(context)
    if not repo.is_dir():
        raise BadInputError(f"--repo {repo}: not a folder")
    prepared = given.context("agent")
    config = prepared.config.judge
    endpoint = shown_url(config.base_url)
    ask_consent(f"the task and files of {repo}", endpoint, yes=yes or config.consent)
    os.umask(given.umask)  # the agent makes files in a repository of the user's
    can_answer = sys.stdin.isatty() and not given.json_output
    result = work_on(prepared, task, repo.resolve(), _answer if can_answer else None)
    given.print(
        {"status": result.status, "session_id": result.session_id, "text": result.text},
        lambda: (
            f"{result.text}\n\n{result.status}; session {result.session_id} is logged in "
            f"{prepared.home.sessions}"
        ),
    )
    if result.status != "done":
        raise typer.Exit(1)


def _answer(question: str) -> str:
    """What the person at the terminal says; an empty line ends the work."""
    end_progress()
    said: str = typer.prompt(
        f"{printable(question)}\n\nYour answer (empty: stop)", default="", show_default=False
    )
    return said.strip()
