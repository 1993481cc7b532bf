"""Breach statistics over literal sessions and moments."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipelines.thresholds import Floors, find_breaches

_START = datetime(2026, 9, 1, tzinfo=UTC)
_FLOORS = Floors(min_sessions=5, min_users=1, false_discovery_rate=0.05)


def _sessions(release: str, number: int, *, day: int, users: int = 3) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "session_key": [f"{release}-{i}" for i in range(number)],
            "agent": ["core"] * number,
            "release": [release] * number,
            "user_id": [f"user-{i % users}" for i in range(number)],
            "is_autonomous": [False] * number,
            "started_at": [_START + timedelta(days=day, minutes=i) for i in range(number)],
        }
    )


def _moments(
    release: str, number: int, type_: str, tool: str | None = None, error: str | None = None
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "session_key": [f"{release}-{i}" for i in range(number)],
            "type": [type_] * number,
            "tool": pl.Series([tool] * number, dtype=pl.String),
            "error_class": pl.Series([error] * number, dtype=pl.String),
        }
    )


def test_a_rise_at_one_tool_breaches_as_a_type_and_at_the_tool() -> None:
    sessions = pl.concat([_sessions("1", 30, day=0), _sessions("2", 20, day=10)])
    moments = pl.concat(
        [
            _moments("1", 1, "error_event", "run_command", "timeout"),
            _moments("2", 12, "error_event", "run_command", "timeout"),
            _moments("1", 6, "correction"),
            _moments("2", 5, "correction"),
        ]
    )
    tested = find_breaches(sessions, moments, _FLOORS)
    found = [
        (b.type, b.tool, b.error_class, b.affected, b.sessions, b.baseline_affected, b.users)
        for b in tested.breaches
    ]
    assert sorted(found, key=str) == [
        ("error_event", "run_command", "timeout", 12, 20, 1, 3),
        ("error_event", None, None, 12, 20, 1, 3),
    ]
    assert tested.patterns == 3
    assert all(b.rise_low > 0 and b.q_value < 0.05 for b in tested.breaches)


@pytest.mark.parametrize(
    ("floors", "hits"),
    [
        pytest.param(_FLOORS, 4, id="fewer sessions than the floor"),
        pytest.param(Floors(5, 4, 0.05), 12, id="fewer users than the floor"),
    ],
)
def test_below_a_floor_nothing_is_tested(floors: Floors, hits: int) -> None:
    sessions = pl.concat([_sessions("1", 30, day=0), _sessions("2", 20, day=10)])
    tested = find_breaches(sessions, _moments("2", hits, "error_event"), floors)
    assert (tested.breaches, tested.patterns) == ((), 0)


def test_the_first_release_has_no_baseline() -> None:
    tested = find_breaches(_sessions("1", 30, day=0), _moments("1", 20, "correction"), _FLOORS)
    assert (tested.breaches, tested.agents_without_baseline) == ((), 1)


def test_the_newest_release_is_the_one_seen_first_last_whatever_its_name() -> None:
    sessions = pl.concat([_sessions("b", 30, day=0), _sessions("a", 20, day=10)])
    tested = find_breaches(sessions, _moments("a", 15, "correction"), _FLOORS)
    assert [(b.release, b.baseline_sessions) for b in tested.breaches] == [("a", 30)]


def test_a_release_with_few_sessions_does_not_hide_the_one_before() -> None:
    sessions = pl.concat(
        [_sessions("1", 30, day=0), _sessions("2", 20, day=10), _sessions("3", 2, day=20)]
    )
    tested = find_breaches(sessions, _moments("2", 15, "correction"), _FLOORS)
    assert [(b.release, b.sessions, b.baseline_sessions) for b in tested.breaches] == [
        ("2", 20, 30)
    ]


def test_a_rate_that_did_not_rise_is_no_breach() -> None:
    sessions = pl.concat([_sessions("1", 30, day=0), _sessions("2", 20, day=10)])
    moments = pl.concat([_moments("1", 15, "correction"), _moments("2", 10, "correction")])
    assert find_breaches(sessions, moments, _FLOORS).breaches == ()


def test_friction_of_a_person_is_not_looked_for_in_autonomous_runs() -> None:
    autonomous = pl.col("session_key").str.starts_with("2").alias("is_autonomous")
    sessions = pl.concat([_sessions("1", 30, day=0), _sessions("2", 20, day=10)])
    tested = find_breaches(
        sessions.with_columns(autonomous), _moments("2", 15, "correction"), _FLOORS
    )
    assert (tested.breaches, tested.patterns) == ((), 0)
