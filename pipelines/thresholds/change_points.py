"""Where in time a pattern's rate rose: at a release, or on some day between releases.

One change is assumed, a rise; the rates before and after it have Jeffreys' prior each, so that
the weight of every place follows in closed form (the beta-binomial form of Barry and Hartigan's
product partition, 1993, with two parts). A priori half of the probability lies on the boundaries
between releases, in equal parts, and half on the other days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

_JEFFREYS = 0.5
_MASS = 0.95


@dataclass(frozen=True, slots=True)
class Cell:
    """The sessions of one release on one day."""

    release: str
    day: date | None
    """None: the log has no times."""
    hits: int
    sessions: int


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The place that explains a rise best, given that there is one."""

    release: str | None
    """The release that the rate rose with; None: it rose between releases."""
    day: date | None
    """The first day after the rise."""
    probability: float
    """Posterior probability of this place."""
    day_from: date | None
    """First and last of the days that hold 95 % of the probability, the likeliest first taken."""
    day_to: date | None
    at_releases: float
    """Posterior probability that the rise is at some boundary between releases."""


def find_change(cells: Sequence[Cell]) -> ChangePoint | None:
    """The change in `cells`, which stand in their order of time; None where nothing rises."""
    if len(cells) < 2:
        return None
    hits = np.array([cell.hits for cell in cells])
    sessions = np.array([cell.sessions for cell in cells])
    is_release = np.array([now.release != before.release for before, now in pairwise(cells)])
    logs = _log_evidence(hits, sessions) + np.log(_prior(is_release))
    if not np.isfinite(logs).any():
        return None
    posterior = np.exp(logs - logs.max())
    return _described(cells[1:], posterior / posterior.sum(), is_release)


def _log_evidence(hits: NDArray[np.int64], sessions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of a change before each cell but the first; −∞ where the rate does not rise there."""
    before, all_before = np.cumsum(hits)[:-1], np.cumsum(sessions)[:-1]
    after, all_after = hits.sum() - before, sessions.sum() - all_before
    rises = after * all_before > before * all_after
    logs = _log_marginal(before, all_before) + _log_marginal(after, all_after)
    return np.where(rises, logs, -np.inf)


def _log_marginal(hits: NDArray[np.int64], sessions: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = betaln(hits + _JEFFREYS, sessions - hits + _JEFFREYS)
    return found


def _prior(is_release: NDArray[np.bool_]) -> NDArray[np.float64]:
    releases = int(is_release.sum())
    others = is_release.size - releases
    if not releases or not others:
        return np.full(is_release.size, 1 / is_release.size)
    return np.where(is_release, 0.5 / releases, 0.5 / others)


def _described(
    cells: Sequence[Cell], posterior: NDArray[np.float64], is_release: NDArray[np.bool_]
) -> ChangePoint:
    order = np.argsort(-posterior, kind="stable")
    held = order[: int(np.searchsorted(np.cumsum(posterior[order]), _MASS)) + 1]
    days = [day for place in held if (day := cells[place].day) is not None]
    best = cells[order[0]]
    return ChangePoint(
        release=best.release if is_release[order[0]] else None,
        day=best.day,
        probability=float(posterior[order[0]]),
        day_from=min(days, default=None),
        day_to=max(days, default=None),
        at_releases=float(posterior[is_release].sum()),
    )
