"""A home with open tasks and a small foreign repository that scripts can patch."""

import subprocess
from dataclasses import asdict, replace
from pathlib import Path

from git import Repo

from agent_core.gates.scenario_worker import ScriptedPolicy
from agent_core.patching import PatchTask
from agent_core.policy import Policy
from pipelines.config import Config, load_config
from pipelines.context import Context
from pipelines.fleet_budget import BudgetedModel
from pipelines.home import Home
from pipelines.tasks import TaskRow, open_task
from tests.pipelines.conftest import NOW
from tests.pipelines.warehouse_rows import new_warehouse

_PERSON = ("-c", "user.name=Person", "-c", "user.email=person@example.org")
_CONFIG = """
[target]
repo = "{repo}"
patchable = ["CLAUDE.md"]
agent = "claude-code"
test_command = ["python3", "-c", "import time; time.sleep(0.2); assert 'Be' in open('CLAUDE.md').read()"]
"""  # noqa: E501
_RULE = {"path": "CLAUDE.md", "old_text": "- Be quick.", "new_text": "- Be exact.\n- Be quick."}
PATCH = [
    {"tool": "list_files", "arguments": {}, "only_after_error": False},
    {"tool": "edit_file", "arguments": _RULE, "only_after_error": False},
]


def make_world(folder: Path, tasks: int) -> Home:
    """`folder/target`, a repository, and `folder/home` with open tasks `task-1`, `task-2`, …"""
    repo = folder / "target"
    with Repo.init(repo, initial_branch="main") as made:
        (repo / "CLAUDE.md").write_text("# Rules\n- Be quick.\n")
        made.git.add(".")
    git(repo, *_PERSON, "commit", "-qm", "begin")
    home = Home(folder / "home").prepare()
    home.config.write_text(_CONFIG.format(repo=repo))
    connection = new_warehouse(home.warehouse)
    for number in range(1, tasks + 1):
        open_task(connection, _row(f"task-{number}"), "a breach")
    connection.close()
    return home


def git(repo: Path, *command: str) -> list[str]:
    """The lines that git answers with."""
    done = subprocess.run(["git", *command], cwd=repo, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def context_of(home: Home) -> Context:
    """A context that goes by the home's configuration."""
    return Context(home, load_config(home.config), "run-1", "tasks run")


def with_budget(context: Context, **agent: float) -> Context:
    """The same with these settings of `[agent]`."""
    config: Config = context.config
    agent_config = config.agent.model_copy(update=agent)
    return replace(context, config=config.model_copy(update={"agent": agent_config}))


def scripted(context: Context, model: BudgetedModel | None) -> Policy:
    """What stands in the place of a paid model: the same patch for every task."""
    return ScriptedPolicy(PATCH)


def _row(task_id: str) -> TaskRow:
    task = PatchTask(task_id, f"{task_id}: agents guess", "correction", evidence=("3 of 4 do",))
    return TaskRow(task_id, f"claude-code|{task_id}", "claude-code", "correction", None, None,
                   "open", task.title, asdict(task), NOW, NOW)  # fmt: skip
