"""The report's plain text, at most `report_layout.WIDTH` columns wide; takes its JSON form."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pipelines.report_layout import entry, judge_entry, plural
from pipelines.report_repair_text import breach_lines, effect_lines, task_lines

_POLARITIES = ("friction", "delight")
_TYPES_SHOWN = 6
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
    yield from entry(f"Signals report of {moment} (run {report['run_id']})", 0)
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
    yield from _section("Breaches", breach_lines(report["breaches"], friction))
    yield from _section("Patch tasks", task_lines(report["tasks"]))
    yield from _section("Effect of merged patches", effect_lines(report["repair"]))


def _section(title: str, body: Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    yield from body


def _coverage(coverage: _Rows, judges: _Rows) -> Iterator[str]:
    sessions = [row for row in coverage if row["area"] == "sessions"]
    seen, left_out = _total(sessions), _total(sessions, "excluded")
    yield from entry(f"{seen:>6} sessions seen in {_files(coverage)}")
    yield from entry(f"{left_out:>6} left out{_reasons(sessions, 'excluded')}")
    yield from entry(f"{seen - left_out:>6} selected, of which")
    yield from entry(f"{_total(sessions, 'judged'):>6} judged{_judges(judges)}", 4)
    for status, words in (
        ("pending", "pending"),
        ("unscored", "could not be judged"),
        ("waiting", "not judged yet"),
    ):
        if _total(sessions, status) or status == "unscored":
            line = f"{_total(sessions, status):>6} {words}{_reasons(sessions, status)}"
            yield from entry(line, 4)
    quarantined = _total([row for row in coverage if row["area"] == "records"], "quarantined")
    if quarantined:
        yield from entry(f"{quarantined:>6} broken records set aside")
    withheld = _total([row for row in coverage if row["area"] == "withheld"])
    if withheld:
        yield from entry(f"{withheld:>6} rows withheld: fewer sessions or users than the floors")


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
        of_models = f" of {plural(len(names), 'model')}" if names else ""
        line += f", {plural(calls, 'call')}{of_models} without a price"
        line += f": {_few(names, ', ')}" if names else ""
    if known or calls:
        yield from entry(line, 2, 9)


def _files(coverage: _Rows) -> str:
    files = [row for row in coverage if row["area"] == "files"]
    unread = [
        f"{row['count']} {row['status']}{': ' + row['reason'] if row['reason'] else ''}"
        for row in files
        if row["status"] != "read"
    ]
    note = f" ({_total(files) - _total(files, 'read')} not read: {_few(unread)})" if unread else ""
    return f"{plural(_total(files), 'file')}{note}"


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
            yield from entry(f"{polarity:<9} not known: no judged session to tell")
        else:
            yield from entry(f"{polarity:<9} {_share(rate)} judged sessions")
            yield from judge_entry(said["any"])
            if "severity" in said:
                yield from judge_entry(said["severity"], "severity")
    whole = [row["labels"] for row in report["accuracy"] if row["type"] == "any"]
    for labels in dict.fromkeys(filter(None, whole)):
        yield from entry(f"judge measured against {labels}")
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


def _audit(report: Mapping[str, Any]) -> Iterator[str]:
    """What the rules miss, measured against a model's verdict."""
    rows, withheld = report["audit"], report["coverage"]
    if not rows:
        is_withheld = any(r["area"] == "withheld" and r["status"] == "audit" for r in withheld)
        why = "withheld, too few sessions or users" if is_withheld else "nothing was audited"
        yield from entry(f"audit     what the rules miss is not measured: {why}")
        return
    head = rows[0]
    yield from entry(
        f"audit     {head['model']} judged {head['audited']} of "
        f"{plural(head['drawn'], 'session')} drawn at random; its verdict is the reference, "
        "not the truth",
        2,
        12,
    )
    for row in rows:
        yield from entry(f"{row['level']}s: {_audited(row)}", 12, 14)


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
    seen = [row for row in types if row["rate"]["affected"]]
    if not seen:
        yield from entry("none found in the judged sessions")
    for row in seen[:_TYPES_SHOWN]:
        high = f", {row['high']} high" if row["high"] else ""
        yield from entry(f"{row['type']:<22} {_share(row['rate'])} sessions{high}")
        yield from judge_entry(said[row["type"]])
        by_text = {example["citation"]: example for example in reversed(row["examples"])}
        for example in [*reversed(by_text.values())][:examples]:
            yield from _example(example)
    if len(seen) > _TYPES_SHOWN:
        yield from entry(f"and {len(seen) - _TYPES_SHOWN} rarer types: signals report --json")
    if seen and mode == "team":
        yield from entry("evidence of single sessions is not published in team mode")


def _example(example: Mapping[str, Any]) -> Iterator[str]:
    yield from entry(f"- {example['citation']}", 6, 8)
    more = f"; {example['sessions']} sessions like it" if example["sessions"] > 1 else ""
    where = f"{example['session_key']} at {example['source_ref']}"
    yield from entry(f"{example['severity']}, see {where}{more}", 8)


def _drift(changes: _Rows) -> Iterator[str]:
    if not changes:
        yield from entry("nothing that could be told from chance")
    for row in changes[:_CHANGES_SHOWN]:
        low, high = 100 * row["change_low"], 100 * row["change_high"]
        yield from entry(
            f"{row['target']} {row['value']} {row['change']}: {row['affected_after']} of "
            f"{row['sessions_after']} sessions since {row['after_from']}, before that "
            f"{row['affected_before']} of {row['sessions_before']} since {row['before_from']} "
            f"({low:+.0f} to {high:+.0f} points, q = {row['q_value']:.2g})",
            2,
            6,
        )
    if len(changes) > _CHANGES_SHOWN:
        yield from entry(f"and {len(changes) - _CHANGES_SHOWN} more: signals report --json")


def _unserved(topics: _Rows) -> Iterator[str]:
    if not topics:
        yield from entry("nothing that enough sessions asked for in vain")
    for row in topics[:_CHANGES_SHOWN]:
        yield from entry(
            f"{row['topic'].replace('_', ' ')}: in {row['sessions']} of "
            f"{plural(row['asked_sessions'], 'session')} that asked for it; mostly "
            f"{row['ending'].replace('_', ' ')}"
        )
    if len(topics) > _CHANGES_SHOWN:
        yield from entry(f"and {len(topics) - _CHANGES_SHOWN} more: signals report --json")


def _proposals(proposals: _Rows) -> Iterator[str]:
    if not proposals:
        yield from entry("none open")
    for row in proposals[:_PROPOSALS_SHOWN]:
        yield from entry(
            f"{row['proposal_id']}: {row['kind'].replace('_', ' ')} `{row['name']}` for "
            f"{row['target']}"
        )
        if row["definition"]:
            yield from entry(row["definition"], 6)
        yield from entry(row["figures"], 6)
    if len(proposals) > _PROPOSALS_SHOWN:
        rest = len(proposals) - _PROPOSALS_SHOWN
        yield from entry(f"and {rest} more: signals schema proposals")
    if proposals:
        yield from entry("signals schema accept ID, or reject ID")


def _total(rows: _Rows, status: str | None = None) -> int:
    return sum(row["count"] for row in rows if status is None or row["status"] == status)


def _few(texts: Sequence[str], separator: str = "; ") -> str:
    """The first four, and how many there are besides."""
    rest = f"{separator}{len(texts) - 4} more" if len(texts) > 4 else ""
    return separator.join(texts[:4]) + rest
