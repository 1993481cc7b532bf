"""Stability: real clusters come back without a fifth of the sessions, chance ones do not."""

import numpy as np

from facets.clustering import Clustering, cluster
from facets.stability import resampled_stability
from tests.facets.corpora import make_corpus


def _sessions(count: int, each: int) -> list[str]:
    return [f"s{number // each}" for number in range(count)]


def test_planted_kinds_come_back() -> None:
    corpus = make_corpus([60, 40, 30], 20)
    found = cluster(corpus.vectors, assign="core")
    stability = resampled_stability(corpus.vectors, found, _sessions(150, 1))
    assert stability.shape == (3,)
    assert stability.min() > 0.95
    again = resampled_stability(corpus.vectors, found, _sessions(150, 1))
    assert np.array_equal(stability, again)


def test_a_group_drawn_at_random_does_not_come_back() -> None:
    corpus = make_corpus([60, 40, 30], 20)
    labels = np.random.default_rng(0).integers(3, size=150)
    drawn = Clustering(labels, np.ones(150), np.ones(3), np.zeros((3, 384)), 5)
    assert resampled_stability(corpus.vectors, drawn, _sessions(150, 1)).max() < 0.5


def test_rounds_without_its_sessions_say_nothing_of_a_cluster() -> None:
    """Sessions are left out whole: a cluster of one session is measured where that was drawn."""
    corpus = make_corpus([60, 40, 30], 20)
    found = cluster(corpus.vectors, assign="core")
    sessions = ["alone" if label == 2 else f"s{n}" for n, label in enumerate(found.labels)]
    assert resampled_stability(corpus.vectors, found, sessions)[2] > 0.95


def test_no_clusters_have_no_stability() -> None:
    noise = make_corpus([], 10)
    found = cluster(noise.vectors, assign="core")
    assert resampled_stability(noise.vectors, found, _sessions(10, 1)).tolist() == []
