"""Whether errors of services became more frequent while a pattern rose.

Described beside a breach, and no part of what makes it one: what rose together need not have the
same cause. An hour with an error counts once, because errors come in bursts; the ratio of the
rates of such hours has the exact interval of two Poisson rates (Przyborowski and Wilenski, 1940).
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from scipy.stats import binomtest

from agent_core.proportions import CONFIDENCE

ERROR_SCHEMA: dict[str, pl.DataType] = {
    "occurred_at": pl.Datetime("us", "UTC"),
    "service": pl.String(),
    "error_class": pl.String(),
}
_SHOWN = 3
_LEAST_HOURS = 1.0


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A class of errors of one service, in the time of a breach and in that of its baseline."""

    service: str | None
    error_class: str
    hours: int
    """Hours with such an error, of `of_hours` that the logs cover."""
    of_hours: float
    base_hours: int
    base_of_hours: float
    ratio: float | None
    """Of the two rates; None: the baseline has none."""
    low: float
    high: float | None
    """The interval holds for all the classes that were compared at once; None: unbounded."""


@dataclass(frozen=True, slots=True)
class ErrorComparison:
    """What rose along, and what is to be said of the comparison."""

    risen: tuple[ErrorRate, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time."""

    begin: datetime
    end: datetime

    def within(self, other: "Span") -> "Span":
        """The part of it inside `other`; of no length where there is none."""
        begin = max(self.begin, other.begin)
        return Span(begin, max(begin, min(self.end, other.end)))

    @property
    def hours(self) -> float:
        return (self.end - self.begin).total_seconds() / 3600


def compare_errors(errors: pl.DataFrame, newer: Span, baseline: Span) -> ErrorComparison:
    """The classes of `errors` (ERROR_SCHEMA) whose rate rose from `baseline` to `newer`."""
    if not errors.height:
        return ErrorComparison((), "no error logs were ingested")
    begin, end = errors["occurred_at"].min(), errors["occurred_at"].max()
    assert isinstance(begin, datetime)
    assert isinstance(end, datetime)
    covered = Span(begin, end)
    newer, baseline = newer.within(covered), baseline.within(covered)
    if min(newer.hours, baseline.hours) < _LEAST_HOURS:
        return ErrorComparison((), "the error logs do not cover both times")
    counts = _hours_with_errors(errors, newer, baseline)
    rates = [_rate(row, newer.hours, baseline.hours, len(counts)) for row in counts]
    risen = sorted((one for one in rates if one.low > 1), key=lambda one: -one.low)
    classes = f"{len(counts)} class{'' if len(counts) == 1 else 'es'} of errors compared"
    return ErrorComparison(tuple(risen[:_SHOWN]), f"{classes}, {len(risen)} rose")


_Counts = tuple[str | None, str, int, int]


def _hours_with_errors(errors: pl.DataFrame, newer: Span, baseline: Span) -> list[_Counts]:
    hours = (
        errors.with_columns(
            is_newer=pl.col("occurred_at").is_between(newer.begin, newer.end),
            is_base=pl.col("occurred_at").is_between(baseline.begin, baseline.end, closed="left"),
            hour=pl.col("occurred_at").dt.truncate("1h"),
        )
        .filter(pl.col("is_newer") | pl.col("is_base"))
        .group_by("service", "error_class")
        .agg(
            newer=pl.col("hour").filter("is_newer").n_unique(),
            base=pl.col("hour").filter("is_base").n_unique(),
        )
        .sort("service", "error_class", nulls_last=True)
    )
    return list(hours.iter_rows())


def _rate(row: _Counts, hours: float, base_hours: float, compared: int) -> ErrorRate:
    service, error_class, newer, base = row
    share = binomtest(newer, newer + base).proportion_ci(1 - (1 - CONFIDENCE) / compared)
    exposure = base_hours / hours
    return ErrorRate(
        service=service,
        error_class=error_class,
        hours=newer,
        of_hours=hours,
        base_hours=base,
        base_of_hours=base_hours,
        ratio=newer / base * exposure if base else None,
        low=_odds(float(share.low)) * exposure,
        high=_odds(float(share.high)) * exposure if share.high < 1 else None,
    )


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else float("inf")
