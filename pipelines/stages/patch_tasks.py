"""Stage `patch_tasks`: a breach joins the task of its cause, or opens one.

The exact patterns (a tool and a class of error) come first. A wider breach (a type, a tool, a
signature or a cluster) that mostly happens in sessions with an exact one is that one's consequence
and joins its task. Else the causes are compared: by pattern, by signature, and by what the two
descriptions mean. What matches a task closed a short while ago opens nothing until the cooldown is
over; what comes back after a merge reopens its task.
"""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import duckdb
import polars as pl

from agent_core.patching import PatchTask
from pipelines import task_wording as wording
from pipelines.breach_rows import BreachRow, main_failure, moments_of, uncovered_breaches
from pipelines.config import Config
from pipelines.context import Context
from pipelines.targets import patient
from pipelines.task_expiry import expire_tasks
from pipelines.task_joins import CONSEQUENCE_SHARE, come_back, explaining_task, record_join
from pipelines.task_matching import Cause, Match, find_match
from pipelines.task_meanings import Meanings, cause_of_task, learn_meanings, no_meanings
from pipelines.tasks import (
    CLOSED,
    TaskRow,
    list_tasks,
    open_task,
    pattern_key,
    reopen_regressed,
)
from pipelines.warehouse import transaction

_COUNTS = ("opened", "joined", "reopened", "cooling_down", "without_target", "expired")


@dataclass(frozen=True, slots=True)
class _Found:
    """A breach that no task covers, with the moments that show it."""

    row: BreachRow
    moments: pl.DataFrame
    cause: Cause
    evidence: tuple[str, ...]
    signatures: frozenset[str]


def open_patch_tasks(context: Context) -> dict[str, int]:
    """Give every breach of the latest look its task and return counts.

    What breached in an earlier look and does no longer opens nothing; tasks that nobody acts on
    expire. `by_pattern_alone` counts breaches whose description could not be compared with those
    of other tasks, since the embedding model is missing; their tasks say so.
    """
    counts = Counter(dict.fromkeys((*_COUNTS, "by_pattern_alone"), 0))
    now, days = context.clock(), context.config.tasks.expire_days
    with context.warehouse() as connection, transaction(connection):
        counts["expired"] = len(expire_tasks(connection, now, days))
        first = _Look(connection, context, no_meanings(context.config))
        counts.update(first.cover_all())
    if first.to_compare:
        meanings = learn_meanings(context, first.to_compare)
        counts["cooling_down"] = 0  # the second look meets them again
        with context.warehouse() as connection, transaction(connection):
            counts.update(_Look(connection, context, meanings).cover_all())
    return dict(counts)


def _described(connection: duckdb.DuckDBPyConnection, row: BreachRow, config: Config) -> _Found:
    moments = moments_of(connection, row)
    seen = wording.common_descriptors(moments, config)
    signatures = frozenset(
        [row.signature] if row.signature else moments["error_signature"].drop_nulls()
    )
    tool, error_class = main_failure(row, moments)
    cause = Cause(
        agent=row.agent,
        type=row.type,
        tool=tool,
        error_class=error_class,
        signatures=signatures if error_class else frozenset(),
        cluster_id=row.cluster_id,
        text=wording.meaning(tool, error_class, seen),
    )
    evidence = (wording.statistic(row), *wording.beginning(row), *seen)
    return _Found(row, moments, cause, evidence, signatures)


