"""Which texts stand alone: noise is what lies no nearer to others than chance would have it.

Chance is a corpus without kinds: made-up points with the mean and the covariance of the real
ones. A text is no noise where the mean cosine to its nearest neighbours is higher than theirs,
with the false-discovery rate controlled over all texts (Benjamini, Hochberg 1995).
"""

import numpy as np
from numpy.typing import NDArray

from facets.clustering_neighbours import neighbours
from facets.clustering_regions import Vectors

NEIGHBOURS = 5
"""As many as a cluster needs members."""
FALSE_DISCOVERIES = 0.5
"""Share of the texts kept that may stand alone after all. The made-up points lie where the kinds
do, nearer than noise does, so that even this rate tells random vectors and other people's texts
apart, and leaves 97 in 100 texts of real intents in their place (B1 train, B4; at 0.05: 82)."""
DRAWS = 2000


class Chance:
    """How near to its neighbours in a corpus a point without a kind would be."""

    def __init__(self, points: Vectors, seed: int) -> None:
        """`points` are distinct unit rows, shape (n, d)."""
        self._points = np.asarray(points, dtype=np.float32)
        drawn = _without_kinds(points, np.random.default_rng(seed))
        self._closeness = np.sort(_closeness(drawn, self._points))
        own = _p_values(_closeness(self._points, None), self._closeness)
        self._level = _rejected_up_to(own, FALSE_DISCOVERIES)
        self.alone: NDArray[np.bool_] = own > self._level
        """For each point whether it stands alone."""

    def of(self, rows: Vectors) -> NDArray[np.bool_]:
        """For each other unit row whether it stands alone among the points."""
        return _p_values(_closeness(rows, self._points), self._closeness) > self._level


def _without_kinds(points: Vectors, rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit rows drawn from the normal distribution with the points' mean and covariance."""
    rows = np.asarray(points, dtype=np.float64)
    mean = rows.mean(axis=0)
    # Weighted sums of what the points differ by have their covariance; it is never factored.
    weights = rng.normal(size=(DRAWS, len(rows))) / np.sqrt(len(rows))
    drawn = mean + weights @ (rows - mean)
    unit: NDArray[np.float32] = np.asarray(
        drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32
    )
    return unit


def _closeness(rows: Vectors, others: Vectors | None) -> NDArray[np.float64]:
    closeness: NDArray[np.float64] = neighbours(rows, others, NEIGHBOURS).cosines.mean(
        axis=1, dtype=np.float64
    )
    return closeness


def _p_values(
    closeness: NDArray[np.float64], by_chance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the made-up points, ascending, that are at least as near to their neighbours."""
    as_near = len(by_chance) - np.searchsorted(by_chance, closeness, side="left")
    shares: NDArray[np.float64] = (1 + as_near) / (1 + len(by_chance))
    return shares


def _rejected_up_to(p_values: NDArray[np.float64], rate: float) -> float:
    """The largest p-value that the Benjamini-Hochberg procedure rejects; 0: none."""
    ordered = np.sort(p_values)
    passes = ordered <= rate * np.arange(1, len(ordered) + 1) / len(ordered)
    return float(ordered[passes][-1]) if passes.any() else 0.0
