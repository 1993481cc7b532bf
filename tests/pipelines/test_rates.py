"""Rates over small literal corpora; the bounds are those of Wilson's formula."""

from datetime import date

import polars as pl
import pytest

from pipelines.rates import (
    JUDGEMENTS_SCHEMA,
    MOMENTS_SCHEMA,
    SESSIONS_SCHEMA,
    eligible_sessions,
    session_rates,
)

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def _sessions(*rows: tuple[str, str | None, str | None, date, bool, str | None]) -> pl.DataFrame:
    """Rows of (key, release, user, day, autonomous, exclusion)."""
    full = [
        (key, "core", release, user, "shop", day, autonomous, exclusion)
        for key, release, user, day, autonomous, exclusion in rows
    ]
    return pl.DataFrame(full, schema=SESSIONS_SCHEMA, orient="row")


def _judged(*keys: str) -> pl.DataFrame:
    rows = [(key, "judged", True) for key in keys]
    return pl.DataFrame(rows, schema=JUDGEMENTS_SCHEMA, orient="row")


def _moments(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=MOMENTS_SCHEMA, orient="row")


SESSIONS = _sessions(
    ("a", "1", "ann", MONDAY, False, None),
    ("b", "1", None, MONDAY, False, None),
    ("c", "2", None, TUESDAY, False, None),
    ("run", None, None, TUESDAY, True, None),
)
JUDGED = _judged("a", "b", "c", "run")
MOMENTS = _moments(
    ("a", "friction", "correction"),
    ("a", "friction", "correction"),
    ("a", "friction", "error_event"),
    ("b", "friction", "error_event"),
    ("c", "delight", "praise"),
    ("run", "friction", "error_event"),
    ("run", "friction", "correction"),
)


def _counts(rates: pl.DataFrame, *by: str) -> list[tuple[object, ...]]:
    columns = [*by, "polarity", "type", "affected", "sessions", "users", "session_users"]
    return rates.select(columns).rows()


def test_a_session_counts_once_over_the_sessions_that_could_show_the_type() -> None:
    rates = session_rates(SESSIONS, JUDGED, MOMENTS)
    assert _counts(rates) == [
        ("friction", "any", 3, 4, 2, 2),
        ("friction", "error_event", 3, 4, 2, 2),
        ("friction", "correction", 1, 3, 1, 2),
        ("delight", "any", 1, 4, 1, 2),
        ("delight", "praise", 1, 4, 1, 2),
    ]


def test_rates_carry_their_wilson_bounds() -> None:
    rates = session_rates(SESSIONS, JUDGED, MOMENTS)
    bounds = rates.filter(pl.col("type") == "any").select(
        "polarity", pl.col("rate", "rate_low", "rate_high").round(4)
    )
    assert bounds.rows() == [
        ("friction", 0.75, 0.3006, 0.9544),
        ("delight", 0.25, 0.0456, 0.6994),
    ]


def test_by_day_a_type_that_went_away_is_zero() -> None:
    rates = session_rates(SESSIONS, JUDGED, MOMENTS, by=["day"])
    assert _counts(rates, "day") == [
        (MONDAY, "friction", "any", 2, 2, 2, 2),
        (MONDAY, "friction", "error_event", 2, 2, 2, 2),
        (MONDAY, "friction", "correction", 1, 2, 1, 2),
        (MONDAY, "delight", "any", 0, 2, 0, 2),
        (MONDAY, "delight", "praise", 0, 2, 0, 2),
        (TUESDAY, "friction", "any", 1, 2, 1, 1),
        (TUESDAY, "friction", "error_event", 1, 2, 1, 1),
        (TUESDAY, "friction", "correction", 0, 1, 0, 1),
        (TUESDAY, "delight", "any", 1, 2, 1, 1),
        (TUESDAY, "delight", "praise", 1, 2, 1, 1),
    ]


def test_by_release_an_unknown_release_is_left_out() -> None:
    rates = session_rates(SESSIONS, JUDGED, MOMENTS, by=["agent", "release"])
    any_friction = rates.filter(pl.col("type") == "any", pl.col("polarity") == "friction")
    assert _counts(any_friction, "agent", "release") == [
        ("core", "1", "friction", "any", 2, 2, 2, 2),
        ("core", "2", "friction", "any", 0, 1, 0, 1),
    ]


@pytest.mark.parametrize(
    ("status", "current", "exclusion", "expected"),
    [
        pytest.param("judged", True, None, ["x"], id="judged"),
        pytest.param("judged", False, None, [], id="superseded"),
        pytest.param("unscored", True, None, [], id="could-not-judge"),
        pytest.param("pending", True, None, [], id="pending"),
        pytest.param("judged", True, "no person", [], id="not-selected"),
    ],
)
def test_only_selected_and_judged_sessions_are_eligible(
    status: str, current: bool, exclusion: str | None, expected: list[str]
) -> None:
    sessions = _sessions(("x", None, None, MONDAY, False, exclusion))
    judgements = pl.DataFrame([("x", status, current)], schema=JUDGEMENTS_SCHEMA, orient="row")
    assert eligible_sessions(sessions, judgements)["session_key"].to_list() == expected


def test_without_eligible_sessions_the_rate_is_unknown_not_zero() -> None:
    rates = session_rates(SESSIONS, _judged(), MOMENTS)
    assert rates.select("polarity", "affected", "sessions", "rate", "rate_low").rows() == [
        ("friction", 0, 0, None, None),
        ("delight", 0, 0, None, None),
    ]
    assert session_rates(SESSIONS, _judged(), MOMENTS, by=["day"]).rows() == []
