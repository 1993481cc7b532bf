"""The steps of a clustering: neighbours, who stands alone, silhouettes, where the tree is cut."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from facets.clustering import cluster
from facets.clustering_neighbours import neighbours
from facets.clustering_noise import Chance
from facets.clustering_partition import partition, placed
from facets.clustering_silhouette import silhouettes
from tests.facets.corpora import make_corpus

CORPUS = make_corpus([60, 40, 30, 20], 40)
OWN = CORPUS.vectors[CORPUS.kinds >= 0]
KINDS = CORPUS.kinds[CORPUS.kinds >= 0]


def test_neighbours_are_the_nearest_others_in_order() -> None:
    rows = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]])
    near = neighbours(rows, None, 2)
    assert near.places.tolist() == [[1, 2], [2, 0], [1, 3], [2, 1]]
    assert np.allclose(near.cosines, [[0.8, 0.6], [0.96, 0.8], [0.96, 0.8], [0.8, 0.6]])
    assert neighbours(rows[:1], rows, 1).places.tolist() == [[0]]
    assert neighbours(rows, None, 9).places.shape == (4, 3)


def test_planted_noise_stands_alone_and_no_kind_does() -> None:
    chance = Chance(CORPUS.vectors, 0)
    assert chance.alone.tolist() == (CORPUS.kinds == -1).tolist()
    assert chance.of(make_corpus([], 50, seed=3).vectors).all()
    assert not chance.of(OWN).any()


@pytest.mark.parametrize("count", [40, 300])
def test_where_nothing_is_alike_all_stand_alone(count: int) -> None:
    noise = make_corpus([], count).vectors
    found = cluster(noise, assign="core")
    assert found.labels.tolist() == [-1] * count
    assert found.note == "no texts are nearer to each other than chance would have it: all is noise"
    assert cluster(noise, assign="all").labels.tolist() == [0] * count


def test_the_mean_silhouette_weighs_clusters_by_the_cube_root_of_their_size() -> None:
    fine = np.concatenate([KINDS[:140], [4] * 9, [5]])
    coarse = np.minimum(fine, 1)
    rows = OWN.astype(np.float32)
    expected = []
    for cut in (coarse, fine):
        widths = silhouette_samples(OWN, cut, metric="cosine")
        means = [widths[cut == label].mean() for label in np.unique(cut)]
        expected.append(np.average(means, weights=np.unique(cut, return_counts=True)[1] ** (1 / 3)))
    fine = np.unique(fine, return_inverse=True)[1]
    assert np.allclose(silhouettes(rows, [coarse, fine]), expected, atol=1e-5)


def test_the_tree_is_cut_where_the_kinds_are() -> None:
    kinds = partition(OWN)
    assert len(np.unique(np.stack([kinds.labels, KINDS]), axis=1).T) == 4
    assert kinds.persistence.shape == (4,)
    assert ((kinds.persistence > 0.2) & (kinds.persistence < 1)).all()


def test_others_are_placed_with_their_kind() -> None:
    kept = np.arange(len(OWN)) % 3 > 0
    kinds = partition(OWN[kept])
    placed_in = placed(OWN[~kept], kinds)
    pairs = np.stack(
        [np.concatenate([kinds.labels, placed_in]), np.concatenate([KINDS[kept], KINDS[~kept]])]
    )
    assert len(np.unique(pairs, axis=1).T) == 4
