"""Clusters of abstract texts by density, where noise stays noise.

HDBSCAN (Campello, Moulavi, Sander 2013) over the unit vectors as they are: brought to 50 dimensions
by PCA first, the clusters of real texts come out a little purer, but planted noise is drawn
together and becomes a cluster. Equal vectors are one point, so that a template that recurs a
thousand times does not shape the density; how often it occurs decides whether it is noise.
Nothing here is told how many clusters there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import hdbscan
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score

Assign = Literal["all", "core"]
Vectors = NDArray[np.floating]
Labels = NDArray[np.int64]

NOISE = -1
MIN_CLUSTER_SIZE = 5
"""The floor of sessions: what is smaller could not be published. Also the neighbours that make
a density, fixed so that the clusterings compared lie on one and the same tree."""
MIN_DISTINCT = 4 * MIN_CLUSTER_SIZE
"""Below this many distinct vectors there is no density to speak of."""
MIN_SILHOUETTE = 0.25
"""Below this mean silhouette no substantial structure was found (Kaufman, Rousseeuw 1990)."""
FIT_ITEMS = 10_000
"""The clusters are found on a sample of at most this many (the tree costs their square: half a
minute), and the rest are assigned."""
_FRINGE = 0.05
"""Share of a cluster's members that lie farther from its centroid than what is assigned may."""


@dataclass(frozen=True)
class Clustering:
    """Clusters 0 to k-1 in falling order of size; -1 is noise.

    `labels` and `probabilities` (membership in [0, 1], 0 for noise and for outliers that were
    assigned) have one entry an item, `persistence` and `centroids` (unit rows) one a cluster.
    """

    labels: Labels
    probabilities: NDArray[np.float64]
    persistence: NDArray[np.float64]
    """Share of the density range over which the cluster holds; NaN where none was measured."""
    centroids: NDArray[np.float64]
    min_cluster_size: int
    note: str | None = None
    """Why the corpus was too small or too even for density clusters; None where it was not."""

    @property
    def count(self) -> int:
        """Number of clusters, noise not among them."""
        return len(self.persistence)

    @cached_property
    def core(self) -> Labels:
        """The labels with outliers that were merely assigned as noise again."""
        return np.where(self.probabilities > 0, self.labels, NOISE)


def cluster(
    vectors: Vectors, *, assign: Assign, seed: int = 0, fit_items: int = FIT_ITEMS
) -> Clustering:
    """Cluster unit rows, shape (n, d). The same rows and seed give the same clusters.

    Beyond `fit_items` distinct rows a seeded sample of as many is clustered, the rest assigned.

    `core` leaves noise at -1; `all` gives each outlier to the cluster of the nearest centroid
    (one cluster of everything where none was found). Never raises for a small corpus.
    """
    if not len(vectors):
        return _result(np.empty((0, vectors.shape[1])), _Found.nothing(0), assign, "no items")
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
        found = _dense(distinct, _sample(len(distinct), fit_items, seed))
        if not found.persistence.size:
            note = "no part is denser than the rest: all is noise"
    return _result(rows, _with_frequent(found, times).spread(place.ravel()), assign, note)


class _Found(NamedTuple):
    labels: Labels
    probabilities: NDArray[np.float64]
    persistence: NDArray[np.float64]
    min_cluster_size: int = MIN_CLUSTER_SIZE

    @staticmethod
    def nothing(count: int) -> "_Found":
        return _Found(np.full(count, NOISE), np.zeros(count), np.empty(0))

    def spread(self, place: NDArray[np.intp]) -> "_Found":
        """From distinct vectors to items."""
        return self._replace(labels=self.labels[place], probabilities=self.probabilities[place])


def _dense(points: NDArray[np.float64], fitted: NDArray[np.intp]) -> _Found:
    """HDBSCAN of the points at `fitted`; the others are given to clusters or stay noise."""
    model = _most_valid(points[fitted])
    labels, probabilities = np.full(len(points), NOISE), np.zeros(len(points))
    labels[fitted], probabilities[fitted] = model.labels_, model.probabilities_
    rest = np.setdiff1d(np.arange(len(points)), fitted, assume_unique=True)
    if len(rest) and model.labels_.max() >= 0:
        labels[rest], probabilities[rest] = _assigned(points[rest], points[fitted], model.labels_)
    return _Found(labels, probabilities, model.cluster_persistence_, model.min_cluster_size)


