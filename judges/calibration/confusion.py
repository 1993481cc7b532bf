"""Which types the judge took for which."""

from collections import Counter
from collections.abc import Mapping, Sequence

from judges.calibration.turns import LabelledTurn
from judges.verdict import Polarity

NONE = "none"
"""No friction (or delight) at all."""
UNTYPED = "untyped"
"""Labelled friction (or delight), without a type that the annotators agree on."""

Confusion = Mapping[str, Mapping[str, int]]
"""Labelled type -> predicted type -> turns."""


def confusion(turns: Sequence[LabelledTurn], polarity: Polarity) -> Confusion:
    """Counts of (labelled, predicted) types over the turns whose yes or no is agreed.

    A turn may have several types: those that both sides name are counted on the diagonal, each
    further one of a side against each further one of the other, or against `none`. A type that
    the annotators disagree on is left out on both sides.
    """
    counts: dict[str, Counter[str]] = {}
    for turn in turns:
        if turn.label.is_positive(polarity) is None:
            continue
        for labelled, predicted in _pairs(turn, polarity):
            counts.setdefault(labelled, Counter())[predicted] += 1
    return {labelled: dict(row) for labelled, row in counts.items()}


def _pairs(turn: LabelledTurn, polarity: Polarity) -> list[tuple[str, str]]:
    types, said = turn.label.types[polarity], turn.verdict.types[polarity]
    labelled = {name for name, holds in types.items() if holds}
    predicted = {name for name in said if types.get(name, False) is not None}
    if not labelled and turn.label.is_positive(polarity):
        labelled, predicted = {UNTYPED}, set(said)
    both = labelled & predicted
    missed, false = sorted(labelled - both), sorted(predicted - both)
    if not missed and not false:
        return [(name, name) for name in sorted(both)] or [(NONE, NONE)]
    rest = [(one, other) for one in missed or [NONE] for other in false or [NONE]]
    return [(name, name) for name in sorted(both)] + rest
