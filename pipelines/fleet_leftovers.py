"""What a killed run leaves behind: worktrees, copies, a branch that no row tells of."""

import shutil
from pathlib import Path

from git import Git, GitCommandError, Repo

from agent_core.errors import TargetError, TaskHeldError
from agent_core.patching import Target
from agent_core.worktree import (
    BRANCH_PREFIX,
    alone_in,
    check_branch,
    discard,
    open_repository,
    readable_git_errors,
)
from pipelines.context import Context
from pipelines.tasks import IN_WORK, list_tasks, reopen_task
from pipelines.warehouse import transaction


def clear_leftovers(context: Context, target: Target) -> list[str]:
    """Clear away what attempts left that no process holds; ids of the tasks they were at.

    Their tasks are open again. A branch goes back to the commit of the last recorded attempt, or
    away where there is none, unless a person has committed to it or has it checked out.
    """
    work = context.home.root / "work"
    folders = {path.name for path in work.iterdir() if path.is_dir()} if work.is_dir() else set()
    with context.warehouse() as connection:
        killed = {task.task_id for task in list_tasks(connection) if task.state in IN_WORK}
    repo = open_repository(target.repo)
    cleared = []
    for task_id in sorted(folders | killed):
        try:
            with context.home.working_on(task_id, f"signals {context.verb}"):
                _clear(context, repo, work / task_id)
        except TaskHeldError:
            continue  # at work right now
        cleared.append(task_id)
    repo.close()
    return cleared


def _clear(context: Context, repo: Repo, work: Path) -> None:
    """In an order that can be begun again: what is left to do is seen by the task's state."""
    with context.warehouse() as connection:
        states = {task.task_id: task.state for task in list_tasks(connection)}
        recorded = connection.execute(
            "SELECT commit_sha FROM patch_attempts WHERE task_id = ? AND commit_sha IS NOT NULL "
            "ORDER BY ended_at DESC",
            [work.name],
        ).fetchall()
    with alone_in(repo):
        discard(repo, work / "base")
    shutil.rmtree(work, ignore_errors=True)
    if states.get(work.name) in IN_WORK:
        _put_back(repo, BRANCH_PREFIX + work.name, [str(sha) for (sha,) in recorded])
        with context.warehouse() as connection, transaction(connection):
            reopen_task(connection, work.name, context.clock())


def _put_back(repo: Repo, branch: str, recorded: list[str]) -> None:
    """Have the branch say what the rows say."""
    with alone_in(repo), readable_git_errors(f"put back {branch}"):
        heads = {head.name: head.commit.hexsha for head in repo.heads}
        if branch not in heads or heads[branch] in recorded[:1]:
            return
        try:
            check_branch(repo, branch)
        except TargetError:
            return  # a person's by now
        reference = f"refs/heads/{branch}"
        change = [reference, recorded[0]] if recorded else ["-d", reference]
        try:
            _git(repo, "update-ref", *change)
        except GitCommandError:
            _git(repo, "update-ref", "-d", reference)  # the recorded commit is gone


def _git(repo: Repo, *command: str) -> None:
    # Hooks of the repository are code of others.
    Git(repo.working_dir).execute(["git", "-c", "core.hooksPath=/dev/null", *command])
