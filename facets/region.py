"""A cap of the unit sphere that is fitted to its members, and to what must stay outside of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Vectors = NDArray[np.floating]
Weights = NDArray[np.integer]

LEAST_MARGIN = 0.01
"""Of cosine: another embedding of the same text lies this near."""


class Region(NamedTuple):
    """A cap of the unit sphere."""

    centroid: NDArray[np.float64]
    reach: float

    def holds(self, vectors: Vectors) -> Mask:
        """Which unit rows lie inside."""
        inside: Mask = vectors @ self.centroid >= self.reach
        return inside


def fit_region(rows: Vectors, members: Weights, away: Weights) -> Region:
    """The cap around the members' mean that takes in most of them and least of what is away.

    `members` and `away` say how many of each there are at each unit row; there is a member. The
    reach is the one of the highest Jaccard similarity with the members, put half-way to what lies
    next outside, and at most once more as far out as the member that it ends with.
    """
    mean = members.astype(np.float64) @ rows
    centroid = mean / max(float(np.linalg.norm(mean)), np.finfo(np.float64).tiny)
    cosines = np.minimum(rows @ centroid, 1.0)
    order = np.argsort(-cosines, kind="stable")
    taken, foreign = np.cumsum(members[order]), np.cumsum(away[order])
    # Equal cosines are inside together: what all of them make counts for each.
    last = np.searchsorted(-cosines[order], -cosines[order], side="right") - 1
    likeness = taken[last] / (members.sum() + foreign[last])
    best = float(cosines[order][int(np.argmax(np.where(members[order] > 0, likeness, -1.0)))])
    margin = 2 * max(1.0 - best, LEAST_MARGIN)
    is_lower = (cosines < best) & (members + away > 0)
    below = max([best - margin, *cosines[is_lower].tolist()])
    return Region(centroid, (best + below) / 2)


def jaccard(one: Mask, other: Mask) -> float:
    """Shared by both of what either holds; 0 where neither holds any."""
    return float((one & other).sum() / max(1, int((one | other).sum())))
