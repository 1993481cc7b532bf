"""Clusters by density, where noise stays noise.

HDBSCAN (Campello, Moulavi, Sander 2013) over the unit vectors as they are: brought to 50 dimensions
by PCA first, the clusters of real texts come out a little purer, but planted noise is drawn
together and becomes a cluster. Nothing here is told how many clusters there are.
"""

from tempfile import TemporaryDirectory
from typing import NamedTuple

import hdbscan
import numpy as np
from numpy.typing import NDArray

from facets.clustering_regions import NOISE, Labels, centroids_of, nearest, reaches_of

MIN_CLUSTER_SIZE = 5
"""The floor of sessions: what is smaller could not be published. Also the neighbours that make
a density, fixed so that the clusterings compared lie on one and the same tree."""


class Found(NamedTuple):
    """Clusters among distinct points; -1 is noise."""

    labels: Labels
    probabilities: NDArray[np.float64]
    """Membership in [0, 1], 0 for noise."""
    persistence: NDArray[np.float64]
    """One a cluster; NaN where none was measured."""
    min_cluster_size: int = MIN_CLUSTER_SIZE

    @staticmethod
    def nothing(count: int) -> "Found":
        """All of `count` points are noise."""
        return Found(np.full(count, NOISE), np.zeros(count), np.empty(0))

    def spread(self, place: NDArray[np.intp]) -> "Found":
        """From distinct points to items."""
        return self._replace(labels=self.labels[place], probabilities=self.probabilities[place])


def dense(points: NDArray[np.float64], fitted: NDArray[np.intp]) -> Found:
    """HDBSCAN of the points at `fitted`; the others are given to clusters or stay noise."""
    model = _most_valid(points[fitted])
    labels, probabilities = np.full(len(points), NOISE), np.zeros(len(points))
    labels[fitted], probabilities[fitted] = model.labels_, model.probabilities_
    rest = np.setdiff1d(np.arange(len(points)), fitted, assume_unique=True)
    if len(rest) and model.labels_.max() >= 0:
        labels[rest], probabilities[rest] = _assigned(points[rest], points[fitted], model.labels_)
    return Found(labels, probabilities, model.cluster_persistence_, model.min_cluster_size)


def _most_valid(points: NDArray[np.float64]) -> hdbscan.HDBSCAN:
    """The model of the smallest cluster size with the highest DBCV.

    The sizes go from MIN_CLUSTER_SIZE to the square root of the number of points in steps of the
    square root of two. DBCV (Moulavi and others 2014) weighs how much denser clusters are inside
    than between, noise as loss.
    """
    with TemporaryDirectory(prefix="signals-tree-") as tree:
        # The tree is the same for every size, and nearly all of the work: hdbscan caches it.
        models = [_fit(points, size, tree) for size in _sizes(len(points))]
        return max(models, key=_validity)  # the first of equals


def _assigned(
    rest: NDArray[np.float64], fitted: NDArray[np.float64], labels: Labels
) -> tuple[Labels, NDArray[np.float64]]:
    """Label and probability of points that the tree did not see: noise outside every cluster."""
    count = int(labels.max()) + 1
    reaches = reaches_of(fitted, labels, count)
    label, near = nearest(rest, centroids_of(fitted, labels, count))
    inside = near >= reaches[label]
    return np.where(inside, label, NOISE), np.where(inside, np.clip(near, 0, 1), 0.0)


def _sizes(count: int) -> list[int]:
    steps = max(0, int(2 * np.log2(count**0.5 / MIN_CLUSTER_SIZE)))
    return [round(MIN_CLUSTER_SIZE * 2 ** (step / 2)) for step in range(steps + 1)]


def _fit(points: NDArray[np.float64], size: int, tree: str) -> hdbscan.HDBSCAN:
    return hdbscan.HDBSCAN(
        min_cluster_size=size,
        min_samples=MIN_CLUSTER_SIZE,
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
        memory=tree,
    ).fit(points)


def _validity(model: hdbscan.HDBSCAN) -> float:
    return float(model.relative_validity_) if model.labels_.max() > 0 else -1.0
