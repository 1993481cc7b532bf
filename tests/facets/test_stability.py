"""Stability: real clusters come back without a fifth of the sessions, chance ones do not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facets.clustering import cluster
from facets.clustering_regions import Labels
from facets.stability import resampled_stability
from tests.facets.corpora import make_corpus

CORPUS = make_corpus([60, 40, 30], 20)


def regroup(drawn: NDArray[np.bool_]) -> Labels:
    labels = np.full(len(drawn), -1)
    labels[drawn] = cluster(CORPUS.vectors[drawn], assign="core").core
    return labels


def _sessions(count: int, each: int) -> list[str]:
    return [f"s{number // each}" for number in range(count)]


def test_planted_kinds_come_back() -> None:
    found = cluster(CORPUS.vectors, assign="core").core
    stability = resampled_stability(found, _sessions(150, 1), regroup)
    assert stability.shape == (3,)
    assert stability.min() > 0.95
    assert np.array_equal(stability, resampled_stability(found, _sessions(150, 1), regroup))


def test_a_group_drawn_at_random_does_not_come_back() -> None:
    drawn = np.random.default_rng(0).integers(3, size=150)
    assert resampled_stability(drawn, _sessions(150, 1), regroup).max() < 0.5


def test_rounds_without_its_sessions_say_nothing_of_a_cluster() -> None:
    """Sessions are left out whole: a cluster of one session is measured where that was drawn."""
    found = cluster(CORPUS.vectors, assign="core").core
    sessions = ["alone" if label == 2 else f"s{n}" for n, label in enumerate(found)]
    assert resampled_stability(found, sessions, regroup)[2] > 0.95


@pytest.mark.parametrize("count", [0, 10], ids=["no-items", "noise-alone"])
def test_no_clusters_have_no_stability(count: int) -> None:
    labels = np.full(count, -1)
    assert resampled_stability(labels, _sessions(count, 1), lambda drawn: labels).tolist() == []
