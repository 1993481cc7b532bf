"""The nearest neighbours of unit vectors, and what they tell: who stands alone, who belongs where.

All neighbours are exact, block by block: an approximate index costs more than it saves here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facets.clustering_regions import Vectors

_BLOCK = 1024
"""Rows at a time, so that memory is a block's and not the square of all."""


class Neighbours(NamedTuple):
    """For each row, shape (n, k), the nearest others, the nearest first, and their cosines."""

    places: NDArray[np.intp]
    cosines: NDArray[np.float32]


def neighbours(rows: Vectors, others: Vectors | None, count: int) -> Neighbours:
    """The `count` nearest of `others` (fewer where they are fewer); None: of `rows`, not itself."""
    among = np.asarray(rows if others is None else others, dtype=np.float32)
    asked = np.asarray(rows, dtype=np.float32)
    count = min(count, len(among) - (others is None))
    places = np.empty((len(asked), count), dtype=np.intp)
    cosines = np.empty((len(asked), count), dtype=np.float32)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK] @ among.T
        if others is None:
            np.fill_diagonal(block[:, start:], -np.inf)
        kept = _largest(block, count)
        places[start : start + _BLOCK] = kept
        cosines[start : start + _BLOCK] = np.take_along_axis(block, kept, axis=1)
    return Neighbours(places, cosines)


def _largest(block: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Columns of the `count` largest of each row in falling order, equal ones by their place."""
    kept = np.sort(np.argpartition(-block, count - 1, axis=1)[:, :count], axis=1)
    order = np.argsort(-np.take_along_axis(block, kept, axis=1), axis=1, kind="stable")
    return np.take_along_axis(kept, order, axis=1)
