"""Changes of what is known: values that no vector tells apart, and a value that is two."""

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facets.evolution_changes import ChangeFloors, propose_merges, propose_splits
from facets.mapping import UNMAPPED
from facets.proposal import proposal_id
from facets.prototype import OUTSIDE, assign
from tests.facets.corpora import make_corpus, make_items

CORPUS = make_corpus([60, 60, 60, 60], 0, seed=11)
NAMES = ["one", "two", "three", "four"]
TEXTS = ["stopped the run", "reported a failure", "goal drifted", "waited long"]


def _items(names: list[str]) -> tuple[pl.DataFrame, NDArray[np.str_]]:
    return make_items(CORPUS.kinds, TEXTS, names), np.array(names)[CORPUS.kinds]


def _halved(seed: int = 0) -> tuple[pl.DataFrame, NDArray[np.str_]]:
    """`one` under two names, drawn by lot."""
    items, values = _items(NAMES)
    drawn = np.random.default_rng(seed).random(len(values)) < 0.4
    values = np.where((values == "one") & drawn, "uno", values)
    return items.with_columns(type=pl.Series(values)), values


def test_two_names_for_one_thing_are_merged() -> None:
    items, values = _halved()
    (proposal,) = propose_merges(items, CORPUS.vectors, values, "friction")
    assert (proposal.kind, proposal.target, proposal.name) == ("merge", "friction", "one")
    assert proposal.parts == ("one", "uno")
    assert proposal.proposal_id == proposal_id("merge", "friction", "one|uno")
    assert (proposal.support, proposal.sessions, proposal.users) == (60, 60, 4)
    assert proposal.evidence["held_out_auroc"] < 0.6
    assert proposal.evidence["held_out_auroc_high"] <= 0.7
    assert sum(proposal.evidence["items"].values()) == 60


def test_values_that_differ_are_neither_merged_nor_split() -> None:
    items, values = _items(NAMES)
    assert propose_merges(items, CORPUS.vectors, values, "friction") == []
    assert propose_splits(items, CORPUS.vectors, values, "friction", judged=frozenset()) == []


@pytest.mark.parametrize(
    "floors",
    [ChangeFloors(min_sessions=61), ChangeFloors(min_users=5), ChangeFloors(max_auroc=0.4)],
    ids=["sessions", "users", "told-apart"],
)
def test_below_a_floor_nothing_is_merged(floors: ChangeFloors) -> None:
    items, values = _halved()
    assert propose_merges(items, CORPUS.vectors, values, "friction", floors=floors) == []


def test_too_few_members_cannot_tell_whether_values_are_one() -> None:
    items, values = _halved()
    few = np.flatnonzero(values == "uno")[:19]
    values = np.where((values == "uno") & ~np.isin(np.arange(240), few), "one", values)
    assert propose_merges(items, CORPUS.vectors, values, "friction") == []


def test_a_value_that_is_two_things_is_split() -> None:
    items, values = _items(["one", "one", "three", "four"])
    more = make_corpus([60], 0, seed=12)  # a third value, to know how far values usually are
    vectors = np.concatenate([CORPUS.vectors, more.vectors])
    added = make_items(more.kinds, ["asked again"], ["five"]).with_columns(
        item_id="x" + pl.col("item_id"), session_key="x" + pl.col("session_key")
    )
    everything = pl.concat([items, added])
    told = np.concatenate([values, np.full(60, "five")])
    floors = ChangeFloors(min_separation=0.8)
    (proposal,) = propose_splits(
        everything, vectors, told, "friction", judged=frozenset(), model="m", floors=floors
    )
    assert (proposal.kind, proposal.parts, proposal.name) == ("split", ("one",), "one_part")
    assert (proposal.support, proposal.sessions) == (60, 60)
    assert proposal.stability is not None
    assert proposal.stability > 0.9
    assert proposal.prototype is not None
    inside = assign(CORPUS.vectors, [proposal.prototype]) != OUTSIDE
    shares = sorted(float(inside[CORPUS.kinds == kind].mean()) for kind in (0, 1))
    assert shares[0] < 0.1
    assert shares[1] > 0.8
    # What a judge tells by a definition is broad by intent: that takes more.
    judged = frozenset({"one"})
    assert propose_splits(everything, vectors, told, "friction", judged=judged, floors=floors) == []


def test_unmapped_items_are_no_value() -> None:
    items, _ = _items(NAMES)
    values = np.full(240, UNMAPPED, dtype="<U5")
    assert propose_merges(items, CORPUS.vectors, values, "friction") == []
    assert propose_splits(items, CORPUS.vectors, values, "friction", judged=frozenset()) == []
