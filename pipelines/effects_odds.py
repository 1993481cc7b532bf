"""How far the odds of something changed between two groups of sessions: exact tests and intervals.

The conditional test of two proportions (Fisher 1935): given how many of both groups show it, the
number in one of them is hypergeometric, or noncentral hypergeometric where the odds are said to
differ by a ratio. It holds for any number of sessions; with the few that a patch is measured on,
large-sample tests do not.
"""

from math import inf, sqrt
from typing import Literal, NamedTuple

from scipy.stats import binomtest, hypergeom, nchypergeom_fisher
from scipy.stats.contingency import odds_ratio as conditional_odds_ratio

Side = Literal["below", "above"]


class Tally(NamedTuple):
    """`hits` of `total`."""

    hits: int
    total: int

    @property
    def rate(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.total if self.total else None


class Bounds(NamedTuple):
    """An interval; of odds ratios from 0 to infinity."""

    low: float
    high: float


def p_value(before: Tally, after: Tally, side: Side, ratio: float = 1.0) -> float:
    """Probability of hits after that are as few (`below`) or as many (`above`), or more so.

    If the odds after are `ratio` times those before.
    """
    hits, total = before.hits + after.hits, before.total + after.total
    if not (before.total and after.total and 0 < hits < total):
        return 1.0
    # Called, not frozen first, which takes four to ten times as long.
    counts = (total, hits, after.total)
    chance, given = (hypergeom, counts) if ratio == 1.0 else (nchypergeom_fisher, (*counts, ratio))
    if side == "below":
        return float(chance.cdf(after.hits, *given))
    return float(chance.sf(after.hits - 1, *given))


def odds_ratio(before: Tally, after: Tally) -> float | None:
    """Odds after over odds before, 0 and infinity included; None where the counts allow any."""
    up = after.hits * (before.total - before.hits)
    down = before.hits * (after.total - after.hits)
    if up == down == 0:
        return None
    return up / down if down else inf


def odds_ratio_bounds(before: Tally, after: Tally, level: float) -> Bounds:
    """The odds ratios that neither side's `p_value` puts below `level` (Cornfield 1956)."""
    if odds_ratio(before, after) is None:
        return Bounds(0.0, inf)
    table = [
        [after.hits, after.total - after.hits],
        [before.hits, before.total - before.hits],
    ]
    found = conditional_odds_ratio(table, kind="conditional").confidence_interval(1 - 2 * level)
    return Bounds(float(found.low), float(found.high))


def difference_bounds(before: Tally, after: Tally, level: float) -> Bounds:
    """Interval of the share after minus the one before, `level` outside on either side.

    Newcombe (1998), method 10, on Wilson's intervals; -1 to 1 where one side is empty.
    """
    if not (before.total and after.total):
        return Bounds(-1.0, 1.0)
    rate, base = after.hits / after.total, before.hits / before.total
    own, of_base = _wilson(after, level), _wilson(before, level)
    return Bounds(
        rate - base - sqrt((rate - own.low) ** 2 + (of_base.high - base) ** 2),
        rate - base + sqrt((own.high - rate) ** 2 + (base - of_base.low) ** 2),
    )


def _wilson(tally: Tally, level: float) -> Bounds:
    found = binomtest(tally.hits, tally.total).proportion_ci(1 - 2 * level, method="wilson")
    return Bounds(float(found.low), float(found.high))
