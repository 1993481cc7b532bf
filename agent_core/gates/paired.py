"""Before against after, run by run: did the patch break more than it mended?

Scripted scenarios need none of this: one run of each says what many would. With a model's policy a
scenario may hold once and not again, so it is run with several seeds on both trees, and only the
runs whose outcome differs between the trees count.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np

LEVEL = 0.05
_MOST_EXACT = 16
_DRAWS = 20_000


class Paired(NamedTuple):
    """Counts of pairs, and how likely so many broken ones are if the patch changes nothing."""

    pairs: int
    broken: int
    """Held before, not after."""
    mended: int
    """Held after, not before."""
    p_value: float
    """One-sided."""

    @property
    def is_worse(self) -> bool:
        """Whether the patch breaks more than chance would at the level."""
        return self.p_value <= LEVEL

    @property
    def can_tell(self) -> bool:
        """Whether any outcome of so many pairs could have shown a patch to be worse."""
        return 0.5**self.pairs <= LEVEL


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    """The exact one-sided test of McNemar (1947) on runs that are independent of each other.

    Among the pairs that differ, broken ones are binomial with probability 1/2 if the patch changes
    nothing. ValueError where the runs are no pairs.
    """
    pairs = list(zip(before, after, strict=True))
    broken = sum(b and not a for b, a in pairs)
    mended = sum(a and not b for b, a in pairs)
    differing = broken + mended
    tail = sum(comb(differing, k) for k in range(broken, differing + 1))
    return Paired(len(pairs), broken, mended, tail / 2**differing)


def permutation(
    before: Mapping[str, Sequence[bool]], after: Mapping[str, Sequence[bool]], seed: int = 0
) -> Paired:
    """The paired permutation test over scenarios, each with its runs by seed.

    Runs of one scenario are alike, so the scenario's difference is what changes sign (Fisher's
    exchangeability, by cluster): exactly up to 16 scenarios that differ, else by 20,000 draws.
    ValueError where the runs are no pairs.
    """
    runs = [mcnemar(before[name], after[name]) for name in before]
    if before.keys() != after.keys():
        raise ValueError("the scenarios before and after are not the same")
    differences = np.array([one.broken - one.mended for one in runs if one.broken != one.mended])
    observed = int(differences.sum())
    sums = _signs(len(differences), seed) @ abs(differences)
    # An outcome as bad as the observed one is among those drawn (Phipson and Smyth, 2010).
    extra = int(len(differences) > _MOST_EXACT)
    p_value = (int((sums >= observed).sum()) + extra) / (len(sums) + extra)
    return Paired(
        sum(one.pairs for one in runs),
        sum(one.broken for one in runs),
        sum(one.mended for one in runs),
        p_value,
    )


def _signs(count: int, seed: int) -> np.ndarray:
    """All rows of -1 and 1 where they are few, else random ones; shape (rows, count)."""
    if count <= _MOST_EXACT:
        return np.array(list(product((-1, 1), repeat=count)), dtype=int).reshape(-1, count)
    return np.random.default_rng(seed).choice((-1, 1), size=(_DRAWS, count))
