"""A cap of the unit sphere that is fitted to its members, and to what must stay outside of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Vectors = NDArray[np.floating]

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


def fit_region(members: Vectors, away: Vectors) -> Region:
    """The cap around the members' mean that takes in most of them and least of `away`.

    Its reach is the one of the highest Jaccard similarity with the members, put half-way to what
    lies next outside, and at most once more as far out as the member that it ends with.
    """
    mean = members.astype(np.float64).mean(axis=0)
    centroid = mean / max(float(np.linalg.norm(mean)), np.finfo(np.float64).tiny)
    inside, outside = (np.sort(np.minimum(rows @ centroid, 1.0)) for rows in (members, away))
    taken = len(inside) - np.arange(len(inside))
    foreign = len(outside) - np.searchsorted(outside, inside, side="left")
    best = float(inside[int(np.argmax(taken / (len(inside) + foreign)))])
    margin = 2 * max(1.0 - best, LEAST_MARGIN)
    below = np.concatenate([inside[inside < best], outside[outside < best], [best - margin]])
    return Region(centroid, (best + float(below.max())) / 2)


def jaccard(one: Mask, other: Mask) -> float:
    """Shared by both of what either holds; 0 where neither holds any."""
    return float((one & other).sum() / max(1, int((one | other).sum())))
