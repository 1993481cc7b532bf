"""Intervals of shares of sessions, and of how much a share differs between two groups."""

from math import sqrt
from typing import NamedTuple

from scipy.stats import binomtest

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Bounds of a proportion, in [0, 1]."""

    low: float
    high: float


def wilson_interval(affected: int, sessions: int) -> Interval:
    """The 95 % Wilson score interval of `affected` of `sessions` (more than 0).

    Wilson and not the exact interval: with tens of sessions the exact one covers well over the
    stated 95 % and would hide changes (Brown, Cai and DasGupta, 2001).
    """
    bounds = binomtest(affected, sessions).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(bounds.low), float(bounds.high))


def newcombe_interval(hits: int, total: int, base: int, base_total: int) -> tuple[float, float]:
    """95 % interval of the difference of two independent rates (Newcombe, 1998, method 10)."""
    rate, base_rate = hits / total, base / base_total
    low, high = wilson_interval(hits, total)
    base_low, base_high = wilson_interval(base, base_total)
    difference = rate - base_rate
    return (
        difference - sqrt((rate - low) ** 2 + (base_high - base_rate) ** 2),
        difference + sqrt((high - rate) ** 2 + (base_rate - base_low) ** 2),
    )
