"""Two rates compared exactly within strata.

Within a stratum, here the sessions of one user, the hits on the newer side given all hits are
hypergeometric where the rate did not change, whatever that rate is. Their sum over the strata is
the statistic: Fisher's exact test with one stratum, the exact conditional test of a common odds
ratio with several (Gart, 1970; Agresti, 1992, section 3). A change in who uses the agent can
therefore not pass for a change of the agent.
"""

from collections.abc import Callable, Iterable
from math import exp, inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln

_FARTHEST = 30.0
"""Of a log odds ratio: beyond it one side has all of the hits."""


class Stratum(NamedTuple):
    """Counts of sessions that are alike but for the side they stand on."""

    hits: int
    sessions: int
    base_hits: int
    base_sessions: int


class HitDistribution(NamedTuple):
    """Of the hits on the newer side, given all hits, where nothing changed."""

    least: int
    """What `weights` begins at."""
    weights: NDArray[np.float64]
    """Probabilities of `least`, `least` + 1, …; they add up to 1."""
    observed: int


class OddsRatio(NamedTuple):
    """A common odds ratio, new against old, with its interval; infinite where no hit is old."""

    value: float
    low: float
    high: float


def hit_distribution(strata: Iterable[Stratum]) -> HitDistribution:
    """The distribution of the hits over all strata."""
    least, weights, observed = 0, np.ones(1), 0
    for stratum in strata:
        low, own = _hypergeometric(stratum)
        least += low
        observed += stratum.hits
        if own.size > 1:
            weights = np.convolve(weights, own)
    return HitDistribution(least, weights / weights.sum(), observed)


def rise_p_value(found: HitDistribution) -> float:
    """Probability of so many hits or more on the newer side where nothing changed."""
    return float(min(found.weights[found.observed - found.least :].sum(), 1.0))


def odds_ratio(found: HitDistribution, confidence: float) -> OddsRatio:
    """Conditional maximum-likelihood estimate, and the exact interval (Cornfield, 1956)."""
    place, last = found.observed - found.least, found.weights.size - 1
    tail = (1 - confidence) / 2
    places = np.arange(last + 1)

    def upper_tail(tilted: NDArray[np.float64]) -> float:
        return float(tilted[place:].sum() - tail)

    def lower_tail(tilted: NDArray[np.float64]) -> float:
        return float(tail - tilted[: place + 1].sum())

    def mean(tilted: NDArray[np.float64]) -> float:
        return float(tilted @ places - place)

    low = _root(found.weights, upper_tail) if place > 0 else 0.0
    high = _root(found.weights, lower_tail) if place < last else inf
    if place == 0:
        return OddsRatio(0.0 if last else 1.0, low, high)
    return OddsRatio(_root(found.weights, mean) if place < last else inf, low, high)


def _hypergeometric(stratum: Stratum) -> tuple[int, NDArray[np.float64]]:
    """The least number of hits on the newer side, and the probabilities from there."""
    hits, sessions, base_hits, base_sessions = stratum
    total = hits + base_hits
    least, most = max(0, total - base_sessions), min(total, sessions)
    if least == most:
        return least, np.ones(1)
    here = np.arange(least, most + 1)
    logs = _log_choose(sessions, here) + _log_choose(base_sessions, total - here)
    weights = np.exp(logs - logs.max())
    return least, weights / weights.sum()


def _log_choose(total: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = (
        gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
    )
    return logs


def _root(weights: NDArray[np.float64], of: Callable[[NDArray[np.float64]], float]) -> float:
    """The odds ratio under which `of` the tilted distribution, which rises with it, is 0."""
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    places = np.arange(weights.size)

    def at(log_ratio: float) -> float:
        tilted = logs + log_ratio * places
        tilted = np.exp(tilted - tilted.max())
        return of(tilted / tilted.sum())

    if at(-_FARTHEST) >= 0:
        return 0.0
    return inf if at(_FARTHEST) <= 0 else exp(brentq(at, -_FARTHEST, _FARTHEST))
