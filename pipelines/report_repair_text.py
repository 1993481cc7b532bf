"""The report's lines on self-repair; takes its JSON form."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.report_layout import entry, judge_entry

_BREACHES_SHOWN = 10
_Row = Mapping[str, Any]
_Rows = Sequence[_Row]


def breach_lines(breaches: _Rows, said: Mapping[str, str]) -> Iterator[str]:
    """What rose; `said` is what is said of the judge, by type."""
    if not breaches:
        yield from entry("none: no pattern rose beyond its baseline")
    for row in breaches[:_BREACHES_SHOWN]:
        yield from entry(f"{_pattern(row)}, {row['agent']} {row['release']}")
        yield from entry(
            f"{row['affected']} of {row['sessions']} sessions ({100 * row['rate']:.0f} %), before "
            f"{row['baseline_affected']} of {row['baseline_sessions']} "
            f"({100 * row['baseline_rate']:.0f} %); rise {100 * row['rise_low']:+.0f} to "
            f"{100 * row['rise_high']:+.0f} points, q = {row['q_value']:.2g}"
            + (f"; {row['task_id']}" if row["task_id"] else ""),
            6,
        )
        yield from judge_entry(said[row["type"]])
    if len(breaches) > _BREACHES_SHOWN:
        yield from entry(f"and {len(breaches) - _BREACHES_SHOWN} more: signals breaches")


def _pattern(row: _Row) -> str:
    if row["kind"] == "tool":
        return f"any friction at {row['tool']}"
    if row["kind"] == "signature":
        return f"error {row['signature']}"
    if row["kind"] == "cluster":
        return f"cluster {row['cluster_name'] or row['cluster_id']}"
    return " / ".join(part for part in (row["type"], row["tool"], row["error_class"]) if part)


def task_lines(tasks: _Rows) -> Iterator[str]:
    """What is or was to be repaired."""
    if not tasks:
        yield from entry("none")
    for task in tasks:
        yield from entry(f"{task['task_id']} [{task['state']}] {task['title']}")
        if task["attempt"]:
            yield from entry(task["attempt"], 6)
        if task["gates"]:
            yield from entry("gates: " + ", ".join(_gate(gate) for gate in task["gates"]), 6, 8)
        if task["pr_path"]:
            yield from entry(f"pull request: {task['pr_path']}", 6, 8)


def _gate(gate: Mapping[str, Any]) -> str:
    why = f" ({gate['reason']})" if gate["reason"] and gate["status"] != "passed" else ""
    return f"{gate['gate']} {gate['status']}{why}"


def effect_lines(repair: _Row) -> Iterator[str]:
    """What came of what was merged, how long it took, and a paragraph for each task."""
    told = repair["resolved"] + repair["regressed"] + repair["inconclusive"]
    if not told + repair["watching"]:
        yield from entry("no patch is merged yet")
    else:
        yield from entry(_verdicts(repair, told))
    for what, span in (
        ("time to pull request", repair["to_pull_request"]),
        ("time to resolution", repair["to_resolution"]),
    ):
        if span is not None:
            yield from entry(f"{what}: {_span(span)}")
    for effect in repair["effects"]:
        yield from _effect(effect)


def _verdicts(repair: _Row, told: int) -> str:
    counts = ", ".join(f"{repair[name]} {name}" for name in ("regressed", "inconclusive"))
    watched = f"; {repair['watching']} still watched"
    if not told:
        return f"{repair['watching']} merged and still watched, none told yet"
    low, high = (round(100 * repair[f"resolved_{side}"]) for side in ("low", "high"))
    share = f"{100 * repair['resolved_share']:.0f} %, 95 % interval {low} to {high} %"
    return f"{repair['resolved']} of {told} resolved ({share}), {counts}{watched}"


def _span(span: _Row) -> str:
    median, least, most = (_hours(span[name]) for name in ("median", "least", "most"))
    if span["tasks"] == 1:
        return f"{median}, 1 task"
    return f"median {median} ({least} to {most}), {span['tasks']} tasks"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _effect(row: _Row) -> Iterator[str]:
    low, high = 100 * row["change_low"], 100 * row["change_high"]
    yield from entry(f"{row['task_id']} [{row['verdict']}]")
    yield from entry(
        f"{row['affected_before']} of {row['sessions_before']} sessions without the patch, "
        f"{row['affected_after']} of {row['sessions_after']} with it ({low:+.0f} to {high:+.0f} "
        f"points); odds {_ratio(row, 'odds_ratio')}",
        6,
        8,
    )
    if row["control"]:
        yield from entry(f"against {row['control']}: odds {_ratio(row, 'control_ratio')}", 6, 8)
    if row["verdict"] == "watching":
        yield from entry(row["reason"] or _needed(row), 6, 8)


def _ratio(row: _Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    upper = "any" if high is None else f"{high:.2g}"
    shown = "" if row[name] is None else f"x {row[name]:.2g}, "
    return f"{shown}{low:.2g} to {upper} times"


def _needed(row: _Row) -> str:
    if row["needed_after"] is None:
        return "how many more sessions are needed cannot be told"
    without = f"{row['needed_before']} without the patch and " if row["needed_before"] else ""
    return f"about {without}{row['needed_after']} with it are needed still"
