"""What a daily look at growing data may cost: levels of comparisons, and shares of their looks.

A comparison (a release against the ones before, a week against the days before) is looked at when
the information in it has grown by half since the look before, and not in between: look k may
use 1/(k(k+1)) of the comparison's level, half of it at the first. The shares of all looks add up
to one, so that by Bonferroni's inequality the chance that any of them finds what is not there
stays below the level, whatever the dependence between them. Spending: Lan and DeMets (1983).
Looks at a geometric grid with shares that fall by a power of their number: the stitching of
Howard, Ramdas, McAuliffe and Sekhon (2021); the price grows with the logarithm of the logarithm
of the data.

Comparisons open one after the other, without end. A quarter of a year's budget of false alarms is
there at first, the rest comes in evenly over each year (what is not used is kept up to that
quarter); a comparison that opens is given a fifth of what is there, and never more than the
false-discovery rate. In any 365 days no more than the budget is given away, and what is given
depends on when comparisons were opened and not on what they found: the expected number of those
with a false alarm in them is the sum of their levels at most.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

GROWTH = 1.5
FIRST_LOOK = 2
"""Times `min_sessions`: the information that the first look, the dearest, waits for."""
_AT_FIRST = 0.25
_PART_OF_THE_REST = 0.2
_YEAR = timedelta(days=365)

Versus = Literal["earlier releases", "earlier days"]


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one comparison; the state that is kept from run to run."""

    comparison_id: str
    agent: str
    release: str
    versus: Versus
    since: date | None
    """First day of the window; None: the whole release."""
    number: int
    """From 1."""
    looked_at: datetime
    """Sessions that were known by then are what the look is at, also when it is repeated."""
    opened_at: datetime
    level: float
    """Of the comparison: its chance of a false alarm over all looks to come."""
    information: float
    """n₁n₀ / (n₁ + n₀) of the two sides."""

    @property
    def share(self) -> float:
        """Of the level, what this look may use."""
        return share_of_look(self.number)

    @property
    def price(self) -> float:
        """The chance of a false alarm at this look."""
        return self.level * self.share


def share_of_look(number: int) -> float:
    """Of a comparison's level, the share that look `number` (from 1) may use; they add up to 1."""
    return 1 / (number * (number + 1))


def information(sessions: int, base_sessions: int) -> float:
    """How much two sides tell of a difference: n₁n₀ / (n₁ + n₀)."""
    total = sessions + base_sessions
    return sessions * base_sessions / total if total else 0.0


def level_of_comparison(
    opened: Iterable[tuple[datetime, float]], now: datetime, rate: float, per_year: float
) -> float:
    """The level of a comparison that opens `now`, after others at (time, level)."""
    most = _AT_FIRST * per_year
    left, since = most, None
    for at, level in [*sorted(opened), (now, 0.0)]:
        if since is not None:
            left += (per_year - most) * max((at - since) / _YEAR, 0.0)
        left, since = min(left, most) - level, at
    return min(rate, _PART_OF_THE_REST * max(left, 0.0))


def is_due(last: Look, information_now: float) -> bool:
    """Whether the comparison holds so much more that another look is worth its price."""
    return information_now >= GROWTH * last.information


def next_look(last: Look, information_now: float, now: datetime) -> Look:
    """The look after `last`."""
    return replace(last, number=last.number + 1, looked_at=now, information=information_now)
