"""The report's plain text, at most `WIDTH` columns wide; takes its JSON form."""

import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

WIDTH = 100
_POLARITIES = ("friction", "delight")
_TYPES_SHOWN = 6
_BREACHES_SHOWN = 10
_CHANGES_SHOWN = 8
_PROPOSALS_SHOWN = 8
_BASES = {
    "stated": "stated",
    "computed": "computed from list prices of {day}",
    "mixed": "partly stated, partly computed",
}
_Rows = Sequence[Mapping[str, Any]]


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the report, section by section; empty sections say so in one line."""
    moment = report["published_at"][:16].replace("T", " ")
    yield from _entry(f"Signals report of {moment} (run {report['run_id']})", 0)
    coverage = chain(
        _coverage(report["coverage"], report["judges"]),
        _cost(report["costs"], report["unpriced_models"]),
    )
    yield from _section("Coverage", coverage)
    yield from _section("How sessions felt", _feeling(report))
    friction, delight = (_said(report["accuracy"], polarity) for polarity in _POLARITIES)
    yield from _section("Top friction", _types(report["friction_types"], report["mode"], friction))
    yield from _section(
        "Delight", _types(report["delight_types"], report["mode"], delight, examples=1)
    )
    yield from _section("What changed", _drift(report["drift"]))
    yield from _section("Asked for and not served", _unserved(report["unserved"]))
    yield from _section("Schema proposals", _proposals(report["proposals"]))
    yield from _section("Breaches", _breaches(report["breaches"], friction))
    yield from _section("Patch tasks", _tasks(report["tasks"]))


def _section(title: str, body: Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    yield from body


def _coverage(coverage: _Rows, judges: _Rows) -> Iterator[str]:
    sessions = [row for row in coverage if row["area"] == "sessions"]
    seen, left_out = _total(sessions), _total(sessions, "excluded")
    yield from _entry(f"{seen:>6} sessions seen in {_files(coverage)}")
    yield from _entry(f"{left_out:>6} left out{_reasons(sessions, 'excluded')}")
    yield from _entry(f"{seen - left_out:>6} selected, of which")
    yield from _entry(f"{_total(sessions, 'judged'):>6} judged{_judges(judges)}", 4)
    for status, words in (
        ("pending", "pending"),
        ("unscored", "could not be judged"),
        ("waiting", "not judged yet"),
    ):
        if _total(sessions, status) or status == "unscored":
            line = f"{_total(sessions, status):>6} {words}{_reasons(sessions, status)}"
            yield from _entry(line, 4)
    quarantined = _total([row for row in coverage if row["area"] == "records"], "quarantined")
    if quarantined:
        yield from _entry(f"{quarantined:>6} broken records set aside")
    withheld = _total([row for row in coverage if row["area"] == "withheld"])
    if withheld:
        yield from _entry(f"{withheld:>6} rows withheld: fewer sessions or users than the floors")


def _cost(costs: _Rows, unpriced: _Rows) -> Iterator[str]:
    """Nothing where no call is known; a call without a price is named, never taken for free."""
    known = [row for row in costs if row["cost_usd"] is not None]
    calls = sum(row["unpriced_calls"] for row in costs)
    total = f"{sum(row['cost_usd'] for row in known):.2f} USD" if known else "unknown"
    basis = ", ".join(
        f"{row['sessions']} {_BASES[row['basis']].format(day=row['prices_as_of'])}" for row in known
    )
    line = f" cost: {total}" + (f" ({basis})" if basis else "")
    if calls:
        names = [row["model"] for row in unpriced]
        of_models = f" of {_plural(len(names), 'model')}" if names else ""
        line += f", {_plural(calls, 'call')}{of_models} without a price"
        line += f": {_few(names, ', ')}" if names else ""
    if known or calls:
        yield from _entry(line, 2, 9)


def _files(coverage: _Rows) -> str:
    files = [row for row in coverage if row["area"] == "files"]
    unread = [
        f"{row['count']} {row['status']}{': ' + row['reason'] if row['reason'] else ''}"
        for row in files
        if row["status"] != "read"
    ]
    note = f" ({_total(files) - _total(files, 'read')} not read: {_few(unread)})" if unread else ""
    return f"{_plural(_total(files), 'file')}{note}"


def _judges(judges: _Rows) -> str:
    named = [
        f"{row['judge']} {row['judge_version']}"
        + (f" with {row['model']}" if row["judge"] != "rules" and row["model"] else "")
        + (f": {row['sessions']}" if len(judges) > 1 else "")
        for row in judges
    ]
    return f" by {_few(named)}" if named else ""


def _reasons(rows: _Rows, status: str) -> str:
    reasons = [
        f"{row['reason']}: {row['count']}"
        for row in rows
        if row["status"] == status and row["reason"]
    ]
    return f" ({_few(reasons, ', ')})" if reasons else ""


def _feeling(report: Mapping[str, Any]) -> Iterator[str]:
    for polarity in _POLARITIES:
        rate = report[polarity]
        said = _said(report["accuracy"], polarity)
        if rate["rate"] is None:
            yield from _entry(f"{polarity:<9} not known: no judged session to tell")
        else:
            yield from _entry(f"{polarity:<9} {_share(rate)} judged sessions")
            yield from _judge(said["any"])
            if "severity" in said:
                yield from _judge(said["severity"], "severity")
    whole = [row["labels"] for row in report["accuracy"] if row["type"] == "any"]
    for labels in dict.fromkeys(filter(None, whole)):
        yield from _entry(f"judge measured against {labels}")
    yield from _audit(report)


def _said(accuracy: _Rows, polarity: str) -> defaultdict[str, str]:
    """What is said of the judge, by type; of several judges, each by its name."""
    rows = [row for row in accuracy if row["polarity"] == polarity]
    several = len({row["judge"] for row in rows}) > 1
    lines: dict[str, list[str]] = {}
    for row in rows:
        line = f"{row['judge']}: {row['statement']}" if several else row["statement"]
        if line not in lines.setdefault(row["type"], []):
            lines[row["type"]].append(line)
    found = {type_: "; ".join(of_type) for type_, of_type in lines.items()}
    return defaultdict(lambda: "not measured: the rubric does not know the type", found)


def _judge(statement: str, of: str = "judge") -> list[str]:
    return _entry(f"{of}: {statement}", 6, 8)


def _audit(report: Mapping[str, Any]) -> Iterator[str]:
    """What the rules miss, measured against a model's verdict."""
    rows, withheld = report["audit"], report["coverage"]
    if not rows:
        is_withheld = any(r["area"] == "withheld" and r["status"] == "audit" for r in withheld)
        why = "withheld, too few sessions or users" if is_withheld else "nothing was audited"
        yield from _entry(f"audit     what the rules miss is not measured: {why}")
        return
    head = rows[0]
    yield from _entry(
        f"audit     {head['model']} judged {head['audited']} of "
        f"{_plural(head['drawn'], 'session')} drawn at random; its verdict is the reference, "
        "not the truth",
        2,
        12,
    )
    for row in rows:
        yield from _entry(f"{row['level']}s: {_audited(row)}", 12, 14)


