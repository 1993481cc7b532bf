"""What a measure is: a definition, and one pure function from a session as viewed to a number."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from facets.measures.view import LogView

Quantity = Callable[[LogView], float | None]
"""None: the log does not show it. Its docstring is the definition."""
Unit = Literal["count", "percent", "seconds", "tokens", "words"]


class Measure(NamedTuple):
    """A quantity of a session's log, never negative."""

    name: str
    definition: str
    unit: Unit
    of: Quantity
    evidence: str | None = None
    """What the rules judge's verdict is computed from, where that is this quantity or a near
    relation of it: such a quantity explains a verdict of the rules by itself.
    """


def measured(of: Quantity, unit: Unit = "count", *, evidence: str | None = None) -> Measure:
    """The measure that a function is, with its docstring as the definition."""
    return Measure(of.__name__, " ".join((of.__doc__ or "").split()), unit, of, evidence)
