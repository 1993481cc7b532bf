"""Breach statistics over literal sessions and moments."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from pipelines import thresholds
from pipelines.thresholds import MOMENT_SCHEMA, Floors, find_breaches
from pipelines.thresholds.spending import level_of_comparison, share_of_look

_START = datetime(2026, 9, 1, tzinfo=UTC)
_NOW = _START + timedelta(days=30)
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
            "known_at": [_START + timedelta(days=day + 1)] * number,
        }
    )


def _moments(release: str, number: int, type_: str, **columns: str) -> pl.DataFrame:
    """The first `number` sessions of `release` show such a moment."""
    wanted = {"type": type_, "severity": "medium", **columns}
    rows = [wanted | {"session_key": f"{release}-{i}"} for i in range(number)]
    return pl.DataFrame(rows, schema=MOMENT_SCHEMA)


def _look(
    sessions: pl.DataFrame, *moments: pl.DataFrame, floors: Floors = _FLOORS
) -> thresholds.Tested:
    return find_breaches(sessions, pl.concat(moments), floors, now=_NOW)


_TWO_RELEASES = (("1", 30, 0), ("2", 20, 10))


def _two_releases() -> pl.DataFrame:
    return pl.concat(_sessions(name, number, day=day) for name, number, day in _TWO_RELEASES)


def test_a_rise_at_one_tool_breaches_under_every_name_it_has() -> None:
    error = {"tool": "run_command", "error_class": "timeout", "signature": "timeout:ab12"}
    tested = _look(
        _two_releases(),
        _moments("1", 1, "error_event", **error),
        _moments("2", 12, "error_event", **error, cluster_id="c-1", severity="high"),
        _moments("1", 6, "correction"),
        _moments("2", 5, "correction"),
    )
    found = [
        (b.kind, b.type, b.tool, b.error_class, b.signature, b.cluster_id, b.affected,
         b.baseline_affected, b.users)
        for b in tested.breaches
    ]  # fmt: skip
    tool, timeout, signature = error.values()
    assert sorted(found, key=str) == [
        ("cluster", "error_event", None, None, None, "c-1", 12, 0, 3),
        ("error", "error_event", tool, timeout, None, None, 12, 1, 3),
        ("signature", "error_event", None, timeout, signature, None, 12, 1, 3),
        ("tool", "error_event", tool, None, None, None, 12, 1, 3),
        ("type", "error_event", None, None, None, None, 12, 1, 3),
    ]
    assert tested.patterns == 3  # the error, the cluster, the corrections
    assert all(b.rise_low > 0 and b.q_value < 0.05 and b.odds_low > 1 for b in tested.breaches)
    assert {b.severity for b in tested.breaches} == {3.0}


@pytest.mark.parametrize(
    ("floors", "hits"),
    [
        pytest.param(_FLOORS, 4, id="fewer sessions than the floor"),
        pytest.param(Floors(5, 4, 0.05), 12, id="fewer users than the floor"),
    ],
)
def test_below_a_floor_nothing_is_tested(floors: Floors, hits: int) -> None:
    tested = _look(_two_releases(), _moments("2", hits, "error_event"), floors=floors)
    assert (tested.breaches, tested.patterns) == ((), 0)


def test_the_first_release_has_no_baseline() -> None:
    tested = _look(_sessions("1", 30, day=0), _moments("1", 20, "correction"))
    assert (tested.breaches, tested.agents_without_baseline, tested.looks) == ((), 1, ())


def test_the_newest_release_is_the_one_seen_first_last_whatever_its_name() -> None:
    sessions = pl.concat([_sessions("b", 30, day=0), _sessions("a", 20, day=10)])
    tested = _look(sessions, _moments("a", 15, "correction"))
    assert [(b.release, b.baseline_sessions) for b in tested.breaches] == [("a", 30)]


def test_a_release_with_few_sessions_does_not_hide_the_one_before() -> None:
    sessions = pl.concat([_two_releases(), _sessions("3", 2, day=20)])
    tested = _look(sessions, _moments("2", 15, "correction"))
    assert [(b.release, b.sessions, b.baseline_sessions) for b in tested.breaches] == [
        ("2", 20, 30)
    ]


def test_a_rate_that_did_not_rise_is_no_breach() -> None:
    moments = _moments("1", 15, "correction"), _moments("2", 10, "correction")
    assert _look(_two_releases(), *moments).breaches == ()


def test_friction_of_a_person_is_not_looked_for_in_autonomous_runs() -> None:
    autonomous = pl.col("session_key").str.starts_with("2").alias("is_autonomous")
    tested = _look(_two_releases().with_columns(autonomous), _moments("2", 15, "correction"))
    assert (tested.breaches, tested.patterns) == ((), 0)


def test_a_rise_in_the_last_week_of_the_only_release_breaches_against_its_days_before() -> None:
    weeks = [_sessions("1", 30, day=0), _sessions("late", 20, day=15)]
    sessions = pl.concat(weeks).with_columns(release=pl.lit("1"))
    tested = _look(sessions, _moments("1", 1, "correction"), _moments("late", 12, "correction"))
    (breach,) = tested.breaches
    assert (breach.versus, breach.since) == ("earlier days", date(2026, 9, 15))
    assert (breach.affected, breach.sessions, breach.baseline_sessions) == (12, 20, 30)
    assert breach.change is not None
    assert (breach.change.release, breach.change.day) == (None, date(2026, 9, 16))


def test_other_users_are_no_rise() -> None:
    """Whoever came with the release always had this friction; those who were there have it as
    before."""
    named = pl.col("session_key").str.replace("-.*", "") + pl.col("user_id")
    newcomers = pl.concat([_sessions("1", 30, day=0), _sessions("2", 20, day=10, users=1)])
    moments = _moments("2", 15, "correction")
    assert _look(newcomers.with_columns(user_id=named), moments).breaches == ()
    assert len(_look(newcomers, moments).breaches) == 1


def test_a_look_is_not_repeated_before_the_data_have_grown_by_half() -> None:
    """And what comes meanwhile is not looked at: a look at it was not paid for."""
    first = _look(_two_releases(), _moments("2", 4, "correction"))
    assert [(look.number, look.level) for look in first.looks] == [(1, 0.05)]
    later = _sessions("more", 3, day=40).with_columns(release=pl.lit("2"))
    grown = pl.concat([_two_releases(), later])
    moments = pl.concat([_moments("2", 4, "correction"), _moments("more", 3, "correction")])
    second = find_breaches(
        grown, moments, _FLOORS, now=_START + timedelta(days=42), looks=first.looks
    )
    assert (second.looks, second.new_looks, second.patterns) == (first.looks, 0, 0)
    much = _sessions("more", 30, day=40).with_columns(release=pl.lit("2"))
    third = find_breaches(
        pl.concat([_two_releases(), much]), moments, _FLOORS,
        now=_START + timedelta(days=42), looks=first.looks,
    )  # fmt: skip
    assert [look.number for look in third.looks if look.versus == "earlier releases"] == [2]


def test_all_looks_and_all_comparisons_of_a_year_stay_in_their_budgets() -> None:
    assert sum(share_of_look(number) for number in range(1, 2000)) < 1
    opened: list[tuple[datetime, float]] = []
    for day in range(700):
        now = _START + timedelta(days=day)
        opened.append((now, level_of_comparison(opened, now, 0.05, 1.0)))
        assert sum(level for at, level in opened if at > now - timedelta(days=365)) <= 1
    levels = [level for _, level in opened]
    assert (levels[0], round(levels[9], 3)) == (0.05, 0.008)
    assert min(levels) > 1 / 500
