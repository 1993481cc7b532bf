"""The silhouettes of many cuts of one tree, without visiting a pair."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from facets.clustering_regions import Labels

Rows = NDArray[np.float32]


def silhouettes(rows: Rows, cuts: Sequence[Labels]) -> NDArray[np.float64]:
    """The mean silhouette by cosine distance of each of `cuts`, nested, the coarsest first.

    A cluster weighs the cube root of its size: by items a large one hides that small ones are
    torn from it, by clusters stragglers decide. An item alone in its cluster counts 0. Of unit
    rows the mean cosine to a cluster is the product with the mean of its members.
    """
    finest = cuts[-1]
    products = sums_of(rows, finest) @ rows.T
    first = np.unique(finest, return_index=True)[1]
    return np.array([_mean_silhouette(sums_of(products, labels[first]), labels) for labels in cuts])


def sums_of(rows: Rows, labels: Labels) -> Rows:
    """The sum of each cluster's rows, shape (k, d)."""
    ones = np.ones(len(labels), np.float32)
    return np.asarray(csr_matrix((ones, (labels, np.arange(len(labels))))) @ rows)


def _mean_silhouette(products: Rows, labels: Labels) -> float:
    """From each item's summed cosines to each cluster's members, shape (k, n)."""
    items = np.arange(len(labels))
    sizes = np.bincount(labels)
    size = sizes[labels]
    within = 1 - (products[labels, items] - 1) / np.maximum(size - 1, 1)
    products /= sizes[:, None].astype(np.float32)  # the caller's own copy
    products[labels, items] = -np.inf
    between = 1 - products.max(axis=0)
    widths = (between - within) / np.maximum(np.maximum(between, within), 1e-9)
    return float(np.average(np.where(size > 1, widths, 0), weights=size ** (-2 / 3)))
