"""Clusters keep their id: through growth, a split, a merger and a window that rolled on."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facets.identity import FoundCluster, KnownCluster, match_clusters

AXES = np.eye(6)


def _items(first: int, last: int) -> frozenset[str]:
    return frozenset(f"m{number}" for number in range(first, last))


def _known(cluster_id: str, axis: int, first: int, last: int) -> KnownCluster:
    return KnownCluster(cluster_id, AXES[axis], _items(first, last))


def _found(axis: int, first: int, last: int) -> FoundCluster:
    return FoundCluster(AXES[axis], _items(first, last))


def _between(near: int, far: int, cosine: float) -> NDArray[np.float64]:
    """A unit vector with the given cosine to the axis `near`, towards `far`."""
    vector: NDArray[np.float64] = cosine * AXES[near] + np.sqrt(1 - cosine**2) * AXES[far]
    return vector


KNOWN = [_known("errors", 0, 0, 60), _known("reads", 1, 60, 100)]


@pytest.mark.parametrize(
    ("found", "ids"),
    [
        ([_found(1, 60, 100), _found(0, 0, 60)], ["reads", "errors"]),
        ([_found(0, 0, 40), _found(2, 40, 60), _found(1, 60, 100)], ["errors", None, "reads"]),
        ([_found(2, 40, 60), _found(0, 0, 40), _found(1, 60, 100)], [None, "errors", "reads"]),
        ([_found(3, 0, 100)], ["errors"]),
        ([_found(0, -300, 60), _found(1, 60, 100)], ["errors", "reads"]),
        ([_found(0, 1000, 1050), _found(1, 1050, 1090)], ["errors", "reads"]),
        ([_found(4, 1000, 1050), _found(5, 1050, 1090)], [None, None]),
        ([_found(4, 0, 15), _found(1, 60, 100)], [None, "reads"]),
        ([], []),
    ],
    ids=[
        "other-order",
        "split",
        "split-smaller-part-first",
        "merger",
        "growth",
        "other-items",
        "other-items-elsewhere",
        "a-rest-of-it",
        "nothing-found",
    ],
)
def test_what_continues_a_known_cluster_keeps_its_id(
    found: list[FoundCluster], ids: list[str | None]
) -> None:
    given = match_clusters(KNOWN, found)
    assert [one if one in ("errors", "reads") else None for one in given] == ids
    assert len(set(given)) == len(found)


@pytest.mark.parametrize(("cosine", "kept"), [(0.9, True), (0.8, False)])
def test_items_of_a_later_window_must_lie_near_the_centroid(cosine: float, kept: bool) -> None:
    moved = FoundCluster(_between(0, 3, cosine), _items(1000, 1050))
    assert (match_clusters(KNOWN, [moved]) == ["errors"]) is kept


def test_shared_members_outweigh_a_centroid_that_moved() -> None:
    """The centroids have changed places, the members have not."""
    found = [FoundCluster(AXES[1], _items(0, 60)), FoundCluster(AXES[0], _items(60, 100))]
    assert match_clusters(KNOWN, found) == ["errors", "reads"]


def test_new_ids_derive_from_the_members_alone() -> None:
    first = match_clusters([], [_found(0, 0, 5), _found(1, 5, 9)])
    assert first == match_clusters([], [_found(1, 5, 9), _found(0, 0, 5)])[::-1]
    assert first == match_clusters(KNOWN, [_found(3, 0, 5), _found(4, 5, 9)])
    assert [len(one) for one in first] == [12, 12]


def test_an_id_that_another_cluster_carries_is_not_given_again() -> None:
    """A part of a cluster comes to have just the members that the whole began with."""
    whole = match_clusters([], [_found(0, 0, 10)])[0]
    grown = KnownCluster(whole, AXES[0], _items(0, 40))
    ids = match_clusters([grown], [_found(0, 10, 40), _found(1, 0, 10)])
    assert ids[0] == whole
    assert ids[1] != whole


def test_ids_hold_over_many_runs() -> None:
    """A window of two of five weeks that rolls on by one: one line each."""
    lines: list[list[str]] = []
    known: list[KnownCluster] = []
    for week in range(4):
        found = [
            FoundCluster(AXES[axis], frozenset(f"{axis}-{w}-{n}" for w in (week, week + 1)
                                               for n in range(20)))
            for axis in range(3)
        ]  # fmt: skip
        ids = match_clusters(known, found)
        known = [KnownCluster(one, *each) for one, each in zip(ids, found, strict=True)]
        lines.append(ids)
    assert lines == [lines[0]] * 4
