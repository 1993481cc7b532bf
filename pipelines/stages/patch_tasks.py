"""Stage `patch_tasks`: a breach joins the open task of its pattern, or opens one.

The exact patterns (a tool and a class of error) come first. A breach of a type as a whole that
mostly happens in sessions with an exact breach is that one's consequence and joins its task.
"""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta

import duckdb
import polars as pl

from agent_core.patching import PatchTask
from pipelines.config import Config
from pipelines.context import Context
from pipelines.tasks import CLOSED, TaskRow, list_tasks, open_task, pattern_key
from pipelines.warehouse import query, transaction

BUNDLED_AGENT = "signals-core"
"""The agent that the default target repairs; a breach of another agent waits for a target."""
_CONSEQUENCE_SHARE = 0.5
_EVIDENCE_ROWS = 5


@dataclass(frozen=True, slots=True)
class _Found:
    """A breach that no task covers yet."""

    breach_id: str
    agent: str
    release: str
    type: str
    tool: str | None
    error_class: str | None
    rate: float
    rate_low: float
    rate_high: float
    baseline_rate: float
    affected: int
    sessions: int
    baseline_affected: int
    baseline_sessions: int

    @property
    def pattern(self) -> str:
        return pattern_key(self.agent, self.type, self.tool, self.error_class)


def open_patch_tasks(context: Context) -> dict[str, int]:
    """Give every breach of the latest look its task and return counts.

    What breached in an earlier look and does no longer opens nothing.
    """
    counts: Counter[str] = Counter(opened=0, joined=0, cooling_down=0, without_target=0)
    with context.warehouse() as connection, transaction(connection):
        for found in _uncovered(connection):
            counts[_cover(connection, found, context)] += 1
    return dict(counts)


_LATEST_LOOK = """
SELECT arg_max(run_id, ended_at) FROM runs WHERE stage = 'breaches' AND status = 'done'
"""


def _uncovered(connection: duckdb.DuckDBPyConnection) -> list[_Found]:
    rows = query(
        connection,
        f"SELECT {', '.join(_Found.__slots__)} FROM breaches WHERE task_id IS NULL "
        f"AND run_id = ({_LATEST_LOOK}) "
        "ORDER BY tool IS NULL, q_value, type, tool, error_class",
    )
    return [_Found(**row) for row in rows.iter_rows(named=True)]


def _cover(connection: duckdb.DuckDBPyConnection, found: _Found, context: Context) -> str:
    if found.agent != BUNDLED_AGENT:
        return "without_target"
    task_id = _task_to_join(connection, found)
    if task_id is None and _is_cooling_down(connection, found, context):
        return "cooling_down"
    joined = task_id is not None
    if task_id is None:
        row = _new_task(connection, found, context)
        open_task(connection, row, f"breach {found.breach_id}")
        task_id = row.task_id
    connection.execute(
        "UPDATE breaches SET task_id = ? WHERE breach_id = ?", [task_id, found.breach_id]
    )
    return "joined" if joined else "opened"


def _task_to_join(connection: duckdb.DuckDBPyConnection, found: _Found) -> str | None:
    for task in list_tasks(connection):
        if task.pattern == found.pattern and task.state not in CLOSED:
            return task.task_id
    return _cause(connection, found) if found.tool is None else None


_CAUSE = """
WITH mine AS (SELECT DISTINCT session_key FROM moments JOIN sessions USING (session_key)
              WHERE polarity = 'friction' AND type = $type AND release = $release
                AND agent = $agent),
explained AS (SELECT DISTINCT session_key, task_id
              FROM mine JOIN moments USING (session_key)
              JOIN breaches ON breaches.type = moments.type AND breaches.tool = moments.tool
               AND breaches.error_class = moments.error_class
              JOIN patch_tasks USING (task_id)
              WHERE breaches.release = $release AND breaches.agent = $agent
                AND NOT list_contains($closed, state))
SELECT task_id, count(*) AS sessions,
       (SELECT count(DISTINCT session_key) FROM explained) / (SELECT count(*) FROM mine) AS share
FROM explained GROUP BY task_id ORDER BY sessions DESC, task_id
"""


def _cause(connection: duckdb.DuckDBPyConnection, found: _Found) -> str | None:
    """The task with most of its sessions, where exact breaches explain half of this one."""
    known = {"type": found.type, "release": found.release, "agent": found.agent}
    explained = query(connection, _CAUSE, {**known, "closed": sorted(CLOSED)})
    if not explained.height or explained["share"][0] < _CONSEQUENCE_SHARE:
        return None
    return str(explained["task_id"][0])


