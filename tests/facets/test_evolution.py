"""Evolution: what is proposed, on what evidence, and when nothing is."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from agent_core.errors import ConfigError
from facets.evolution import (
    ITEMS_SCHEMA,
    Discovery,
    Floors,
    Rejected,
    discover,
    majority,
    named,
    passes,
)
from facets.identity import KnownCluster
from facets.proposal import proposal_id
from facets.prototype import OUTSIDE, assign
from facets.schema import load_seed_schema
from facets.schema_change import apply_proposal
from tests.facets.corpora import Corpus, make_corpus, make_items

SCHEMA = load_seed_schema()
CORPUS = make_corpus([60, 40, 30], 20)
TEXTS = ["stopped the run", "reported a failure", "goal drifted elsewhere", "stopped a failure"]
KNOWN = ["abandoned_tool_flow", "correction", "backtracking", "other"]
ONE_NEW = ["abandoned_tool_flow", "correction", "other", "other"]


def _discover(
    types: list[str],
    *,
    floors: Floors | None = None,
    users: int = 4,
    known: tuple[KnownCluster, ...] = (),
    rejected: tuple[Rejected, ...] = (),
    corpus: Corpus = CORPUS,
    texts: list[str] = TEXTS,
) -> Discovery:
    items = make_items(corpus.kinds, texts, types, users=users)
    return discover(
        items, corpus.vectors, SCHEMA, "friction", model="m", floors=floors, known=known,
        rejected=rejected,
    )  # fmt: skip


FOUND = _discover(ONE_NEW)


def test_what_maps_nowhere_is_proposed_with_its_evidence() -> None:
    assert [(one.maps_to, one.size, one.sessions, one.users) for one in FOUND.clusters] == [
        ("abandoned_tool_flow", 60, 60, 4),
        ("correction", 40, 40, 4),
        (None, 30, 30, 4),
    ]
    (proposal,) = FOUND.proposals
    evidence = dict(proposal.evidence)
    examples = evidence.pop("examples")
    assert (proposal.kind, proposal.target, proposal.support) == ("new_type", "friction", 30)
    assert (proposal.sessions, proposal.users, proposal.stability) == (30, 4, 1.0)
    assert proposal.proposal_id == proposal_id("new_type", "friction", proposal.cluster_id or "")
    assert proposal.definition == f"Such as: {examples[0]}."
    assert len(examples) == 5
    assert all(text.startswith("goal drifted elsewhere ") for text in examples)
    assert {"drifted", "elsewhere", "goal"} == set(evidence["own_words"])
    assert set(evidence["terms"][:2]) <= {"drifted", "elsewhere", "goal", "goal drifted",
                                          "drifted elsewhere"}  # fmt: skip
    assert evidence["own_words_a_member"] > 2.5
    assert evidence["unmapped_share"] == 1.0
    assert evidence["recaptured"] >= 0.75
    assert evidence["gain_bits"] > 4
    assert evidence["gain"] > 0.4
    assert 0.8 < evidence["coherence"] < 1


def test_its_prototype_holds_its_members_and_no_others() -> None:
    (proposal,) = FOUND.proposals
    assert proposal.prototype is not None
    assert proposal.prototype.model == "m"
    inside = assign(CORPUS.vectors, [proposal.prototype]) != OUTSIDE
    assert inside[CORPUS.kinds == 2].mean() >= 0.85
    assert not inside[CORPUS.kinds != 2].any()


def test_a_proposal_can_be_accepted_and_is_then_not_made_again() -> None:
    (proposal,) = FOUND.proposals
    schema = apply_proposal(SCHEMA, proposal)
    items = make_items(CORPUS.kinds, TEXTS, [*ONE_NEW[:2], proposal.name, "other"])
    again = discover(items, CORPUS.vectors, schema, "friction")
    assert ([one.maps_to for one in again.clusters][2], again.proposals) == (proposal.name, ())


@pytest.mark.slow
def test_what_is_left_outside_an_accepted_prototype_is_no_second_proposal() -> None:
    """The members that the region leaves out map to the type by now."""
    (proposal,) = FOUND.proposals
    assert proposal.prototype is not None
    schema = apply_proposal(SCHEMA, proposal)
    items = make_items(CORPUS.kinds, TEXTS, ONE_NEW)
    taken = pl.Series(assign(CORPUS.vectors, [proposal.prototype]) != OUTSIDE)
    items = items.with_columns(
        type=pl.when(taken & (pl.col("type") == "other"))
        .then(pl.lit(proposal.name))
        .otherwise("type")
    )
    floors = Floors(min_sessions=2)
    assert discover(items, CORPUS.vectors, schema, "friction", floors=floors).proposals == ()


def test_a_corpus_without_anything_new_gives_no_proposal() -> None:
    assert _discover(KNOWN).proposals == ()


@pytest.mark.slow
def test_members_that_the_judge_did_not_name_are_nothing_new() -> None:
    items = make_items(CORPUS.kinds, TEXTS, KNOWN).with_columns(
        type=pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("other")).otherwise("type")
    )
    found = discover(items, CORPUS.vectors, SCHEMA, "friction")
    assert [one.maps_to for one in found.clusters] == KNOWN[:3]
    assert found.proposals == ()


@pytest.mark.slow
def test_moments_of_other_that_have_nothing_in_common_give_no_proposal() -> None:
    noise = make_corpus([60, 40], 60)
    assert _discover(["correction", "backtracking", "other"], corpus=noise,
                     texts=[*TEXTS[:2], TEXTS[3]]).proposals == ()  # fmt: skip


def test_what_has_no_word_of_its_own_is_not_proposed() -> None:
    """It lies apart from all known values because it says less than they do."""
    found = _discover(ONE_NEW, texts=["stopped the run", "reported a failure", "the", "a failure"])
    assert [one.own_words for one in found.novelties if len(one.members) == 30] == [0.0]
    assert found.proposals == ()


def test_two_clusters_of_one_novelty_are_one_proposal() -> None:
    """Twice as far from each other as members are, but told by the same words."""
    corpus = make_corpus([60, 40, 15, 15], 0, seed=5)
    texts = [*TEXTS[:2], "goal drifted elsewhere", "goal drifted elsewhere"]
    found = _discover(["correction", "backtracking", "other", "other"], corpus=corpus, texts=texts)
    assert [proposal.support for proposal in found.proposals] == [30]


def test_two_novelties_are_two_proposals_with_names_of_their_own() -> None:
    corpus = make_corpus([60, 40, 15, 15], 0, seed=5)
    texts = [*TEXTS[:2], "goal drifted elsewhere", "waited long"]
    found = _discover(["correction", "backtracking", "other", "other"], corpus=corpus, texts=texts)
    assert [proposal.support for proposal in found.proposals] == [15, 15]
    assert len({proposal.name for proposal in found.proposals}) == 2


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        (Floors(min_sessions=30), True),
        (Floors(min_sessions=31), False),
        (Floors(min_users=4), True),
        (Floors(min_users=5), False),
        (Floors(min_stability=1.01), False),
        (Floors(min_gain_bits=20), False),
        (Floors(min_recaptured=1.01), False),
        (Floors(min_own_words=9), False),
    ],
    ids=["sessions-reached", "sessions-short", "users-reached", "users-short", "unstable",
         "no-gain", "not-recaptured", "no-words"],
)  # fmt: skip
def test_each_figure_must_reach_its_floor(floors: Floors, expected: bool) -> None:
    (one,) = (one for one in FOUND.novelties if one.sessions == 30)
    assert passes(one, floors) is expected


def test_what_was_never_measured_passes_no_floor() -> None:
    (one,) = (one for one in FOUND.novelties if one.sessions == 30)
    assert not passes(one._replace(stability=float("nan")), Floors(min_stability=0))


def test_too_few_users_give_no_proposal() -> None:
    assert _discover(ONE_NEW, floors=Floors(min_users=3), users=2).proposals == ()


def test_many_moments_of_few_sessions_are_no_support() -> None:
    items = make_items(CORPUS.kinds, TEXTS, ONE_NEW).with_columns(
        session_key=pl.concat_str(pl.lit("s"), (pl.int_range(pl.len()) % 4).cast(pl.String))
    )
    assert discover(items, CORPUS.vectors, SCHEMA, "friction").proposals == ()


def test_unknown_users_count_as_one() -> None:
    items = make_items(CORPUS.kinds, TEXTS, ONE_NEW).with_columns(
        user_id=pl.lit(None, dtype=pl.String)
    )
    found = discover(items, CORPUS.vectors, SCHEMA, "friction")
    assert [one.users for one in found.clusters] == [1, 1, 1]
    assert [one.users for one in found.proposals] == [1]


def test_a_known_group_keeps_its_identity_and_with_it_the_proposal() -> None:
    (proposal,) = FOUND.proposals
    members = frozenset(f"m{row}" for row in np.flatnonzero(CORPUS.kinds == 2))
    known = KnownCluster("c-old", FOUND.novelties[0].centroid, members)
    (again,) = _discover(ONE_NEW, known=(known,)).proposals
    assert (again.cluster_id, again.name) == ("c-old", proposal.name)
    assert again.proposal_id == proposal_id("new_type", "friction", "c-old")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by_id", "by_place", "model", "proposed"),
    [
        (True, False, "m", 0),
        (False, True, "m", 0),
        (False, True, "other", 1),
        (False, False, "m", 1),
    ],
    ids=["same-identity", "inside-its-region", "region-of-another-model", "something-else"],
)  # fmt: skip
def test_what_was_rejected_does_not_come_back(
    by_id: bool, by_place: bool, model: str, proposed: int
) -> None:
    (proposal,) = FOUND.proposals
    assert proposal.prototype is not None
    place = proposal.prototype.model_copy(update={"model": model})
    rejected = Rejected(proposal.cluster_id if by_id else "c-9", place if by_place else None)
    assert len(_discover(ONE_NEW, rejected=(rejected,)).proposals) == proposed


def test_a_facet_gets_a_new_value() -> None:
    types = ["feature", "fix", "unclear", "unclear"]
    items = make_items(CORPUS.kinds, TEXTS, types)
    (proposal,) = discover(items, CORPUS.vectors, SCHEMA, "intent").proposals
    assert (proposal.kind, proposal.target) == ("new_value", "intent")
    assert proposal.name in apply_proposal(SCHEMA, proposal).known_values("intent")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "a", ""], ("a", 2 / 3)),
        (["a", ""], ("a", 0.5)),
        (["", "", "a"], (None, 2 / 3)),
        (["b", "a"], ("a", 0.5)),
        ([""], (None, 1.0)),
        ([], (None, 0.0)),
    ],
    ids=["most", "half", "most-none", "a-tie", "none", "empty"],
)
def test_the_majority_unless_most_carry_none(
    values: list[str], expected: tuple[str | None, float]
) -> None:
    assert majority(values) == expected


def test_names_of_a_model_are_made_identifiers_and_stay_apart() -> None:
    (proposal,) = FOUND.proposals
    other = replace(proposal, proposal_id="p2", cluster_id="c2", name="second")
    names = {proposal.cluster_id or "": ("Goal drift!", "Drifts."), "c2": ("goal drift", "Drifts.")}
    told = named([proposal, other], names)
    assert [(one.name, one.definition) for one in told] == [
        ("goal_drift", "Drifts."),
        ("goal_drift_2", "Drifts."),
    ]
    assert named([proposal], {}) == [proposal]


def test_no_items_discover_nothing() -> None:
    found = discover(pl.DataFrame(schema=ITEMS_SCHEMA), np.empty((0, 384)), SCHEMA, "delight")
    assert (found.clusters, found.novelties, found.proposals) == ((), (), ())


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(ConfigError, match="has no facet mood"):
        discover(make_items(CORPUS.kinds, TEXTS, KNOWN), CORPUS.vectors, SCHEMA, "mood")


def test_discovery_is_the_same_each_time() -> None:
    assert _discover(ONE_NEW).proposals == FOUND.proposals
