"""From sessions and moments in the warehouse to breaches, what they cost, and how they are told."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from pipelines.breach_text import breach_lines, found_breaches
from pipelines.context import Context
from pipelines.stages.breaches import look_for_breaches
from pipelines.warehouse import query, transaction
from tests.pipelines.conftest import NOW
from tests.pipelines.warehouse_rows import add

_FIRST = NOW - timedelta(days=20)


def _session(connection: duckdb.DuckDBPyConnection, release: str, number: int, day: int) -> str:
    key = f"{release}-{number}"
    started = _FIRST + timedelta(days=day, hours=number % 3)
    add(connection, "sessions", session_key=key, release=release, user_id=f"user-{number % 2}",
        started_at=started, first_seen=started)  # fmt: skip
    add(connection, "judgements", judgement_id=key, session_key=key, judged_at=started)
    return key


def _moment(connection: duckdb.DuckDBPyConnection, key: str, **values: Any) -> None:
    add(connection, "moments", moment_id=f"m-{key}", judgement_id=key, session_key=key,
        source_ref="line:1", **values)  # fmt: skip


@pytest.fixture
def risen(context: Context) -> Context:
    """Release 1 on ten days, then release 2 on five, half of whose sessions fail at an edit."""
    with context.warehouse() as connection, transaction(connection):
        for number in range(30):
            key = _session(connection, "1", number, number // 3)
            if number == 4:
                _moment(connection, key, type="correction", severity="low")
        for number in range(15):
            key = _session(connection, "2", number, 10 + number // 3)
            if number % 3:
                _moment(connection, key, tool="edit_file", error_class="no_match",
                        error_signature="no_match:ab12", severity="high")  # fmt: skip
        for hour in range(0, 24 * 15, 8):
            late = hour >= 24 * 10
            add(connection, "error_logs", error_id=f"e-{hour}", error_class="timeout",
                service="api" if late else "db", severity="error",
                occurred_at=_FIRST + timedelta(hours=hour),
                error_signature="timeout:cd34")  # fmt: skip
    return context


def test_a_breach_is_kept_with_all_that_is_known_of_it(risen: Context) -> None:
    counts = look_for_breaches(risen)
    assert counts == {
        "breaches": 4, "patterns_tested": 1, "looks": 1, "agents_without_baseline": 0,
        "sessions_without_release": 0,
    }  # fmt: skip
    rows = found_breaches(risen)
    assert sorted(row["kind"] for row in rows) == ["error", "signature", "tool", "type"]
    error = next(row for row in rows if row["kind"] == "error")
    assert (error["affected"], error["sessions"], error["baseline_affected"]) == (10, 15, 0)
    assert (error["odds_ratio"], error["odds_high"], error["severity"]) == (None, None, 3.0)
    assert error["impact"] == pytest.approx(30)
    assert (error["change_release"], error["change_day"]) == ("2", date(2026, 9, 21))
    assert [(one["service"], one["ratio"]) for one in error["error_rates"]] == [("api", None)]
    assert error["error_note"] == "2 classes of errors compared, 1 rose"


def test_the_same_day_again_spends_nothing_and_tells_the_same(risen: Context) -> None:
    look_for_breaches(risen)
    first = found_breaches(risen)
    again = replace(risen, run_id="run-2", clock=lambda: NOW + timedelta(hours=3))
    assert look_for_breaches(again)["looks"] == 0
    assert [row | {"run_id": "run-1"} for row in found_breaches(again)] == first
    with again.warehouse() as connection:
        looks = query(connection, "SELECT number, level, run_id FROM breach_looks").rows()
    assert looks == [(1, 0.05, "run-1")]


def test_a_breach_is_told_in_words(risen: Context) -> None:
    counts = look_for_breaches(risen)
    rows = [row for row in found_breaches(risen) if row["kind"] == "error"]
    assert list(breach_lines(rows, counts)) == [
        "1 breach; 1 distinct pattern tested, 1 new look at the data",
        "",
        "core 2: error_event at edit_file, no_match",
        "  10 of 15 sessions of the release (67%, 95 % 42% to 85%); earlier releases: 0 of 30 "
        "(0%); 2 users",
        "  odds ratio within users unbounded (95 % over all looks 6.5 to unbounded); "
        "q = 2.7e-06 at look 1",
        "  severity 3.0 of 3, weight 30.0; likeliest to have risen with release 2 on 2026-09-21 "
        "(probability 99%, 95 % 2026-09-21 to 2026-09-21; with a release at all 99%)",
        "  error logs, for comparison only: api timeout unboundedly as often (95 % 6.1 times to "
        "unboundedly); 2 classes of errors compared, 1 rose",
        "  task: none",
    ]
