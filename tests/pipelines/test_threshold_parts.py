"""The statistics under a breach, against other ways to compute them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import fisher_exact, hypergeom
from scipy.stats.contingency import odds_ratio as scipy_odds_ratio

from pipelines.thresholds.change_points import Cell, find_change
from pipelines.thresholds.error_rates import ERROR_SCHEMA, Span, compare_errors
from pipelines.thresholds.exact import Stratum, hit_distribution, odds_ratio, rise_p_value


@pytest.mark.parametrize("counts", [(10, 27, 0, 29), (8, 27, 0, 29), (5, 40, 9, 60), (3, 3, 2, 7)])
def test_one_stratum_is_fishers_test_with_its_interval(counts: tuple[int, int, int, int]) -> None:
    hits, sessions, base, base_sessions = counts
    table = [[hits, sessions - hits], [base, base_sessions - base]]
    found = hit_distribution([Stratum(*counts)])
    assert rise_p_value(found) == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
    theirs = scipy_odds_ratio(table, kind="conditional")
    bounds = theirs.confidence_interval(0.95)
    mine = odds_ratio(found, 0.95)
    assert mine == pytest.approx((theirs.statistic, bounds.low, bounds.high), rel=1e-4)


def test_several_strata_are_the_sum_of_their_hits() -> None:
    """Against a simulation of both strata."""
    strata = [Stratum(4, 9, 1, 8), Stratum(3, 5, 2, 20)]
    draw = np.random.default_rng(7)
    sums = sum(
        hypergeom(s.sessions + s.base_sessions, s.hits + s.base_hits, s.sessions).rvs(
            200_000, random_state=draw
        )
        for s in strata
    )
    assert rise_p_value(hit_distribution(strata)) == pytest.approx(np.mean(sums >= 7), abs=0.002)


def test_strata_with_other_rates_and_other_shares_are_no_rise() -> None:
    """Simpson's paradox: pooled it is 19 of 30 against 11 of 30."""
    found = hit_distribution([Stratum(18, 20, 9, 10), Stratum(1, 10, 2, 20)])
    assert rise_p_value(found) > 0.5
    assert rise_p_value(hit_distribution([Stratum(19, 30, 11, 30)])) < 0.05


def _cells(*rows: tuple[str, int, int, int]) -> list[Cell]:
    return [Cell(release, date(2026, 9, day), hits, total) for release, day, hits, total in rows]


def test_a_rise_at_a_release_is_told_from_one_days_after_it() -> None:
    before = [("1", day, 0, 6) for day in range(1, 6)]
    at_once = find_change(_cells(*before, *(("2", day, 3, 6) for day in range(6, 12))))
    late = find_change(
        _cells(*before, *(("2", day, 0, 6) for day in range(6, 12)),
               *(("2", day, 4, 6) for day in range(12, 16)))
    )  # fmt: skip
    assert at_once is not None
    assert late is not None
    assert (at_once.release, at_once.day) == ("2", date(2026, 9, 6))
    assert at_once.at_releases > 0.9
    assert (late.release, late.day) == (None, date(2026, 9, 12))
    assert late.at_releases < 0.05
    assert (late.day_from, late.day_to) == (date(2026, 9, 12), date(2026, 9, 12))


def test_nothing_that_rises_has_no_change_point() -> None:
    assert find_change(_cells(("1", 1, 5, 6), ("2", 2, 1, 6))) is None


_MIDNIGHT = datetime(2026, 9, 1, tzinfo=UTC)


def _errors(*rows: tuple[int, str, str]) -> pl.DataFrame:
    """(hour from midnight, service, class)."""
    return pl.DataFrame(
        [(_MIDNIGHT + timedelta(hours=hour), service, name) for hour, service, name in rows],
        schema=ERROR_SCHEMA,
        orient="row",
    )


def test_errors_that_came_with_the_breach_are_named_and_a_burst_counts_once() -> None:
    span = Span(_MIDNIGHT + timedelta(hours=100), _MIDNIGHT + timedelta(hours=150))
    before = Span(_MIDNIGHT, span.begin)
    found = compare_errors(
        _errors(
            (0, "db", "other"), (150, "db", "other"),
            *((hour, "api", "timeout") for hour in range(100, 130)),
            *((120, "web", "network") for _ in range(500)),
        ),
        span, before,
    )  # fmt: skip
    assert [(one.service, one.error_class, one.hours, one.base_hours) for one in found.risen] == [
        ("api", "timeout", 30, 0)
    ]
    assert found.risen[0].low > 5
    assert found.note == "3 classes of errors compared, 1 rose"


@pytest.mark.parametrize(
    ("errors", "note"),
    [
        pytest.param(_errors(), "no error logs were ingested", id="none"),
        pytest.param(
            _errors((101, "api", "timeout"), (149, "api", "timeout")),
            "the error logs do not cover both times",
            id="logs begin after the baseline",
        ),
    ],
)
def test_errors_that_cannot_be_compared_say_why(errors: pl.DataFrame, note: str) -> None:
    span = Span(_MIDNIGHT + timedelta(hours=100), _MIDNIGHT + timedelta(hours=150))
    found = compare_errors(errors, span, Span(_MIDNIGHT, span.begin))
    assert (found.risen, found.note) == ((), note)
