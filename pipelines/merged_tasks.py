"""Which proposals were merged or closed by a person: told, seen by git, or said by the forge."""

from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import polars as pl

from agent_core.errors import ConfigError, ForgeError
from agent_core.forge import ForgeStatus, make_forge
from agent_core.patching import Target
from pipelines.context import Context
from pipelines.merges import Merge, Proposal, changed_paths, find_merge
from pipelines.tasks import get_task, move_task
from pipelines.warehouse import query, replace_rows, transaction

_WAITING = """
SELECT task_id, state, attempt_id, base_commit, branch, commit_sha, diff
FROM patch_tasks JOIN patch_attempts USING (task_id)
WHERE state IN ('proposed', 'merged', 'watching') AND status = 'proposed'
QUALIFY row_number() OVER (PARTITION BY task_id ORDER BY ended_at DESC, attempt_id) = 1
ORDER BY task_id
"""


class ProposedTask(NamedTuple):
    """A task with the proposal that waits, or that a person said was merged."""

    task_id: str
    state: str
    attempt_id: str
    proposal: Proposal


def notice_merges(context: Context, target: Target) -> dict[str, int]:
    """Move the tasks whose proposals were merged to `watching`, closed ones to `rejected`.

    Returns counts. Git and forge are asked while the warehouse is closed; a forge that cannot be
    asked is counted and asked again in the next run.
    """
    counts: Counter[str] = Counter(merges_noticed=0, rejected=0, forge_unreachable=0)
    for task in proposed_tasks(context):
        merge = find_merge(target.repo, task.proposal, told=task.state != "proposed")
        status = ForgeStatus("none")
        if merge is None and task.state == "proposed" and target.forge.name != "local":
            try:
                status = _ask_forge(context, target, task.proposal.branch)
            except (ForgeError, ConfigError):
                counts["forge_unreachable"] += 1
                continue
        counts[_record(context, task, merge, status)] += 1
    del counts["nothing"]
    return dict(counts)


def proposed_tasks(context: Context) -> list[ProposedTask]:
    """Tasks that wait for a merge or are watched, whose merge git has not seen yet."""
    with context.warehouse() as connection:
        rows = query(connection, f"FROM ({_WAITING}) ANTI JOIN task_merges USING (attempt_id)")
    return [
        ProposedTask(row["task_id"], row["state"], row["attempt_id"], proposal_of(row))
        for row in rows.iter_rows(named=True)
    ]


def proposal_of(attempt: dict[str, Any]) -> Proposal:
    """The proposal of a row of `patch_attempts`."""
    commit, base, branch = (attempt[name] for name in ("commit_sha", "base_commit", "branch"))
    return Proposal(commit, base, branch, changed_paths(attempt["diff"]))


def _ask_forge(context: Context, target: Target, branch: str) -> ForgeStatus:
    return make_forge(target.forge, context.home.root, target.repo).status(branch)


def _record(context: Context, task: ProposedTask, merge: Merge | None, status: ForgeStatus) -> str:
    """Write what was found, if the task is still as it was; the name of what happened."""
    now = context.clock()
    with context.warehouse() as connection, transaction(connection):
        state = get_task(connection, task.task_id).state
        if state != task.state:
            return "nothing"
        if status.state == "closed":
            reason = f"closed on the forge: {status.reason or 'no reason given'}"
            move_task(connection, task.task_id, "rejected", reason, now)
            return "rejected"
        if merge is not None:
            _write(connection, task, merge, now)
        if state == "proposed" and (merge is not None or status.state == "merged"):
            move_task(connection, task.task_id, "merged", _how(merge), now)
            state = "merged"
        if state == "merged":
            move_task(connection, task.task_id, "watching", "its effect is measured", now)
    return "nothing" if merge is None and status.state != "merged" else "merges_noticed"


_FOUND_BY = {
    "commit": "its commit is in the target's branch",
    "change": "a commit of the target's branch makes the same change",
    "files": "a commit of the target's branch changes the same files",
}


def _how(merge: Merge | None) -> str:
    if merge is None:
        return "merged on the forge"
    return f"{_FOUND_BY[merge.found_by]}: {merge.commit[:12]}"


def _write(
    connection: duckdb.DuckDBPyConnection, task: ProposedTask, merge: Merge, now: datetime
) -> None:
    row = {
        "task_id": task.task_id,
        "attempt_id": task.attempt_id,
        "commit_sha": merge.commit,
        "merged_at": merge.merged_at,
        "found_by": merge.found_by,
        "noticed_at": now,
    }
    replace_rows(connection, "task_merges", pl.DataFrame([row]))