def _audited(row: Mapping[str, Any]) -> str:
    if row["corrected_rate"] is None:
        return str(row["note"])
    rate = f"friction in {_estimate(row, 'corrected')} by its measure"
    by_rules = f"{rate}, {100 * row['rules_rate']:.0f} % by the rules"
    if row["recall"] is None:
        return f"{by_rules}; {row['note']}"
    return f"the rules find {_estimate(row, 'recall')} of what it calls friction; {by_rules}"


def _estimate(row: Mapping[str, Any], figure: str) -> str:
    """`81 % (60 to 93 %)`"""
    value = row["recall" if figure == "recall" else "corrected_rate"]
    low, high = (100 * row[f"{figure}_{side}"] for side in ("low", "high"))
    return f"{100 * value:.0f} % ({low:.0f} to {high:.0f} %)"


def _share(rate: Mapping[str, Any]) -> str:
    """`58 % (95 % interval 43 to 72 %), 23 of 40`"""
    low, high = round(100 * rate["rate_low"]), round(100 * rate["rate_high"])
    interval = f"(95 % interval {low} to {high} %)"
    return f"{100 * rate['rate']:>3.0f} % {interval:<28} {rate['affected']} of {rate['sessions']}"


def _types(types: _Rows, mode: str, said: Mapping[str, str], *, examples: int = 2) -> Iterator[str]:
    seen = [entry for entry in types if entry["rate"]["affected"]]
    if not seen:
        yield from _entry("none found in the judged sessions")
    for entry in seen[:_TYPES_SHOWN]:
        high = f", {entry['high']} high" if entry["high"] else ""
        yield from _entry(f"{entry['type']:<22} {_share(entry['rate'])} sessions{high}")
        yield from _judge(said[entry["type"]])
        by_text = {example["citation"]: example for example in reversed(entry["examples"])}
        for example in [*reversed(by_text.values())][:examples]:
            yield from _example(example)
    if len(seen) > _TYPES_SHOWN:
        yield from _entry(f"and {len(seen) - _TYPES_SHOWN} rarer types: signals report --json")
    if seen and mode == "team":
        yield from _entry("evidence of single sessions is not published in team mode")


def _example(example: Mapping[str, Any]) -> Iterator[str]:
    yield from _entry(f"- {example['citation']}", 6, 8)
    more = f"; {example['sessions']} sessions like it" if example["sessions"] > 1 else ""
    where = f"{example['session_key']} at {example['source_ref']}"
    yield from _entry(f"{example['severity']}, see {where}{more}", 8)


