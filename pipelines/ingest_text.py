"""The report of `signals ingest` as text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from pipelines.ingest_problems import Kind, Problem
from pipelines.ingest_report import IngestReport

_SHOWN = 10
_NAMED = 3
_HEADINGS: dict[Kind, str] = {
    "unreadable": "Could not be read",
    "broken record": "Broken records, set aside",
    "unusual": "Read, but unusual",
    "unknown": "Of no known format, not read",
}
_NAMES = {
    "unchanged": "unchanged since they were read",
    "part": "read as part of a conversation in several files",
    "metadata": "metadata beside a log",
    "unknown": "of no known format",
    "excluded": "kept out by [sources] exclude",
    "unreadable": "unreadable",
    "selected": "selected",
    "counted": "counted",
}


def report_as_text(report: IngestReport, *, list_all: bool = False) -> str:
    """The whole report; of many problems of one kind the first ten, unless all are wanted."""
    return "\n".join(
        [
            "Coverage",
            *_sum(report.files, "file", "found"),
            *_sum(report.sessions, "session", "in them", left_out="left out: "),
            *_sum(report.steps, "step", "in them"),
            f"{_many(report.records['decoded'], 'record', 9)} decoded",
            f"{_many(report.records['quarantined'], 'broken record', 9)} set aside",
            *_formats(report),
            "",
            _new(report),
            *_problems(report, len(report.problems) if list_all else _SHOWN),
        ]
    )


def pass_as_line(report: IngestReport, at: datetime) -> str:
    """One line on a pass that follows: what was new, and what could not be read."""
    read = report.files["found"] - report.files["unchanged"]
    told = [
        _many(read, "file"),
        f"{_many(report.new['sessions'], 'new session')}, {_many(report.new['steps'], 'new step')}",
    ]
    told += [line for kind in _HEADINGS if (line := _named(report.problems, kind))]
    return f"{at:%H:%M:%S}  {'; '.join(told)}"


def has_news(report: IngestReport) -> bool:
    """Whether any file was read in the pass."""
    return report.files["found"] > report.files["unchanged"]


def _named(problems: Iterable[Problem], kind: Kind) -> str:
    """`2 unreadable (a.jsonl, b.jsonl)`; empty where there are none."""
    names = list(dict.fromkeys(_name(problem) for problem in problems if problem.kind == kind))
    shown = [*names[:_NAMED], *([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
    return f"{len(names)} {kind} ({', '.join(shown)})" if names else ""


def _sum(counts: Mapping[str, int], what: str, where: str, left_out: str = "") -> Iterator[str]:
    yield f"{_many(counts['found'], what, 9)} {where}"
    for name, number in counts.items():
        if name != "found" and number:
            yield f"{number:>13} {_NAMES.get(name) or (left_out + name)}"


def _formats(report: IngestReport) -> Iterator[str]:
    if report.formats:
        yield ""
        yield f"{'By format':<18}{'files':>9}{'sessions':>10}{'steps':>10}"
    for row in report.formats:
        yield f"  {row.format:<16}{row.files:>9}{row.sessions:>10}{row.steps:>10}"


def _new(report: IngestReport) -> str:
    new = report.new
    told = f"New: {_many(new['sessions'], 'session')}, {_many(new['steps'], 'step')}"
    if excluded := new["sessions_excluded"]:
        told += f"; {_many(excluded, 'session')} kept out by [sources] exclude"
    return told


def _problems(report: IngestReport, shown: int) -> Iterator[str]:
    order = list(_HEADINGS)
    ranked = sorted(report.problems, key=lambda p: (order.index(p.kind), p.remedy, p.path))
    for kind, found in groupby(ranked, key=lambda p: p.kind):
        of_kind = list(found)
        yield ""
        yield f"{_HEADINGS[kind]} ({len(of_kind)})"
        for remedy, alike in groupby(of_kind, key=lambda p: p.remedy):
            yield from _alike(list(alike), remedy, shown)


def _alike(problems: Sequence[Problem], remedy: str, shown: int) -> Iterable[str]:
    yield from (f"  {_where(problem)}: {problem.reason}" for problem in problems[:shown])
    if len(problems) > shown:
        yield f"  and {len(problems) - shown} more: --list-all or --json names each"
    yield f"    -> {remedy}"


def _where(problem: Problem) -> str:
    place = problem.place or ""
    return _printable(problem.path) + (place[4:] if place.startswith("line:") else place)


def _name(problem: Problem) -> str:
    file = _printable(problem.path).rpartition("/")[2]
    return _where(replace(problem, path=file))


def _printable(path: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path)


def _many(number: int, what: str, width: int = 0) -> str:
    return f"{number:>{width}} {what}{'' if number == 1 else 's'}"
