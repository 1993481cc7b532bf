"""Clusters: found, kept apart from noise, numbered, and the same every time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facets.clustering import assign_new, cluster
from tests.facets.corpora import make_corpus

CORPUS = make_corpus([60, 40, 30, 20], 40)


def _confusion(labels: NDArray[np.int64], kinds: NDArray[np.int64]) -> dict[tuple[int, int], int]:
    """Items by (label, kind)."""
    pairs, counts = np.unique(np.stack([labels, kinds]), axis=1, return_counts=True)
    return {(int(a), int(b)): int(n) for (a, b), n in zip(pairs.T, counts, strict=True)}


def test_core_finds_the_kinds_by_size_and_leaves_noise_as_noise() -> None:
    found = cluster(CORPUS.vectors, assign="core")
    planted = CORPUS.kinds == -1
    assert _confusion(found.labels[~planted], CORPUS.kinds[~planted]) == {
        (0, 0): 60,
        (1, 1): 40,
        (2, 2): 30,
        (3, 3): 20,
    }
    assert np.mean(found.labels[planted] == -1) >= 0.95
    assert (found.count, found.note) == (4, None)


def test_all_gives_noise_to_the_nearest_cluster_and_core_tells_it_apart() -> None:
    found = cluster(CORPUS.vectors, assign="all")
    core = cluster(CORPUS.vectors, assign="core")
    noise = core.labels == -1
    nearest = np.argmax(CORPUS.vectors[noise] @ core.centroids.T, axis=1)
    assert np.array_equal(found.labels[noise], nearest)
    assert np.array_equal(found.labels[~noise], core.labels[~noise])
    assert np.array_equal(found.core, core.labels)


@pytest.mark.parametrize("seed", range(6))
def test_no_item_changes_company_with_the_order_of_the_items(seed: int) -> None:
    """The kinds overlap so far that distances on the fringe tie and could fall either way."""
    rng = np.random.default_rng(seed)
    corpus = make_corpus([50] * 6, 60).vectors
    blurred = corpus + rng.normal(scale=0.1, size=corpus.shape)
    blurred /= np.linalg.norm(blurred, axis=1, keepdims=True)
    order = rng.permutation(len(blurred))
    found = cluster(blurred, assign="core").labels
    shuffled = cluster(blurred[order], assign="core").labels
    # Clusters of one size may swap numbers.
    assert len(_confusion(shuffled, found[order])) == len(np.unique(found))


def test_repeated_texts_do_not_shape_the_density_but_count_for_size() -> None:
    """The smallest kind, its first text recurring 200 times, is the same cluster, now largest."""
    last = int(np.flatnonzero(CORPUS.kinds == 3)[0])
    vectors = np.concatenate([CORPUS.vectors, np.repeat(CORPUS.vectors[[last]], 200, axis=0)])
    kinds = np.concatenate([CORPUS.kinds, np.full(200, 3)])
    found = cluster(vectors, assign="core")
    assert _confusion(found.labels[kinds >= 0], kinds[kinds >= 0]) == {
        (0, 3): 220,
        (1, 0): 60,
        (2, 1): 40,
        (3, 2): 30,
    }


def test_a_lone_text_that_recurs_is_a_cluster_of_its_own() -> None:
    outlier = int(np.flatnonzero(CORPUS.kinds == -1)[0])
    vectors = np.concatenate([CORPUS.vectors, np.repeat(CORPUS.vectors[[outlier]], 24, axis=0)])
    found = cluster(vectors, assign="core")
    same = found.labels[[outlier, *range(len(CORPUS.vectors), len(vectors))]]
    assert (found.count, np.unique(same).tolist()) == (5, [3])
    assert np.isnan(found.persistence[3])


@pytest.mark.parametrize(
    ("times", "core", "everything"),
    [
        ([1], [-1], [0]),
        ([1, 1, 1], [-1, -1, -1], [0, 0, 0]),
        ([6, 5, 1], [0, 1, -1], None),
    ],
    ids=["one", "three", "two-recur"],
)
def test_small_corpora_fall_back_to_what_recurs(
    times: list[int], core: list[int], everything: list[int] | None
) -> None:
    rows = make_corpus([], len(times)).vectors
    vectors = np.repeat(rows, times, axis=0)
    found = cluster(vectors, assign="core")
    assert found.labels.tolist() == np.repeat(core, times).tolist()
    assert found.note == (
        f"{len(times)} distinct texts are too few to tell noise from kinds (from 20); "
        "grouped by likeness instead"
    )
    assigned = cluster(vectors, assign="all").labels
    if everything is None:
        assert (assigned >= 0).all()
    else:
        assert assigned.tolist() == np.repeat(everything, times).tolist()


def test_small_corpora_group_alike_texts() -> None:
    kinds = make_corpus([6, 6], 3, seed=1)
    found = cluster(kinds.vectors, assign="core")
    assert _confusion(found.labels, kinds.kinds) == {(-1, -1): 3, (0, 0): 6, (1, 1): 6}


def test_no_items_give_no_clusters() -> None:
    for assign in ("all", "core"):
        found = cluster(np.empty((0, 384), dtype=np.float32), assign=assign)
        assert (found.labels.tolist(), found.count, found.note) == ([], 0, "no items")


def test_centroids_are_unit_rows_of_the_core() -> None:
    found = cluster(CORPUS.vectors, assign="core")
    mean = CORPUS.vectors[found.labels == 0].mean(axis=0)
    assert np.allclose(found.centroids[0], mean / np.linalg.norm(mean))
    assert found.centroids.shape == (4, 384)


def test_beyond_the_fitted_sample_items_are_assigned_and_noise_stays_noise() -> None:
    """Nearly every item of the kinds is found by its centroid, and hardly any noise."""
    corpus = make_corpus([200, 150, 100], 150)
    found = cluster(corpus.vectors, assign="core", fit_items=200)
    right = found.labels == corpus.kinds
    assert found.count == 3
    assert right[corpus.kinds >= 0].mean() > 0.9
    assert right[corpus.kinds == -1].mean() > 0.95


def test_new_items_are_given_to_clusters_without_clustering_again() -> None:
    """Of the same directions, drawn anew: nearly all are inside, and hardly any noise is."""
    found = cluster(CORPUS.vectors, assign="core")
    rows = np.random.default_rng(1).normal(scale=0.5, size=(150, 384))
    kinds = np.repeat(np.arange(4), [60, 40, 30, 20])
    rows = rows + np.random.default_rng(7).normal(size=(4, 384))[kinds]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    noise = make_corpus([], 200, seed=3).vectors
    assert np.mean(assign_new(rows, found) == kinds) >= 0.85
    assert np.array_equal(assign_new(rows, found, "all"), kinds)
    assert np.mean(assign_new(noise, found) == -1) >= 0.95
    assert (assign_new(noise, found, "all") >= 0).all()


def test_what_has_no_vector_or_no_cluster_is_assigned_to_none() -> None:
    found = cluster(CORPUS.vectors, assign="core")
    lost = np.full((2, 384), np.nan)
    assert assign_new(lost, found).tolist() == [-1, -1]
    assert assign_new(lost, found, "all").tolist() == [-1, -1]
    nothing = cluster(make_corpus([], 3).vectors, assign="core")
    assert assign_new(CORPUS.vectors[:2], nothing).tolist() == [-1, -1]
    assert assign_new(np.empty((0, 384)), found).tolist() == []


def test_reach_and_coherence_are_those_of_the_core() -> None:
    """All but a twentieth of the members are within reach, of a text that recurs all."""
    vectors = np.concatenate(
        [CORPUS.vectors, np.repeat(make_corpus([], 1, seed=3).vectors, 24, axis=0)]
    )
    for assign in ("all", "core"):
        found = cluster(vectors, assign=assign)
        cosines = [
            vectors[found.core == label] @ found.centroids[label] for label in range(found.count)
        ]
        assert np.allclose(found.coherence, [one.mean() for one in cosines])
        inside = [np.mean(one >= reach) for one, reach in zip(cosines, found.reaches, strict=True)]
        assert all(share >= 0.95 for share in inside)
    assert found.reaches[3] == 0.99


def test_levels_bring_together_what_is_alike() -> None:
    """Six kinds around two directions, and one kind apart."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, 384))[[0, 0, 0, 1, 1, 1, 2]]
    centres = directions + 0.5 * rng.normal(size=(7, 384))
    sizes = [40, 35, 30, 28, 26, 24, 22]
    rows = np.repeat(centres, sizes, axis=0)
    rows = rows + 0.4 * rng.normal(size=rows.shape)
    found = cluster(rows / np.linalg.norm(rows, axis=1, keepdims=True), assign="core")
    assert [level.tolist() for level in found.levels] == [[0, 0, 0, 1, 1, 1, 2]]
    assert found.parents.tolist() == [0, 0, 0, 1, 1, 1, -1]


def test_few_clusters_have_no_level_above_them() -> None:
    found = cluster(make_corpus([30, 20], 10).vectors, assign="core")
    assert (found.levels, found.parents.tolist()) == ((), [-1, -1])