def _sample(count: int, most: int, seed: int) -> NDArray[np.intp]:
    """All positions, or a seeded choice of `most` of them, ascending."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


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
    centroids = _centroids(fitted, labels, int(labels.max()) + 1)
    reach = np.array([_reach(fitted[labels == label]) for label in range(len(centroids))])
    nearness = rest @ centroids.T
    label = nearness.argmax(axis=1)
    near = nearness[np.arange(len(rest)), label]
    inside = near >= reach[label]
    return np.where(inside, label, NOISE), np.where(inside, np.clip(near, 0, 1), 0.0)


def _reach(members: NDArray[np.float64]) -> float:
    """Cosine to the centroid that all but the fringe of a cluster's members exceed.

    Each member's is taken to the centroid of the others: it draws its own towards itself.
    """
    others = members.sum(axis=0) - members
    cosines = (others * members).sum(axis=1) / np.linalg.norm(others, axis=1)
    return float(np.quantile(cosines, _FRINGE))


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


def _few(distinct: NDArray[np.float64], times: NDArray[np.intp]) -> _Found:
    """Groups of alike texts; those that occur fewer than MIN_CLUSTER_SIZE times are noise."""
    groups = _alike(distinct)
    frequent = np.bincount(groups, weights=times) >= MIN_CLUSTER_SIZE
    labels = np.where(frequent, np.cumsum(frequent) - 1, NOISE)[groups]
    return _Found(labels, (labels >= 0).astype(np.float64), np.full(int(frequent.sum()), np.nan))


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


def _with_frequent(found: _Found, times: NDArray[np.intp]) -> _Found:
    """A text that recurs as often as a cluster must be large is no noise: it is a cluster."""
    alone = np.flatnonzero((found.labels == NOISE) & (times >= found.min_cluster_size))
    labels, probabilities = found.labels.copy(), found.probabilities.copy()
    labels[alone] = len(found.persistence) + np.arange(len(alone))
    probabilities[alone] = 1.0
    persistence = np.concatenate([found.persistence, np.full(len(alone), np.nan)])
    return found._replace(labels=labels, probabilities=probabilities, persistence=persistence)


def _result(
    rows: NDArray[np.float64], found: _Found, assign: Assign, note: str | None
) -> Clustering:
    found = _by_size(found)
    labels, persistence = found.labels, found.persistence
    if assign == "all" and len(rows) and not len(persistence):
        labels, persistence = np.zeros(len(rows), dtype=np.int64), np.array([np.nan])
    centroids = _centroids(rows, labels, len(persistence))
    if assign == "all":
        labels = nearest(rows, centroids, labels)
    return Clustering(
        labels, found.probabilities, persistence, centroids, found.min_cluster_size, note
    )


def _by_size(found: _Found) -> _Found:
    """Number the clusters by falling size, equal ones by their first item."""
    count = len(found.persistence)
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=count)
    firsts = np.array([np.argmax(found.labels == label) for label in range(count)], dtype=int)
    order = np.lexsort((firsts, -sizes))
    renumbered = np.append(np.argsort(order), NOISE)  # the last entry is what -1 picks
    return found._replace(labels=renumbered[found.labels], persistence=found.persistence[order])


def _centroids(
    rows: NDArray[np.float64], labels: Sequence[int] | Labels, count: int
) -> NDArray[np.float64]:
    sums = np.zeros((count, rows.shape[1]))
    members = np.asarray(labels) >= 0
    np.add.at(sums, np.asarray(labels)[members], rows[members])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: NDArray[np.float64] = sums / np.maximum(lengths, np.finfo(np.float64).tiny)
    return unit


def nearest(rows: Vectors, centroids: Vectors, labels: Labels) -> Labels:
    """`labels` with each noise item given to the nearest centroid; unchanged where none exist."""
    noise = labels == NOISE
    if not len(centroids) or not noise.any():
        return labels
    assigned = labels.copy()
    assigned[noise] = np.argmax(rows[noise] @ centroids.T, axis=1)
    return assigned
