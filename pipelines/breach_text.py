"""The breaches of a run as rows and as plain text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from pipelines.context import Context
from pipelines.warehouse import query

_FOUND = "FROM breaches WHERE run_id = ? ORDER BY impact DESC NULLS LAST, q_value, breach_id"
_Row = Mapping[str, Any]


def found_breaches(context: Context) -> list[dict[str, Any]]:
    """The rows of `breaches` that this run found, the weightiest first."""
    with context.warehouse() as connection:
        rows = query(connection, _FOUND, [context.run_id]).to_dicts()
    return [row | {"error_rates": orjson.loads(row["error_rates"] or "[]")} for row in rows]


def breach_lines(rows: Sequence[_Row], counts: Mapping[str, int]) -> Iterator[str]:
    """What was tested, and a paragraph for each breach."""
    looks, patterns = counts["looks"], counts["patterns_tested"]
    yield (
        f"{len(rows) or 'no'} breach{'' if len(rows) == 1 else 'es'}; {patterns} distinct "
        f"pattern{'' if patterns == 1 else 's'} tested, {looks or 'no'} new "
        f"look{'' if looks == 1 else 's'} at the data"
    )
    for row in rows:
        yield ""
        yield from _paragraph(row)


def pattern_words(row: _Row) -> str:
    """What rose: `error_event at edit_file, no_match`."""
    if row["kind"] == "cluster":
        return f"cluster {row['cluster_name'] or row['cluster_id']} (mostly {row['type']})"
    if row["kind"] == "signature":
        return f"error {row['signature']} (mostly {row['type']})"
    if row["kind"] == "tool":
        return f"friction at {row['tool']} (mostly {row['type']})"
    return " at ".join(filter(None, (row["type"], row["tool"]))) + (
        f", {row['error_class']}" if row["error_class"] else ""
    )


def _paragraph(row: _Row) -> Iterator[str]:
    yield f"{row['agent']} {row['release']}: {pattern_words(row)}"
    where = f"since {row['since']}" if row["since"] else "of the release"
    yield (
        f"  {row['affected']} of {row['sessions']} sessions {where} ({row['rate']:.0%}, 95 % "
        f"{row['rate_low']:.0%} to {row['rate_high']:.0%}); {row['versus']}: "
        f"{row['baseline_affected']} of {row['baseline_sessions']} ({row['baseline_rate']:.0%}); "
        f"{row['users']} user{'' if row['users'] == 1 else 's'}"
    )
    yield f"  {_odds(row)}; q = {row['q_value']:.2g} at look {row['look']}"
    yield f"  severity {row['severity']:.1f} of 3, weight {row['impact']:.1f}; {_change(row)}"
    yield f"  error logs, for comparison only: {_errors(row)}"
    yield f"  task: {row['task_id'] or 'none'}"


def _odds(row: _Row) -> str:
    value, low, high = (
        "unbounded" if row[name] is None else f"{row[name]:.1f}"
        for name in ("odds_ratio", "odds_low", "odds_high")
    )
    return f"odds ratio within users {value} (95 % over all looks {low} to {high})"


def _change(row: _Row) -> str:
    if row["change_probability"] is None:
        return "no change point found"
    place = f"with release {row['change_release']}" if row["change_release"] else "between releases"
    days = f", 95 % {row['change_from']} to {row['change_to']}" if row["change_from"] else ""
    day = f" on {row['change_day']}" if row["change_day"] else ""
    return (
        f"likeliest to have risen {place}{day} (probability {row['change_probability']:.0%}{days}; "
        f"with a release at all {row['change_at_releases']:.0%})"
    )


def _errors(row: _Row) -> str:
    risen = [
        f"{one['service'] or 'unknown service'} {one['error_class']} "
        f"{_times(one['ratio'])} as often (95 % {_times(one['low'])} to {_times(one['high'])})"
        for one in row["error_rates"]
    ]
    return "; ".join([*risen, str(row["error_note"] or "not compared")])


def _times(value: float | None) -> str:
    return "unboundedly" if value is None else f"{value:.1f} times"
