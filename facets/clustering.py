"""Clusters of abstract texts. Nothing here is told how many there are.

Equal vectors are one point, so that a template that recurs a thousand times does not shape the
density; how often it occurs decides whether it is noise.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score

from facets.clustering_density import MIN_CLUSTER_SIZE, Found, dense
from facets.clustering_levels import levels_of, parents_of
from facets.clustering_regions import (
    NOISE,
    Labels,
    Vectors,
    centroids_of,
    coherence_of,
    nearest,
    reaches_of,
)

Assign = Literal["all", "core"]

MIN_DISTINCT = 4 * MIN_CLUSTER_SIZE
"""Below this many distinct vectors there is no density to speak of."""
MIN_SILHOUETTE = 0.25
"""Below this mean silhouette no substantial structure was found (Kaufman, Rousseeuw 1990)."""
FIT_ITEMS = 10_000
"""The clusters are found on a sample of at most this many (the tree costs their square: half a
minute), and the rest are assigned."""


@dataclass(frozen=True)
class Clustering:
    """Clusters 0 to k-1 in falling order of size; -1 is noise.

    `labels` and `probabilities` (membership in [0, 1], 0 for noise and for outliers that were
    assigned) have one entry an item; `persistence`, `centroids` (unit rows), `reaches` and
    `coherence` one a cluster.
    """

    labels: Labels
    probabilities: NDArray[np.float64]
    persistence: NDArray[np.float64]
    """Share of the density range over which the cluster holds; NaN where none was measured."""
    centroids: NDArray[np.float64]
    min_cluster_size: int
    note: str | None = None
    """Why the corpus was too small or too even for density clusters; None where it was not."""
    reaches: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Cosine to the centroid from which on a new item is inside."""
    coherence: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Mean cosine of the core's members to the centroid."""

    @property
    def count(self) -> int:
        """Number of clusters, noise not among them."""
        return len(self.persistence)

    @cached_property
    def core(self) -> Labels:
        """The labels with outliers that were merely assigned as noise again."""
        return np.where(self.probabilities > 0, self.labels, NOISE)

    @cached_property
    def levels(self) -> tuple[Labels, ...]:
        """For each level above the clusters, the finest first, the group of each cluster."""
        return levels_of(self.centroids)

    @cached_property
    def parents(self) -> Labels:
        """The group of each cluster in the first level; -1 for one that is alone in its group."""
        return parents_of(self.levels, self.count)


def cluster(
    vectors: Vectors, *, assign: Assign, seed: int = 0, fit_items: int = FIT_ITEMS
) -> Clustering:
    """Cluster unit rows, shape (n, d). The same rows and seed give the same clusters.

    Beyond `fit_items` distinct rows a seeded sample of as many is clustered, the rest assigned.

    `core` leaves noise at -1; `all` gives each outlier to the cluster of the nearest centroid
    (one cluster of everything where none was found). Never raises for a small corpus.
    """
    if not len(vectors):
        return _result(np.empty((0, vectors.shape[1])), Found.nothing(0), assign, "no items")
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    # In the order of their values: distances tie, and ties would go by the order of the items.
    distinct, place, times = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    note: str | None = None
    if len(distinct) < MIN_DISTINCT:
        found = _few(distinct, times)
        note = (
            f"{len(distinct)} distinct texts are too few for density clusters "
            f"(from {MIN_DISTINCT}); grouped by likeness instead"
        )
    else:
        found = dense(distinct, _sample(len(distinct), fit_items, seed))
        if not found.persistence.size:
            note = "no part is denser than the rest: all is noise"
    return _result(rows, _with_frequent(found, times).spread(place.ravel()), assign, note)


def assign_new(vectors: Vectors, clustering: Clustering, assign: Assign = "core") -> Labels:
    """The cluster of each new unit row, shape (n, d), without clustering again.

    `core`: the nearest that it lies inside of (`reaches`), else -1; `all`: the nearest. A row
    with NaN, an item without a vector, is -1; so is every row where there are no clusters.
    """
    if not clustering.count or not len(vectors):
        return np.full(len(vectors), NOISE)
    rows = np.asarray(vectors, dtype=np.float64)
    labels, cosines = nearest(rows, clustering.centroids)
    floor = clustering.reaches[labels] if assign == "core" else np.full(len(rows), -2.0)
    return np.where(cosines >= floor, labels, NOISE)  # a comparison with NaN is false


def _sample(count: int, most: int, seed: int) -> NDArray[np.intp]:
    """All positions, or a seeded choice of `most` of them, ascending."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _few(distinct: NDArray[np.float64], times: NDArray[np.intp]) -> Found:
    """Groups of alike texts; those that occur fewer than MIN_CLUSTER_SIZE times are noise."""
    groups = _alike(distinct)
    frequent = np.bincount(groups, weights=times) >= MIN_CLUSTER_SIZE
    labels = np.where(frequent, np.cumsum(frequent) - 1, NOISE)[groups]
    return Found(labels, (labels >= 0).astype(np.float64), np.full(int(frequent.sum()), np.nan))


def _alike(distinct: NDArray[np.float64]) -> NDArray[np.intp]:
    """The cut of the average-linkage tree with the best silhouette; none: each text alone."""
    best, groups = MIN_SILHOUETTE, np.arange(len(distinct))
    for count in range(2, len(distinct)):
        model = AgglomerativeClustering(count, metric="cosine", linkage="average")
        cut = model.fit_predict(distinct)
        value = float(silhouette_score(distinct, cut, metric="cosine"))
        if value > best:
            best, groups = value, cut
    return groups


def _with_frequent(found: Found, times: NDArray[np.intp]) -> Found:
    """A text that recurs as often as a cluster must be large is no noise: it is a cluster."""
    alone = np.flatnonzero((found.labels == NOISE) & (times >= found.min_cluster_size))
    labels, probabilities = found.labels.copy(), found.probabilities.copy()
    labels[alone] = len(found.persistence) + np.arange(len(alone))
    probabilities[alone] = 1.0
    persistence = np.concatenate([found.persistence, np.full(len(alone), np.nan)])
    return found._replace(labels=labels, probabilities=probabilities, persistence=persistence)


def _result(
    rows: NDArray[np.float64], found: Found, assign: Assign, note: str | None
) -> Clustering:
    found = _by_size(found)
    core, persistence = found.labels, found.persistence
    if assign == "all" and len(rows) and not len(persistence):
        core, persistence = np.zeros(len(rows), dtype=np.int64), np.array([np.nan])
    centroids = centroids_of(rows, core, len(persistence))
    labels = core
    if assign == "all" and len(rows):
        labels = np.where(core == NOISE, nearest(rows, centroids)[0], core)
    return Clustering(
        labels=labels,
        probabilities=found.probabilities,
        persistence=persistence,
        centroids=centroids,
        min_cluster_size=found.min_cluster_size,
        note=note,
        reaches=reaches_of(rows, core, len(persistence)),
        coherence=coherence_of(rows, core, centroids),
    )


def _by_size(found: Found) -> Found:
    """Number the clusters by falling size, equal ones by their first item."""
    count = len(found.persistence)
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=count)
    firsts = np.array([np.argmax(found.labels == label) for label in range(count)], dtype=int)
    order = np.lexsort((firsts, -sizes))
    renumbered = np.append(np.argsort(order), NOISE)  # the last entry is what -1 picks
    return found._replace(labels=renumbered[found.labels], persistence=found.persistence[order])
