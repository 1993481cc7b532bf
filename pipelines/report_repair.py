"""The report on self-repair: what breached, what was tried, what came of what was merged."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

from agent_core.proportions import wilson_interval
from pipelines.report_rows import as_rows, read_table


@dataclass(frozen=True, slots=True)
class BreachReport:
    """A pattern whose rate rose beyond its baseline."""

    breach_id: str
    agent: str
    release: str
    kind: str
    type: str
    tool: str | None
    error_class: str | None
    signature: str | None
    cluster_id: str | None
    cluster_name: str | None
    affected: int
    sessions: int
    baseline_affected: int
    baseline_sessions: int
    rate: float
    baseline_rate: float
    rise_low: float
    rise_high: float
    q_value: float
    task_id: str | None


@dataclass(frozen=True, slots=True)
class GateReport:
    """A gate's result in a task's latest attempt."""

    gate: str
    status: str
    reason: str | None
    """None in a team's snapshot."""


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A patch task with what its latest attempt came to."""

    task_id: str
    title: str
    state: str
    suspected_cause: str | None
    evidence: tuple[str, ...]
    attempt: str | None
    """Status and reason of the latest attempt; None: not attempted."""
    branch: str | None
    pr_path: str | None
    gates: tuple[GateReport, ...]


@dataclass(frozen=True, slots=True)
class EffectReport:
    """The latest look at a merged patch; the bounds hold at every look together."""

    task_id: str
    verdict: str
    """resolved, regressed, inconclusive or watching"""
    affected_before: int
    sessions_before: int
    affected_after: int
    sessions_after: int
    change_low: float
    change_high: float
    odds_ratio: float | None
    """Odds of the pattern with the patch over those without it; None: the counts allow any."""
    odds_ratio_low: float | None
    odds_ratio_high: float | None
    control: str | None
    """What it is held against; None: nothing could be."""
    control_ratio: float | None
    """The odds ratio over that of the control."""
    control_ratio_low: float | None
    control_ratio_high: float | None
    needed_before: int | None
    """Sessions without the patch that are still needed; None, and likewise below: not told."""
    needed_after: int | None
    reason: str | None
    """In words; None in a team's snapshot."""


@dataclass(frozen=True, slots=True)
class Span:
    """Hours that something took, over tasks."""

    tasks: int
    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What became of the tasks whose patch was merged, each by its latest verdict."""

    resolved: int
    regressed: int
    inconclusive: int
    watching: int
    resolved_share: float | None
    """Of those no longer watched, with a 95 % Wilson interval; None: there are none."""
    resolved_low: float | None
    resolved_high: float | None
    to_pull_request: Span | None
    """From the task's opening to its first pull request; None: there was none."""
    to_resolution: Span | None
    """From the task's opening to the verdict that it is resolved."""
    effects: tuple[EffectReport, ...]


def read_repair(directory: Path) -> RepairReport:
    """What the snapshot says of merged patches."""
    latest = read_table(directory, "task_effects").group_by("task_id", maintain_order=True).last()
    counts = _verdicts(read_table(directory, "tasks"), latest)
    told = counts["resolved"] + counts["regressed"] + counts["inconclusive"]
    share = wilson_interval(counts["resolved"], told) if told else None
    times = read_table(directory, "task_times")
    return RepairReport(
        resolved=counts["resolved"],
        regressed=counts["regressed"],
        inconclusive=counts["inconclusive"],
        watching=counts["watching"],
        resolved_share=counts["resolved"] / told if told else None,
        resolved_low=share.low if share else None,
        resolved_high=share.high if share else None,
        to_pull_request=_span(times["hours_to_pull_request"]),
        to_resolution=_span(times["hours_to_resolution"]),
        effects=as_rows(EffectReport, latest),
    )


def _verdicts(tasks: pl.DataFrame, latest: pl.DataFrame) -> Counter[str]:
    """Tasks by verdict: of one that is merged again the earlier verdict counts no more."""
    standing = dict(latest.select("task_id", "verdict").iter_rows())
    for task_id, state in tasks.select("task_id", "state").iter_rows():
        if state in ("merged", "watching"):
            standing[task_id] = "watching"
        elif state in ("resolved", "regressed"):
            standing[task_id] = state
    return Counter(standing.values())


def _span(hours: pl.Series) -> Span | None:
    known = [float(value) for value in hours.drop_nulls()]
    return Span(len(known), median(known), min(known), max(known)) if known else None


def read_tasks(directory: Path) -> tuple[TaskReport, ...]:
    """Every published task, the one that changed last first."""
    attempts = read_table(directory, "task_attempts").sort("started_at", "attempt_id")
    gates = read_table(directory, "gate_results")
    latest = {row["task_id"]: row for row in attempts.iter_rows(named=True)}
    tasks = read_table(directory, "tasks").iter_rows(named=True)
    return tuple(_task(task, latest.get(task["task_id"], {}), gates) for task in tasks)


def _task(task: dict[str, Any], attempt: dict[str, Any], gates: pl.DataFrame) -> TaskReport:
    own = gates.filter(pl.col("attempt_id") == attempt.get("attempt_id", ""))
    return TaskReport(
        task_id=task["task_id"],
        title=task["title"],
        state=task["state"],
        suspected_cause=task["suspected_cause"],
        evidence=tuple(task["evidence"]),
        attempt=_join(": ", (attempt.get("status"), attempt.get("reason"))) or None,
        branch=attempt.get("branch"),
        pr_path=attempt.get("pr_path"),
        gates=as_rows(GateReport, own),
    )


def _join(separator: str, texts: Iterable[str | None]) -> str:
    return separator.join(text for text in texts if text)
