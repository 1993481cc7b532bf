"""Patch tasks for people and machines: the list, one task whole, and what a run came to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from agent_core.patching import PatchOutcome
from pipelines.fleet import FleetResult
from pipelines.tasks import get_task, transitions
from pipelines.warehouse import query

Row = Mapping[str, Any]

_LISTED = """
SELECT task_id, state, title, agent, type, tool, error_class, created_at, updated_at,
    (SELECT arg_max(reason, number) FROM task_transitions t WHERE t.task_id = p.task_id) AS reason,
    (SELECT count(*) FROM patch_attempts a WHERE a.task_id = p.task_id) AS attempts,
    (SELECT count(*) FROM breaches b WHERE b.task_id = p.task_id) AS breaches,
    (SELECT arg_max(branch, ended_at) FROM patch_attempts a
     WHERE a.task_id = p.task_id AND status = 'proposed') AS branch,
    (SELECT arg_max(pr_path, ended_at) FROM patch_attempts a
     WHERE a.task_id = p.task_id AND status = 'proposed') AS pull_request
FROM patch_tasks p ORDER BY created_at, task_id
"""
_BREACHES = """
SELECT breaches.*, ground, similarity, joined_at
FROM breaches LEFT JOIN task_breaches USING (breach_id)
WHERE breaches.task_id = ? ORDER BY joined_at, breach_id
"""
_GATES = """
SELECT gate_results.* FROM gate_results JOIN patch_attempts USING (attempt_id)
WHERE task_id = ? ORDER BY started_at, number
"""
_GROUNDS = {
    "opened": "opened it",
    "pattern": "has its pattern",
    "signature": "has its error signature",
    "explained": "shows in its sessions",
    "meaning": "means the same",
}


def listed_tasks(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """A row for every task, oldest first; `reason` is that of its newest transition."""
    return query(connection, _LISTED).to_dicts()


def listing_text(rows: Sequence[Row]) -> str:
    """A line a task, and what to do next."""
    lines = [
        f"{row['task_id']}  {row['state']:<10} {row['title']}  ({row['updated_at']:%Y-%m-%d}: "
        f"{row['reason']})"
        for row in rows
    ]
    waiting = sum(row["state"] == "open" for row in rows)
    if waiting:
        lines += ["", f"{waiting} open: signals tasks run --all --jobs N"]
    return "\n".join(lines) or "no task yet: signals breaches looks for friction that rose"


def task_details(connection: duckdb.DuckDBPyConnection, task_id: str) -> dict[str, Any]:
    """All that is known of a task. Raises BadInputError naming the ids there are."""
    task = get_task(connection, task_id)
    row = next(row for row in listed_tasks(connection) if row["task_id"] == task_id)
    of_task: list[object] = [task_id]
    return {
        **task.task,
        **row,
        "pattern": task.pattern,
        "signature": task.signature,
        "cluster_id": task.cluster_id,
        "transitions": [
            {"from": start, "to": end, "at": at, "reason": reason}
            for start, end, at, reason in transitions(connection, task_id)
        ],
        "breaches": query(connection, _BREACHES, of_task).to_dicts(),
        "attempts": query(
            connection, "FROM patch_attempts WHERE task_id = ? ORDER BY started_at", of_task
        ).to_dicts(),
        "gates": query(connection, _GATES, of_task).to_dicts(),
        "effects": query(
            connection, "FROM effects WHERE task_id = ? ORDER BY measured_at", of_task
        ).to_dicts(),
    }


def task_text(found: Row) -> str:
    """One task for people."""
    return "\n".join(
        [
            f"{found['task_id']}  {found['state']}  {found['title']}",
            *("", "Evidence"),
            *(f"  {text}" for text in found["evidence"]),
            *("", f"Suspected cause: {found['suspected_cause']}"),
            f"Acceptance: {found['acceptance']}",
            f"Sessions to replay: {len(found['affected_sessions'])}",
            *("", "Breaches"),
            *(_breach(breach) for breach in found["breaches"]),
            *("", "History"),
            *(f"  {m['at']:%Y-%m-%d %H:%M:%S} {m['to']:<10} {m['reason']}" for m in
              found["transitions"]),
            *(line for attempt in found["attempts"] for line in _attempt(attempt, found["gates"])),
        ]
    )  # fmt: skip


def _breach(breach: Row) -> str:
    where = breach["tool"] or breach["type"].replace("_", " ")
    what = f": {breach['error_class'].replace('_', ' ')}" if breach["error_class"] else ""
    ground = _GROUNDS.get(breach["ground"] or "", "joined it")
    likeness = "" if breach["similarity"] is None else f" (similarity {breach['similarity']:.2f})"
    return f"  {where}{what}, release {breach['release']}: {ground}{likeness}"


def _attempt(attempt: Row, gates: Sequence[Row]) -> Iterator[str]:
    yield from ("", f"Attempt {attempt['attempt_id']}: {attempt['status']}, {attempt['reason']}")
    if attempt["branch"]:
        yield f"  branch {attempt['branch']}, pull request {attempt['pr_path']}"
    if attempt["tokens"]:
        yield f"  {attempt['tokens']:,} tokens"
    for gate in gates:
        if gate["attempt_id"] == attempt["attempt_id"]:
            yield f"  {gate['status']:<9} {gate['gate']:<12} {gate['reason']}"


def outcome_rows(result: FleetResult) -> dict[str, dict[str, Any]]:
    """What a run came to, by task; status `left`: not attempted to its end."""
    rows = {task_id: _outcome(outcome) for task_id, outcome in result.outcomes.items()}
    return rows | {
        task_id: {"status": "left", "reason": reason} for task_id, reason in result.left.items()
    }


def _outcome(outcome: PatchOutcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "branch": outcome.branch,
        "commit": outcome.commit_sha,
        "pull_request": str(outcome.pr_path or ""),
        "base_commit": outcome.base_commit,
        "session_id": outcome.session_id,
        "policy": outcome.policy,
        "sandbox": outcome.sandbox,
        "gates": [
            {"gate": g.gate, "status": g.status, "reason": g.reason, "seconds": g.seconds}
            for g in outcome.gate_results
        ],
    }


def outcome_text(result: FleetResult) -> str:
    """A line a task."""
    lines = [
        f"{task_id}: {outcome.status}, {outcome.reason} "
        f"(sandbox: {outcome.sandbox or 'none works here'})"
        for task_id, outcome in result.outcomes.items()
    ]
    lines += [f"{task_id}: left, {reason}" for task_id, reason in result.left.items()]
    return "\n".join(lines) or "no open task"
