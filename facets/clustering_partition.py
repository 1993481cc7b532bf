"""A partition of texts into as many kinds as the data say.

Each text's vector is seen beside the weighted means of its nearest neighbourhoods (a step of the
simple graph convolution of Wu and others 2019): what a sentence says by chance averages out, what
its kind has in common stays. Over these features stands an average-linkage tree, and the mean
silhouette (Rousseeuw 1987) says where it is cut. The constants were chosen on subsets of B1 train
and of B4 development (see tests/benchmarks/clustering.py).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix

from facets.clustering_neighbours import Neighbours, neighbours
from facets.clustering_regions import Labels, Vectors
from facets.clustering_silhouette import silhouettes, sums_of

Rows = NDArray[np.float32]

COMPONENTS = 100
"""Principal components that are kept: the mean that all share is taken out, and the noise of the
many directions in which nothing varies."""
VIEWS = ((5, 10), (5, 10, 20))
"""Sizes of the neighbourhoods whose means a text is seen beside. The clusters are those of the
first view; how many there are is asked of all, since the answer of one alone is unsteady."""
NEARLY_BEST = 0.98
"""From the best cut on, coarser ones are taken as long as their score is this share of the best:
on its plateau the silhouette still creeps up while kinds fall apart into phrasings."""
FEWEST_A_CLUSTER = 5
"""No cut is considered that has fewer items a cluster on average."""
_STEP = 1.13
"""Factor from one number of clusters considered to the next: in finer steps chance decides."""
_BLOCK = 512
"""Rows whose distances are computed at a time."""


class Kinds(NamedTuple):
    """A partition of points, and what is needed to place others in it."""

    labels: Labels
    """0 to k-1, one a point."""
    persistence: NDArray[np.float64]
    """One a kind: 1 less the height at which it formed over that at which it joins another."""
    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    components: Rows
    centres: Rows
    """Unit rows in the first view."""


def partition(points: Vectors) -> Kinds:
    """The kinds of distinct unit rows, shape (n, d), at least 3."""
    mean, directions = _principal(points)
    components = _unit((points - mean) @ directions)
    near = neighbours(components, None, max(map(max, VIEWS)))
    scores = []
    for sizes in reversed(VIEWS):  # the first view is the last to stay in memory
        seen = _seen(components, components, near, sizes)
        tree = linkage(_distances(seen), "average")
        cuts = _cuts(tree)
        scores.append(silhouettes(seen, cuts))
    labels = cuts[_chosen(np.mean(scores, axis=0))]
    centres = _unit(sums_of(seen, labels))
    return Kinds(labels, _persistence(tree, labels), mean, directions, components, centres)


def placed(rows: Vectors, kinds: Kinds) -> Labels:
    """The kind of each other unit row: it is seen beside its neighbours among the points."""
    components = _unit((rows - kinds.mean) @ kinds.directions)
    near = neighbours(components, kinds.components, max(VIEWS[0]))
    seen = _seen(components, kinds.components, near, VIEWS[0])
    chosen: Labels = np.argmax(seen @ kinds.centres.T, axis=1)
    return chosen


def _principal(points: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and the directions of the largest variance, as columns."""
    rows = np.asarray(points, dtype=np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    _, directions = np.linalg.eigh(centred.T @ centred)
    return mean, directions[:, -COMPONENTS:]


def _seen(components: Rows, others: Rows, near: Neighbours, sizes: tuple[int, ...]) -> Rows:
    """Unit rows: the components, and beside them the means over each neighbourhood."""
    weights = np.maximum(near.cosines, 0)
    smoothed = [
        _unit(components + _weighted_sum(others, near.places[:, :size], weights[:, :size]))
        for size in sizes
    ]
    return _unit(np.hstack([components, *smoothed]))


def _weighted_sum(others: Rows, places: NDArray[np.intp], weights: NDArray[np.float32]) -> Rows:
    starts = np.arange(len(places) + 1) * places.shape[1]
    graph = csr_matrix((weights.ravel(), places.ravel(), starts), shape=(len(places), len(others)))
    return np.asarray(graph @ others)


def _distances(rows: Rows) -> NDArray[np.float64]:
    """Cosine distances of all pairs, condensed; the square is never held."""
    count = len(rows)
    condensed = np.empty(count * (count - 1) // 2)
    end = 0
    for start in range(0, count, _BLOCK):
        block = 1 - rows[start : start + _BLOCK] @ rows[start:].T
        for row in range(len(block)):
            begin, end = end, end + count - 1 - start - row
            condensed[begin:end] = block[row, row + 1 :]
    return np.maximum(condensed, 0, out=condensed)


def _cuts(tree: NDArray[np.float64]) -> list[Labels]:
    """The tree cut into 2 and more clusters."""
    most = max(2, (len(tree) + 1) // FEWEST_A_CLUSTER)
    steps = 2 + int(np.log(most / 2) / np.log(_STEP))
    counts = np.unique(np.geomspace(2, most, steps).round())
    return [fcluster(tree, int(count), "maxclust").astype(np.int64) - 1 for count in counts]


def _chosen(scores: NDArray[np.float64]) -> int:
    """The place of the coarsest cut on the plateau of the best."""
    place = int(np.argmax(scores))
    least = scores[place] - (1 - NEARLY_BEST) * abs(scores[place])
    while place and scores[place - 1] >= least:
        place -= 1
    return place


def _persistence(tree: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    """Of each cluster of a cut, from the heights of the merges inside it and of the one above."""
    count = len(labels)
    owner = np.concatenate([labels, np.full(len(tree), -1)])  # -1: of several clusters
    formed, joined = np.zeros(labels.max() + 1), np.zeros(labels.max() + 1)
    for row, (left, right, height, _) in enumerate(tree):
        parts = owner[[int(left), int(right)]]
        if parts[0] == parts[1] and parts[0] >= 0:
            owner[count + row] = parts[0]
            formed[parts[0]] = height
        else:
            joined[parts[parts >= 0]] = height
    persistence: NDArray[np.float64] = 1 - formed / np.maximum(joined, np.finfo(np.float64).tiny)
    return np.clip(persistence, 0, 1)


def _unit(rows: NDArray[np.floating]) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