def _drift(changes: _Rows) -> Iterator[str]:
    if not changes:
        yield from _entry("nothing that could be told from chance")
    for row in changes[:_CHANGES_SHOWN]:
        low, high = 100 * row["change_low"], 100 * row["change_high"]
        yield from _entry(
            f"{row['target']} {row['value']} {row['change']}: {row['affected_after']} of "
            f"{row['sessions_after']} sessions since {row['after_from']}, before that "
            f"{row['affected_before']} of {row['sessions_before']} since {row['before_from']} "
            f"({low:+.0f} to {high:+.0f} points, q = {row['q_value']:.2g})",
            2,
            6,
        )
    if len(changes) > _CHANGES_SHOWN:
        yield from _entry(f"and {len(changes) - _CHANGES_SHOWN} more: signals report --json")


def _unserved(topics: _Rows) -> Iterator[str]:
    if not topics:
        yield from _entry("nothing that enough sessions asked for in vain")
    for row in topics[:_CHANGES_SHOWN]:
        yield from _entry(
            f"{row['topic'].replace('_', ' ')}: in {row['sessions']} of "
            f"{_plural(row['asked_sessions'], 'session')} that asked for it; mostly "
            f"{row['ending'].replace('_', ' ')}"
        )
    if len(topics) > _CHANGES_SHOWN:
        yield from _entry(f"and {len(topics) - _CHANGES_SHOWN} more: signals report --json")


def _proposals(proposals: _Rows) -> Iterator[str]:
    if not proposals:
        yield from _entry("none open")
    for row in proposals[:_PROPOSALS_SHOWN]:
        yield from _entry(
            f"{row['proposal_id']}: {row['kind'].replace('_', ' ')} `{row['name']}` for "
            f"{row['target']}"
        )
        if row["definition"]:
            yield from _entry(row["definition"], 6)
        yield from _entry(row["figures"], 6)
    if len(proposals) > _PROPOSALS_SHOWN:
        rest = len(proposals) - _PROPOSALS_SHOWN
        yield from _entry(f"and {rest} more: signals schema proposals")
    if proposals:
        yield from _entry("signals schema accept ID, or reject ID")


def _breaches(breaches: _Rows, said: Mapping[str, str]) -> Iterator[str]:
    if not breaches:
        yield from _entry("none: no pattern rose beyond its baseline")
    for row in breaches[:_BREACHES_SHOWN]:
        pattern = " / ".join(
            part for part in (row["type"], row["tool"], row["error_class"]) if part
        )
        yield from _entry(f"{pattern}, {row['agent']} {row['release']}")
        yield from _entry(
            f"{row['affected']} of {row['sessions']} sessions ({100 * row['rate']:.0f} %), before "
            f"{row['baseline_affected']} of {row['baseline_sessions']} "
            f"({100 * row['baseline_rate']:.0f} %); rise {100 * row['rise_low']:+.0f} to "
            f"{100 * row['rise_high']:+.0f} points, q = {row['q_value']:.2g}"
            + (f"; {row['task_id']}" if row["task_id"] else ""),
            6,
        )
        yield from _judge(said[row["type"]])
    if len(breaches) > _BREACHES_SHOWN:
        yield from _entry(f"and {len(breaches) - _BREACHES_SHOWN} more: signals breaches")


def _tasks(tasks: _Rows) -> Iterator[str]:
    if not tasks:
        yield from _entry("none")
    for task in tasks:
        yield from _entry(f"{task['task_id']} [{task['state']}] {task['title']}")
        if task["attempt"]:
            yield from _entry(task["attempt"], 6)
        if task["gates"]:
            yield from _entry("gates: " + ", ".join(_gate(gate) for gate in task["gates"]), 6, 8)
        if task["pr_path"]:
            yield from _entry(f"pull request: {task['pr_path']}", 6, 8)


def _gate(gate: Mapping[str, Any]) -> str:
    why = f" ({gate['reason']})" if gate["reason"] and gate["status"] != "passed" else ""
    return f"{gate['gate']} {gate['status']}{why}"


def _entry(text: str, indent: int = 2, rest: int | None = None) -> list[str]:
    """`text` wrapped to the width; control characters from a log must not reach a terminal."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return textwrap.wrap(
        plain,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2 if rest is None else rest),
        break_on_hyphens=False,
    )


def _total(rows: _Rows, status: str | None = None) -> int:
    return sum(row["count"] for row in rows if status is None or row["status"] == status)


def _few(texts: Sequence[str], separator: str = "; ") -> str:
    """The first four, and how many there are besides."""
    rest = f"{separator}{len(texts) - 4} more" if len(texts) > 4 else ""
    return separator.join(texts[:4]) + rest


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
