"""Levels above the clusters: which of them belong together, and which of those again.

One average-linkage tree over the centroids; each level is the cut with the best mean silhouette
(Rousseeuw 1987) among those with at most half the groups of the level below, so that levels nest.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import silhouette_score

from facets.clustering_regions import NOISE, Labels

FEWEST = 4
"""Fewer clusters, or groups, have no level above them."""


def levels_of(centroids: NDArray[np.float64]) -> tuple[Labels, ...]:
    """For each level above, the finest first, the group of each cluster (unit rows), 0 to g-1.

    Groups are numbered by their first cluster, and so, as clusters are, with the largest first.
    """
    count = len(centroids)
    if count < FEWEST:
        return ()
    distances = np.clip(1 - centroids @ centroids.T, 0, 2)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average")
    cuts = cut_tree(tree, n_clusters=np.arange(2, count // 2 + 1)).T.astype(np.int64)
    found: list[Labels] = []
    groups = count
    while groups >= FEWEST:
        groups = _best(distances, cuts[: groups // 2 - 1])
        found.append(_by_first(cuts[groups - 2]))
    return tuple(found)


def parents_of(levels: tuple[Labels, ...], count: int) -> Labels:
    """The group of each cluster in the level above it; NOISE for one that is alone in its group."""
    if not levels:
        return np.full(count, NOISE)
    sizes = np.bincount(levels[0])
    return np.where(sizes[levels[0]] > 1, levels[0], NOISE)


def _best(distances: NDArray[np.float64], cuts: NDArray[np.int64]) -> int:
    """The number of groups of the cut with the best mean silhouette, the finest of equals."""
    values = [float(silhouette_score(distances, cut, metric="precomputed")) for cut in cuts]
    return 1 + len(cuts) - int(np.argmax(values[::-1]))


def _by_first(groups: Labels) -> Labels:
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return rank[place].astype(np.int64)