@dataclass(slots=True)
class _Look:
    """Goes through the breaches once, in a transaction."""

    connection: duckdb.DuckDBPyConnection
    context: Context
    meanings: Meanings
    to_compare: set[str] = field(default_factory=set)
    """Texts that have to be embedded before the breaches left out can be decided."""
    cooling: list[frozenset[str]] = field(default_factory=list)
    """Sessions of each exact breach that cools down in this look."""

    def cover_all(self) -> Counter[str]:
        """Give each breach its task; how many came to what."""
        counts: Counter[str] = Counter()
        repaired = patient(self.context.config)
        for row in uncovered_breaches(self.connection, self._cooled_down):
            if row.agent != repaired:
                counts["without_target"] += not self.meanings.is_learned
                continue
            found = _described(self.connection, row, self.context.config)
            counts.update(self._cover(found, list_tasks(self.connection)))
        return counts

    @property
    def _cooled_down(self) -> datetime:
        """What was closed since then opens nothing yet."""
        return self.context.clock() - timedelta(days=self.context.config.thresholds.cooldown_days)

    def _cover(self, found: _Found, tasks: list[TaskRow]) -> list[str]:
        now = self.context.clock()
        match = self._match(found, [task for task in tasks if task.state not in CLOSED])
        if match is not None:
            record_join(self.connection, found.row.breach_id, match, now)
            return ["joined"]
        compared = self.meanings.undecided(found.cause, map(cause_of_task, tasks))
        if compared and not self.meanings.is_learned:
            self.to_compare |= compared
            return []
        alone = ["by_pattern_alone"] if compared and self.meanings.missing else []
        return [
            self._reopen_or_open(found, tasks, self.meanings.missing if alone else None),
            *alone,
        ]

    def _match(self, found: _Found, tasks: list[TaskRow]) -> Match | None:
        """Sessions speak before words: what mostly happens beside an exact breach belongs to it."""
        same = self._by_cause(found, tasks)
        if found.row.is_exact or (same and same.ground == "pattern"):
            return same
        return self._explained(found, tasks) or same or _of_its_type(found.row, tasks)

    def _reopen_or_open(self, found: _Found, tasks: list[TaskRow], missing: str | None) -> str:
        now, breach_id = self.context.clock(), found.row.breach_id
        resolved = [task for task in tasks if task.state == "resolved"]
        back = come_back(self.connection, self._by_cause(found, resolved), found.moments)
        if back is not None:
            reopen_regressed(self.connection, back.task_id, found.evidence[0], now)
            record_join(self.connection, breach_id, back, now)
            return "reopened"
        if self._is_cooling_down(found, tasks):
            self.cooling += [_sessions(found)] if found.row.is_exact else []
            return "cooling_down"
        task = _new_task(found, _task_id(found.row, tasks), now)
        unsure = f"; compared with other tasks by pattern alone: {missing}" if missing else ""
        open_task(self.connection, task, f"breach {breach_id}{unsure}")
        record_join(self.connection, breach_id, Match(task.task_id, "opened", None), now)
        return "opened"

    def _is_cooling_down(self, found: _Found, tasks: list[TaskRow]) -> bool:
        """Whether what covered it was closed a short while ago.

        A part of what was closed (its tool alone, its signature) cools down with it.
        """
        recent = [t for t in tasks if t.state in CLOSED and t.updated_at >= self._cooled_down]
        if self._by_cause(found, recent):
            return True
        is_part = found.row.tool is not None or found.row.signature is not None
        return is_part and bool(self._explained(found, recent) or self._follows_from_cooling(found))

    def _follows_from_cooling(self, found: _Found) -> bool:
        own = _sessions(found)
        shared = own & frozenset[str]().union(*self.cooling)
        return bool(own) and len(shared) >= CONSEQUENCE_SHARE * len(own)

    def _by_cause(self, found: _Found, tasks: list[TaskRow]) -> Match | None:
        known = [(task.task_id, cause_of_task(task)) for task in tasks]
        return find_match(found.cause, known, self.meanings.means)

    def _explained(self, found: _Found, tasks: list[TaskRow]) -> Match | None:
        keys = found.moments["session_key"].unique().to_list()
        task_ids = [task.task_id for task in tasks]
        return explaining_task(self.connection, found.row, keys, task_ids)


def _of_its_type(row: BreachRow, tasks: list[TaskRow]) -> Match | None:
    """A cluster's task where one of the type that most of its moments have is open."""
    of_type = pattern_key(row.agent, row.type, None, None)
    same = [task.task_id for task in tasks if row.cluster_id and task.pattern == of_type]
    return Match(same[0], "explained", None) if same else None


def _sessions(found: _Found) -> frozenset[str]:
    return frozenset(found.moments["session_key"])


def _new_task(found: _Found, task_id: str, now: datetime) -> TaskRow:
    row, task = found.row, _patch_task(found, task_id)
    return TaskRow(
        task_id=task.task_id,
        pattern=row.pattern,
        agent=row.agent,
        type=row.type,
        tool=row.tool,
        error_class=row.error_class,
        state="open",
        title=task.title,
        task=asdict(task),
        created_at=now,
        updated_at=now,
        signature=row.signature,
        cluster_id=row.cluster_id,
    )


def _task_id(row: BreachRow, tasks: list[TaskRow]) -> str:
    """The same for the same pattern and release; numbered where such a task was closed before."""
    known = {task.task_id for task in tasks}
    digest = hashlib.sha256(f"{row.pattern}\0{row.release}".encode()).hexdigest()
    task_id, number = f"task-{digest[:8]}", 1
    while task_id in known:
        number += 1
        task_id = f"task-{digest[:8]}-{number}"
    return task_id


def _patch_task(found: _Found, task_id: str) -> PatchTask:
    row = found.row
    return PatchTask(
        task_id=task_id,
        title=wording.title(row),
        type=wording.plain_name(row.type, "friction"),
        tool=wording.plain_name(row.tool, "") or None,
        error_class=wording.plain_name(row.error_class, "") or None,
        error_signatures=tuple(sorted(found.signatures)),
        evidence=found.evidence,
        suspected_cause=wording.suspected_cause(row),
        acceptance=wording.ACCEPTANCE,
        affected_sessions=tuple(wording.plain_names(found.moments["session_id"])),
    )
