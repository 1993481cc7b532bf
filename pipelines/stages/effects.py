"""Stage `effects`: what became of merged patches, measured at every run until it is told."""

from collections import Counter
from datetime import datetime, timedelta

import duckdb
import polars as pl

from agent_core.errors import TargetError
from agent_core.patching import Target
from pipelines.context import Context
from pipelines.effects import Effect, measure_effect
from pipelines.effects_exposure import control_of, expose
from pipelines.effects_needed import Needed, sessions_needed
from pipelines.effects_text import figures, needed_in_words, verdict_in_words
from pipelines.merged_tasks import notice_merges
from pipelines.releases import Releases, sort_releases
from pipelines.targets import configured_target
from pipelines.tasks import get_task, move_task, reopen_regressed
from pipelines.warehouse import transaction
from pipelines.watched_tasks import (
    AgentLog,
    Look,
    WatchedTask,
    agent_log,
    watched_tasks,
    write_look,
)

WAIT = timedelta(days=28)
"""After so long a task that nothing was told of is `inconclusive`."""
_NOT_SEEN = "git does not see the merge in the target's branch: pull it, or merge it there"
_NO_TARGET = "the target repository is not there: which releases hold the patch cannot be told"


def follow_merged_tasks(context: Context) -> dict[str, int]:
    """Notice merges, measure every watched task once, and return counts.

    A task becomes `resolved`, is opened again as `regressed`, or after WAIT ends as
    `inconclusive`; until then it stays `watching`, with the sessions that are still needed.
    """
    counts: Counter[str] = Counter(
        resolved=0, regressed=0, inconclusive=0, watching=0, without_target=0
    )
    target, noticed = _notice(context)
    counts.update(noticed)
    with context.warehouse() as connection:
        tasks = watched_tasks(connection)
        logs = {agent: agent_log(connection, agent) for agent in {task.agent for task in tasks}}
    counts["without_target"] = 0 if target is not None else len(tasks)
    for task in tasks:
        look = _look(task, logs[task.agent], target, context.clock())
        with context.warehouse() as connection, transaction(connection):
            if _conclude(connection, task, look, context.clock()):
                write_look(connection, look, context.run_id, context.clock())
                counts[look.verdict] += 1
    return dict(counts)


def _notice(context: Context) -> tuple[Target | None, dict[str, int]]:
    """The target, if git can be asked of it, and counts of the merges noticed there.

    A target that is gone must not keep the rest of the run from being published.
    """
    try:
        target = configured_target(context.config)
        return target, notice_merges(context, target)
    except TargetError:
        return None, {}


def _look(task: WatchedTask, log: AgentLog, target: Target | None, now: datetime) -> Look:
    releases, missing = _releases(task, log, target)
    exposure = expose(log.sessions, task.pattern, releases, task.selection)
    control = control_of(log.moments, task.pattern, task.proposal.paths)
    shown = log.moments.filter(task.pattern.is_shown())
    is_last = now >= task.watched_since + WAIT
    effect = measure_effect(exposure.sessions, shown, control.moments, is_last=is_last)
    verdict, needed = effect.verdict or ("inconclusive" if is_last else "watching"), None
    if effect.verdict is not None:
        reason = verdict_in_words(effect, control.description)
    else:
        so_far = measure_effect(exposure.sessions, shown, control.moments, is_last=True)
        needed = _needed(task, so_far)
        reason = missing or needed_in_words(needed)
    if verdict == "inconclusive":
        reason = f"inconclusive after {WAIT.days} days: {figures(effect)}; {reason}"
    return Look(task.task_id, effect, exposure, control.description, needed, verdict, reason)


def _needed(task: WatchedTask, so_far: Effect) -> Needed:
    return sessions_needed(
        so_far.before,
        so_far.after,
        expected_before=task.rate,
        expected_after=task.rate_before_breach,
    )


def _releases(
    task: WatchedTask, log: AgentLog, target: Target | None
) -> tuple[Releases, str | None]:
    """Releases with and without the patch, and what keeps those with it from being known."""
    names = set(log.releases["release"])
    by_time = _ended_before(log.releases, task.merged_at or task.watched_since)
    known = by_time | set(task.breached)
    having: frozenset[str] = frozenset()
    missing = _NO_TARGET if target is None else _NOT_SEEN if task.merge_commit is None else None
    if target is not None and task.merge_commit is not None:
        commits = (task.proposal.commit, task.merge_commit)
        found = sort_releases(target.repo, commits, names)
        having, known = found.having, (known | found.lacking) - found.having
    return Releases(having, frozenset(known & _from_breach_on(task, log.releases))), missing


def _ended_before(releases: pl.DataFrame, moment: datetime) -> set[str]:
    """What last ran before the merge cannot hold it, unless git says so."""
    return set(releases.filter(pl.col("last_session_at") < moment)["release"])


def _from_breach_on(task: WatchedTask, releases: pl.DataFrame) -> set[str]:
    """Earlier releases did not have what the patch repairs: they are no baseline for it."""
    starts = releases.filter(pl.col("release").is_in(task.breached))[
        "first_session_at"
    ].drop_nulls()
    if not len(starts):
        return set(releases["release"])
    return set(releases.filter(pl.col("first_session_at") >= starts.min())["release"])


def _conclude(
    connection: duckdb.DuckDBPyConnection, task: WatchedTask, look: Look, now: datetime
) -> bool:
    """Move the task on; False where somebody did meanwhile."""
    if get_task(connection, task.task_id).state != "watching":
        return False
    if look.verdict == "resolved":
        move_task(connection, task.task_id, "resolved", look.reason, now)
    elif look.verdict == "regressed":
        reopen_regressed(connection, task.task_id, look.reason, now)
    elif look.verdict == "inconclusive":
        move_task(connection, task.task_id, "expired", look.reason, now)
    return True