def _is_cooling_down(
    connection: duckdb.DuckDBPyConnection, found: _Found, context: Context
) -> bool:
    since = context.clock() - timedelta(days=context.config.thresholds.cooldown_days)
    return any(
        task.pattern == found.pattern and task.updated_at >= since
        for task in list_tasks(connection)
    )


def _new_task(connection: duckdb.DuckDBPyConnection, found: _Found, context: Context) -> TaskRow:
    digest = hashlib.sha256(f"{found.pattern}\0{found.release}".encode()).hexdigest()
    task = _patch_task(connection, found, f"task-{digest[:8]}", context.config)
    now = context.clock()
    return TaskRow(
        task_id=task.task_id,
        pattern=found.pattern,
        agent=found.agent,
        type=found.type,
        tool=found.tool,
        error_class=found.error_class,
        state="open",
        title=task.title,
        task=asdict(task),
        created_at=now,
        updated_at=now,
    )


_AFFECTED = """
SELECT session_id, user_id, descriptor, error_signature
FROM moments JOIN sessions USING (session_key)
WHERE polarity = 'friction' AND type = $type AND release = $release AND agent = $agent
  AND ($tool IS NULL OR tool = $tool) AND ($error_class IS NULL OR error_class = $error_class)
ORDER BY session_id, source_ref
"""


def _patch_task(
    connection: duckdb.DuckDBPyConnection, found: _Found, task_id: str, config: Config
) -> PatchTask:
    wanted = ("type", "release", "agent", "tool", "error_class")
    moments = query(connection, _AFFECTED, {name: getattr(found, name) for name in wanted})
    return PatchTask(
        task_id=task_id,
        title=_title(found),
        type=found.type,
        tool=found.tool,
        error_class=found.error_class,
        error_signatures=tuple(sorted(set(moments["error_signature"].drop_nulls()))),
        evidence=(_statistic(found), *_common_descriptors(moments, config)),
        suspected_cause=_suspected_cause(found),
        acceptance=_ACCEPTANCE,
        affected_sessions=tuple(sorted(set(moments["session_id"]))),
    )


def _common_descriptors(moments: pl.DataFrame, config: Config) -> list[str]:
    """What was seen most often; in team mode only what enough sessions and users share.

    Descriptors and not citations: of a closed vocabulary, they tell the agent nothing that a
    session, or a model that read it, could have made up.
    """
    seen = moments.group_by("descriptor").agg(
        sessions=pl.col("session_id").n_unique(), users=pl.col("user_id").fill_null("").n_unique()
    )
    if config.mode == "team":
        enough = pl.col("sessions") >= config.min_sessions, pl.col("users") >= config.min_users
        seen = seen.filter(*enough)
    commonest = seen.sort("sessions", "descriptor", descending=[True, False]).head(_EVIDENCE_ROWS)
    return [
        f"{descriptor} ({number} session{'s' if number > 1 else ''})"
        for descriptor, number in commonest.select("descriptor", "sessions").iter_rows()
    ]


def _title(found: _Found) -> str:
    if found.tool and found.error_class:
        return f"{found.tool}: {found.error_class.replace('_', ' ')} errors hurt sessions"
    return f"{found.type.replace('_', ' ')} rose with release {found.release}"


def _statistic(found: _Found) -> str:
    return (
        f"{found.affected} of {found.sessions} sessions of release {found.release} show it "
        f"({found.rate:.0%}, 95 % interval {found.rate_low:.0%} to {found.rate_high:.0%}); "
        f"before, {found.baseline_affected} of {found.baseline_sessions} did "
        f"({found.baseline_rate:.0%})"
    )


def _suspected_cause(found: _Found) -> str:
    if found.tool and found.error_class:
        return (
            f"the limits, messages or description of the tool {found.tool}: its calls end in "
            f"{found.error_class.replace('_', ' ')} errors that sessions before did not see"
        )
    return f"what release {found.release} changed in prompts, tools or playbooks"


_ACCEPTANCE = (
    "recorded calls that failed now serve, or fail with a message that says what to do; "
    "recorded calls that served give the same result; the unit tests pass; only prompts, tools "
    "and playbooks are touched"
)
