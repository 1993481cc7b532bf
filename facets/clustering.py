"""Clusters of abstract texts. Nothing here is told how many there are.

Equal vectors are one point, so that a template that recurs a thousand times does not shape what
is found; how often it occurs decides whether it is noise. First what stands alone is set aside
(facets/clustering_noise.py), then the rest is parted into kinds (facets/clustering_partition.py).
HDBSCAN, which does both at once, calls a third of the texts of real intents noise, and where none
may be noise it agrees less with the intents (tests/benchmarks/clustering.py).
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from facets.clustering_levels import levels_of, parents_of
from facets.clustering_noise import Chance
from facets.clustering_partition import partition, placed
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

MIN_CLUSTER_SIZE = 5
"""The floor of sessions: what is smaller could not be published."""
LEAST_KIND = 3
"""Where every item is assigned, what two texts have in common is no kind yet."""
MIN_DISTINCT = 4 * MIN_CLUSTER_SIZE
"""Below this many distinct vectors nothing is said of how near chance would bring them."""
MIN_SILHOUETTE = 0.25
"""Below this mean silhouette no substantial structure was found (Kaufman, Rousseeuw 1990)."""
FIT_ITEMS = 10_000
"""The clusters are found on a sample of at most this many (the trees cost their square in time
and memory, 1 GB), and the rest are assigned."""
_WORTH_THREADS = 3_000
"""Below this many points the threads of a matrix product wait longer than they work."""


class Found(NamedTuple):
    """Clusters among distinct points; -1 is noise."""

    labels: Labels
    persistence: NDArray[np.float64]
    """One a cluster; NaN where none was measured."""

    @staticmethod
    def nothing(count: int) -> "Found":
        """All of `count` points are noise."""
        return Found(np.full(count, NOISE), np.empty(0))

    def spread(self, place: NDArray[np.intp]) -> "Found":
        """From distinct points to items."""
        return self._replace(labels=self.labels[place])


@dataclass(frozen=True)
class Clustering:
    """Clusters 0 to k-1 in falling order of size; -1 is noise.

    `labels` and `probabilities` (cosine to the centroid, 0 for noise and for outliers that were
    assigned) have one entry an item; `persistence`, `centroids` (unit rows), `reaches` and
    `coherence` one a cluster.
    """

    labels: Labels
    probabilities: NDArray[np.float64]
    persistence: NDArray[np.float64]
    """Share of the height of the tree over which the cluster holds; NaN where none was measured."""
    centroids: NDArray[np.float64]
    min_cluster_size: int
    note: str | None = None
    """Why the corpus was too small or too even to tell kinds from noise; None where it was not."""
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

    `core` leaves at -1 what stands alone and what is rarer than a cluster must be; `all` gives
    each such item to the cluster of the nearest centroid (one cluster of everything where none
    was found). Never raises for a small corpus.
    """
    if not len(vectors):
        return _result(np.empty((0, vectors.shape[1])), Found.nothing(0), assign, "no items")
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    # In the order of their values: distances tie, and ties would go by the order of the items.
    distinct, place, times = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    note: str | None = None
    if len(distinct) < MIN_DISTINCT:
        found = _few(distinct)
        note = (
            f"{len(distinct)} distinct texts are too few to tell noise from kinds "
            f"(from {MIN_DISTINCT}); grouped by likeness instead"
        )
    else:
        with threadpool_limits(1 if len(distinct) < _WORTH_THREADS else None, "blas"):
            found = _kinds(distinct, _sample(len(distinct), fit_items, seed), seed)
        if not found.persistence.size:
            note = "no texts are nearer to each other than chance would have it: all is noise"
    least = MIN_CLUSTER_SIZE if assign == "core" or note else LEAST_KIND
    found = _with_frequent(_without_rare(found, times, least), times)
    return _result(rows, found.spread(place.ravel()), assign, note)


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


def _kinds(points: NDArray[np.float64], fitted: NDArray[np.intp], seed: int) -> Found:
    """The partition of those points at `fitted` that do not stand alone, the others placed in it.

    Noise is told before the kinds are sought: it would draw them together.
    """
    chance = Chance(points[fitted], seed)
    kept = fitted[~chance.alone]
    if len(kept) < LEAST_KIND:
        return Found.nothing(len(points))
    kinds = partition(points[kept])
    labels = np.full(len(points), NOISE)
    labels[kept] = kinds.labels
    rest = np.setdiff1d(np.arange(len(points)), fitted, assume_unique=True)
    if len(rest):
        rest = rest[~chance.of(points[rest])]
        labels[rest] = placed(points[rest], kinds)
    return Found(labels, kinds.persistence)


def _few(distinct: NDArray[np.float64]) -> Found:
    """Groups of alike texts."""
    groups = _alike(distinct).astype(np.int64)
    return Found(groups, np.full(int(groups.max()) + 1, np.nan))


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


def _without_rare(found: Found, times: NDArray[np.intp], least: int) -> Found:
    """Clusters of fewer than `least` items are noise."""
    held = found.labels != NOISE
    sizes = np.bincount(found.labels[held], times[held], minlength=len(found.persistence))
    kept = sizes >= least
    renumbered = np.append(np.where(kept, np.cumsum(kept) - 1, NOISE), NOISE)
    return Found(renumbered[found.labels], found.persistence[kept])


def _with_frequent(found: Found, times: NDArray[np.intp]) -> Found:
    """A text that recurs as often as a cluster must be large is no noise: it is a cluster."""
    alone = np.flatnonzero((found.labels == NOISE) & (times >= MIN_CLUSTER_SIZE))
    labels = found.labels.copy()
    labels[alone] = len(found.persistence) + np.arange(len(alone))
    return Found(labels, np.concatenate([found.persistence, np.full(len(alone), np.nan)]))


def _result(
    rows: NDArray[np.float64], found: Found, assign: Assign, note: str | None
) -> Clustering:
    found = _by_size(found)
    core, persistence = found.labels, found.persistence
    is_core = core != NOISE
    if assign == "all" and len(rows) and not len(persistence):
        core, persistence = np.zeros(len(rows), dtype=np.int64), np.array([np.nan])
    centroids = centroids_of(rows, core, len(persistence))
    labels = core
    if assign == "all" and len(rows):
        labels = np.where(core == NOISE, nearest(rows, centroids)[0], core)
    return Clustering(
        labels=labels,
        probabilities=_probabilities(rows, labels, centroids, is_core),
        persistence=persistence,
        centroids=centroids,
        min_cluster_size=MIN_CLUSTER_SIZE,
        note=note,
        reaches=reaches_of(rows, core, len(persistence)),
        coherence=coherence_of(rows, core, centroids),
    )


def _probabilities(
    rows: NDArray[np.float64],
    labels: Labels,
    centroids: NDArray[np.float64],
    is_core: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The cosine of the core's items to their centroid, above 0; 0 for all others."""
    probabilities = np.zeros(len(rows))
    cosines = np.einsum("ij,ij->i", rows[is_core], centroids[labels[is_core]])
    probabilities[is_core] = np.clip(cosines, np.finfo(np.float64).tiny, 1)
    return probabilities


def _by_size(found: Found) -> Found:
    """Number the clusters by falling size, equal ones by their first item."""
    count = len(found.persistence)
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=count)
    firsts = np.array([np.argmax(found.labels == label) for label in range(count)], dtype=int)
    order = np.lexsort((firsts, -sizes))
    renumbered = np.append(np.argsort(order), NOISE)  # the last entry is what -1 picks
    return found._replace(labels=renumbered[found.labels], persistence=found.persistence[order])
