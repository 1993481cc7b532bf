"""Whether a cluster is there again when a part of the sessions is left out."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from facets.clustering_regions import Labels

RESAMPLES = 10
KEPT_SHARE = 0.8

Regroup = Callable[[NDArray[np.bool_]], Labels]
"""Which items were drawn in, the group of every item out (-1: none, or not drawn)."""


def resampled_stability(
    labels: Labels, sessions: Sequence[str], regroup: Regroup, *, seed: int = 0
) -> NDArray[np.float64]:
    """Mean Jaccard similarity of each group of `labels` with its best match, in [0, 1].

    Each of RESAMPLES rounds leaves out a fifth of the sessions, whole (their moments are not
    independent), and groups the rest anew (Hennig 2007). A group of which nothing was drawn in any
    round is NaN.
    """
    rng = np.random.default_rng(seed)
    names, owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)
    count = int(labels.max(initial=-1)) + 1
    rounds = np.full((RESAMPLES, count), np.nan)
    for row in rounds:
        kept = rng.permutation(len(names))[: max(1, round(KEPT_SHARE * len(names)))]
        drawn = np.isin(owner, kept)
        row[:] = _best_overlaps(labels[drawn], regroup(drawn)[drawn], count)
    measured = np.sum(~np.isnan(rounds), axis=0)
    totals = np.nansum(rounds, axis=0)
    mean: NDArray[np.float64] = np.full(count, np.nan)
    np.divide(totals, measured, out=mean, where=measured > 0)
    return mean


def _best_overlaps(before: Labels, after: Labels, count: int) -> NDArray[np.float64]:
    """For each of `count` clusters in `before` its highest Jaccard similarity in `after`."""
    found = max(int(after.max(initial=-1)) + 1, 1)
    both = (before >= 0) & (after >= 0)
    shared = np.zeros((count, found))
    np.add.at(shared, (before[both], after[both]), 1)
    sizes = np.bincount(before[before >= 0], minlength=count).astype(np.float64)
    others = np.bincount(after[after >= 0], minlength=found)
    united = np.maximum(sizes[:, None] + others[None, :] - shared, 1)
    best: NDArray[np.float64] = (shared / united).max(axis=1)
    return np.where(sizes > 0, best, np.nan)
