"""Mapping: by calibrated distance an item belongs to a value, or to none, or cannot be told."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facets.mapping import ALPHA, UNMAPPED, Mapping, map_items, within_values
from tests.facets.corpora import make_corpus

KINDS = ["near", "far", "third", "new"]
SIZES = [60, 60, 60, 30]


def _told(kinds: NDArray[np.int64], missed: float, seed: int) -> NDArray[np.str_]:
    """`new` and a share of all the others carry no value."""
    rng = np.random.default_rng(seed)
    names = np.array([*KINDS, UNMAPPED])[kinds]
    return np.where((names == "new") | (rng.random(len(names)) < missed), UNMAPPED, names)


def _mapped(seed: int, missed: float = 0.2, noise: int = 0) -> tuple[Mapping, NDArray[np.str_]]:
    corpus = make_corpus(SIZES, noise, seed=seed)
    values = _told(corpus.kinds, missed, seed)
    sessions = [f"s{n}" for n in range(len(values))]
    truth = np.array([*KINDS, "noise"])[corpus.kinds]
    return map_items(corpus.vectors, values, sessions, seed=seed), np.where(
        values == UNMAPPED, truth, "known"
    )


def test_members_without_a_value_map_to_it_and_what_is_new_to_none() -> None:
    found, truth = _mapped(seed=1)
    for kind in KINDS[:3]:
        assert set(found.nearest[truth == kind]) == {kind}
    assert (found.p_values[truth == "new"] <= ALPHA).all()
    missed = np.isin(truth, KINDS[:3])
    assert missed.sum() > 20
    assert (found.p_values[missed] > ALPHA).mean() > 0.75


def test_what_lies_nowhere_maps_nowhere() -> None:
    found, truth = _mapped(seed=2, noise=20)
    assert (found.p_values[truth == "noise"] <= ALPHA).all()


def test_the_p_values_of_members_are_valid() -> None:
    """At most a share of alpha of true members is taken for new, over many draws."""
    p = np.concatenate([
        found.p_values[np.isin(truth, KINDS[:3])]
        for found, truth in (_mapped(seed=seed) for seed in range(6))
    ])  # fmt: skip
    assert len(p) > 150
    for alpha in (0.05, 0.1, 0.3):
        assert (p <= alpha).mean() <= alpha + 2 * np.sqrt(alpha / len(p))


def test_an_item_that_carries_a_value_keeps_it() -> None:
    found, truth = _mapped(seed=1)
    assert np.isnan(found.p_values[truth == "known"]).all()
    values = np.array(["near", UNMAPPED, UNMAPPED])
    mapping = Mapping(np.array([np.nan, 0.5, 0.01]), np.array(["", "far", "far"]))
    assert mapping.values(values).tolist() == ["near", "far", UNMAPPED]


@pytest.mark.parametrize("known", [0, 19], ids=["none", "too-few"])
def test_too_few_known_items_cannot_tell(known: int) -> None:
    corpus = make_corpus([40], 0)
    values = np.array(["near"] * known + [UNMAPPED] * (40 - known), dtype="<U4")
    found = map_items(corpus.vectors, values, [f"s{n}" for n in range(40)])
    assert np.isnan(found.p_values).all()
    assert set(found.nearest) == {UNMAPPED}


def test_moments_of_one_session_do_not_vouch_for_each_other() -> None:
    """What many sessions say alike has neighbours elsewhere, what one repeats has none."""
    corpus = make_corpus([40, 12], 0, seed=3)
    values = np.array(["near"] * 40 + [UNMAPPED] * 12)
    sessions = [f"s{n}" for n in range(40)]
    apart = map_items(corpus.vectors, values, [*sessions, *(f"t{n}" for n in range(12))])
    alone = map_items(corpus.vectors, values, [*sessions, *["t"] * 12])
    assert (apart.p_values[40:] <= ALPHA).all()
    assert (alone.p_values[40:] > apart.p_values[40:]).all()


def test_the_metric_makes_little_of_what_varies_within_values() -> None:
    rng = np.random.default_rng(0)
    context = rng.normal(size=(200, 1)) * np.eye(8)[0] * 3
    kind = np.repeat([0, 1], 100)
    rows = np.eye(8)[3] * kind[:, None] + context + 0.1 * rng.normal(size=(200, 8))
    metric = within_values(rows, np.array(["a", "b"])[kind])
    before, after = rows[0:1] @ rows.T, metric.rows(rows)[0:1] @ metric.rows(rows).T
    assert (
        np.abs(metric.matrix @ np.eye(8)[0]).max()
        < 0.3 * np.abs(metric.matrix @ np.eye(8)[3]).max()
    )
    assert before.shape == after.shape == (1, 200)


def test_without_known_values_the_metric_is_plain() -> None:
    rows = make_corpus([5], 0).vectors
    metric = within_values(rows, np.full(5, UNMAPPED))
    assert np.allclose(metric.rows(rows), rows)
