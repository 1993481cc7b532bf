"""Where a cluster lies: its centroid, how far it reaches, how tight it is, who is new in it.

All rows are unit vectors, so that a dot product is a cosine.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Vectors = NDArray[np.floating]
Labels = NDArray[np.int64]

NOISE = -1
FRINGE = 0.05
"""Share of a cluster's members that lie farther from its centroid than what is assigned may."""
SAME = 0.99
"""Reach of a cluster of one text: another embedding of the same text is inside."""


def centroids_of(rows: Vectors, labels: Labels, count: int) -> NDArray[np.float64]:
    """Unit rows, shape (count, d): the direction of each cluster's mean; zeros for an empty one."""
    members = np.flatnonzero(labels != NOISE)
    chosen = csr_matrix(
        (np.ones(len(members)), (labels[members], members)), shape=(count, len(rows))
    )
    sums = np.asarray(chosen @ rows)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: NDArray[np.float64] = sums / np.maximum(lengths, np.finfo(np.float64).tiny)
    return unit


def reaches_of(rows: Vectors, labels: Labels, count: int) -> NDArray[np.float64]:
    """For each cluster the cosine to its centroid that all but the fringe of its members exceed."""
    return np.array([_reach(rows[labels == label]) for label in range(count)], dtype=np.float64)


def coherence_of(
    rows: Vectors, labels: Labels, centroids: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For each cluster the mean cosine of its members to its centroid; NaN for an empty one."""
    members = labels != NOISE
    cosines = np.einsum("ij,ij->i", rows[members], centroids[labels[members]])
    sums = np.bincount(labels[members], weights=cosines, minlength=len(centroids))
    sizes = np.bincount(labels[members], minlength=len(centroids))
    means: NDArray[np.float64] = np.full(len(centroids), np.nan)
    np.divide(sums, sizes, out=means, where=sizes > 0)
    return means


def nearest(rows: Vectors, centroids: Vectors) -> tuple[Labels, NDArray[np.float64]]:
    """For each row the cluster of the nearest centroid, and the cosine to it."""
    labels = np.empty(len(rows), dtype=np.int64)
    cosines = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK] @ centroids.T
        chosen = block.argmax(axis=1)
        labels[start : start + _BLOCK] = chosen
        cosines[start : start + _BLOCK] = block[np.arange(len(block)), chosen]
    return labels, cosines


_BLOCK = 8192
"""Rows at a time, so that the cosines to a thousand centroids stay in the cache's reach."""


def _reach(members: Vectors) -> float:
    """Each member's cosine is to the centroid of the others: it draws its own towards itself."""
    if not len(members):
        return float("nan")
    distinct = np.unique(members, axis=0).astype(np.float64)
    if len(distinct) == 1:
        return SAME
    others = distinct.sum(axis=0) - distinct
    lengths = np.maximum(np.linalg.norm(others, axis=1), np.finfo(np.float64).tiny)
    cosines = np.einsum("ij,ij->i", others, distinct) / lengths
    return float(np.quantile(cosines, FRINGE))
