"""Clusters that keep their identity from run to run, so that a trend over weeks is one line.

Two clusters are the same by their members as far as both runs saw the items, by their centroids
as far as the items are others: a window that has rolled on shares no item with the last one.
The pairs are the assignment of the highest total (Kuhn 1955), none of them below the floors.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

JACCARD_FLOOR = 0.3
"""Share of the members of both, taken together, that must be in both: a third of an even split
in three still keeps the id, what is left of a cluster that dissolved does not."""
COSINE_FLOOR = 0.85
"""Two samples of 5 members each from one kind, a cosine of 0.75 from its centre, have centroids
this near to each other; from larger samples nearer."""
ID_LENGTH = 12


class FoundCluster(NamedTuple):
    """A cluster of this run: its unit centroid and the ids of its items."""

    centroid: NDArray[np.floating]
    members: frozenset[str]


class KnownCluster(NamedTuple):
    """A cluster of an earlier run, under the id it has."""

    cluster_id: str
    centroid: NDArray[np.floating]
    members: frozenset[str]


def match_clusters(known: Sequence[KnownCluster], found: Sequence[FoundCluster]) -> list[str]:
    """An id for each of `found`: that of the known cluster it continues, else a new one.

    No id twice. Of a split the larger part keeps the id, of a merger the larger part gives it.
    A new id is a hash of the members: the same clusters get the same ids, whatever their order.
    All centroids must be of one embedding model.
    """
    ids = dict(_continued(known, found))
    taken = {one.cluster_id for one in known}
    for place in sorted(set(range(len(found))) - set(ids), key=lambda p: sorted(found[p].members)):
        ids[place] = _new_id(found[place].members, taken)
        taken.add(ids[place])
    return [ids[place] for place in range(len(found))]


def _continued(
    known: Sequence[KnownCluster], found: Sequence[FoundCluster]
) -> list[tuple[int, str]]:
    """Positions in `found` with the id each keeps."""
    if not known or not found:
        return []
    # In an order of their own, so that equal totals are not settled by the order of the input.
    rows = sorted(range(len(known)), key=lambda row: known[row].cluster_id)
    columns = sorted(range(len(found)), key=lambda column: sorted(found[column].members))
    likeness = _likeness([known[row] for row in rows], [found[column] for column in columns])
    pairs = zip(*linear_sum_assignment(-np.maximum(likeness, 0)), strict=True)
    return [
        (columns[column], known[rows[row]].cluster_id)
        for row, column in pairs
        if likeness[row, column] > 0
    ]


def _likeness(known: Sequence[KnownCluster], found: Sequence[FoundCluster]) -> NDArray[np.float64]:
    """Pairs, shape (known, found): 1 for the same, 0 or less for what stays below the floors."""
    shared, before, after = _overlaps(known, found)
    jaccard = shared / np.maximum(before[:, None] + after[None, :] - shared, 1)
    cosine = np.stack([one.centroid for one in known]) @ np.stack([one.centroid for one in found]).T
    sizes = _sizes(known)[:, None] + _sizes(found)[None, :]
    seen = (before[:, None] + after[None, :]) / np.maximum(sizes, 1)
    by_members = (jaccard - JACCARD_FLOOR) / (1 - JACCARD_FLOOR)
    by_centroid = (cosine - COSINE_FLOOR) / (1 - COSINE_FLOOR)
    total: NDArray[np.float64] = seen * by_members + (1 - seen) * by_centroid
    return total


def _overlaps(
    known: Sequence[KnownCluster], found: Sequence[FoundCluster]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Items in both of a pair, and each cluster's items that any cluster of the other run has."""
    owner = {item: row for row, one in enumerate(known) for item in one.members}
    counts = Counter(
        (owner[item], column)
        for column, one in enumerate(found)
        for item in one.members
        if item in owner
    )
    shared = np.zeros((len(known), len(found)))
    for pair, count in counts.items():
        shared[pair] = count
    return shared, shared.sum(axis=1), shared.sum(axis=0)


def _sizes(clusters: Sequence[KnownCluster | FoundCluster]) -> NDArray[np.float64]:
    return np.array([len(one.members) for one in clusters], dtype=np.float64)


def _new_id(members: frozenset[str], taken: set[str]) -> str:
    content = "\n".join(sorted(members))
    for repetition in range(len(taken) + 1):
        digest = hashlib.sha256(f"{repetition}\n{content}".encode()).hexdigest()[:ID_LENGTH]
        if digest not in taken:
            return digest
    raise AssertionError("more candidates than ids that are taken")
