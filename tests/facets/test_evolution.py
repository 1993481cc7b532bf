"""Evolution: what is proposed, on what evidence, and when nothing is."""

from dataclasses import asdict

import numpy as np
import polars as pl
import pytest

from agent_core.errors import ConfigError
from facets.evolution import ITEMS_SCHEMA, Discovery, Floors, discover, map_to_schema
from facets.proposal import proposal_id
from facets.schema import apply_proposal, load_seed_schema
from tests.facets.corpora import Corpus, make_corpus, make_items

SCHEMA = load_seed_schema()
CORPUS = make_corpus([60, 40, 30], 20)
TEXTS = ["stopped the run", "reported a failure", "goal drifted elsewhere", "lone words"]
KNOWN = ["abandoned_tool_flow", "correction", "backtracking", "other"]
ONE_NEW = ["abandoned_tool_flow", "correction", "other", "other"]


def _discover(types: list[str], *, floors: Floors | None = None, users: int = 4) -> Discovery:
    items = make_items(CORPUS.kinds, TEXTS, types, users=users)
    return discover(items, CORPUS.vectors, SCHEMA, "friction", floors=floors)


def test_a_cluster_of_other_is_proposed_with_its_evidence() -> None:
    found = _discover(ONE_NEW)
    assert [(one.maps_to, one.size, one.sessions, one.users) for one in found.clusters] == [
        ("abandoned_tool_flow", 60, 60, 4),
        ("correction", 40, 40, 4),
        (None, 30, 30, 4),
    ]
    (proposal,) = found.proposals
    told = asdict(proposal)
    terms, examples = told["evidence"].pop("terms"), told["evidence"].pop("examples")
    assert told == {
        "proposal_id": proposal_id("new_type", "friction", terms[:3]),
        "kind": "new_type",
        "target": "friction",
        "name": "_".join(terms[:3]),
        "definition": f"Such as: {examples[0]}.",
        "support": 30,
        "sessions": 30,
        "users": 4,
        "stability": 1.0,
        "evidence": {"unmapped_share": 1.0},
    }
    assert set(terms[:2]) <= {"drifted", "goal"}
    assert len(examples) == 5
    assert all(text.startswith("goal drifted elsewhere ") for text in examples)


def test_a_proposal_can_be_accepted_and_is_then_not_made_again() -> None:
    (proposal,) = _discover(ONE_NEW).proposals
    schema = apply_proposal(SCHEMA, proposal)
    items = make_items(CORPUS.kinds, TEXTS, [*ONE_NEW[:2], proposal.name, "other"])
    again = discover(items, CORPUS.vectors, schema, "friction")
    assert ([one.maps_to for one in again.clusters][2], again.proposals) == (proposal.name, ())


def test_a_corpus_without_anything_new_gives_no_proposal() -> None:
    assert _discover(KNOWN).proposals == ()


def test_moments_of_other_that_have_nothing_in_common_give_no_proposal() -> None:
    noise = make_corpus([], 60)
    items = make_items(noise.kinds, ["lone words"], ["other"])
    assert discover(items, noise.vectors, SCHEMA, "friction").proposals == ()


@pytest.mark.parametrize(
    ("floors", "users", "proposed"),
    [
        (Floors(min_sessions=30), 4, 1),
        (Floors(min_sessions=31), 4, 0),
        (Floors(min_users=3), 3, 1),
        (Floors(min_users=3), 2, 0),
        (Floors(min_stability=1.01), 4, 0),
    ],
    ids=["sessions-reached", "sessions-short", "users-reached", "users-short", "unstable"],
)
def test_below_a_floor_nothing_is_proposed(floors: Floors, users: int, proposed: int) -> None:
    assert len(_discover(ONE_NEW, floors=floors, users=users).proposals) == proposed


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


def test_a_facet_gets_a_new_value() -> None:
    types = ["feature", "fix", "unclear", "unclear"]
    items = make_items(CORPUS.kinds, TEXTS, types)
    (proposal,) = discover(items, CORPUS.vectors, SCHEMA, "intent").proposals
    assert (proposal.kind, proposal.target) == ("new_value", "intent")
    assert apply_proposal(SCHEMA, proposal).known_values("intent")[-3:] == (
        "unclear",
        proposal.name,
        "other",
    )


def test_the_mapping_takes_the_majority_and_leaves_mixed_other_unmapped() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 3, -1])
    types = ["correction", "correction", "other", "other", "correction",
             "other", "never_heard_of", None, "correction"]  # fmt: skip
    items = pl.DataFrame({"type": types})
    assert map_to_schema(items, labels, SCHEMA, "friction") == {
        0: "correction",
        1: "correction",
        2: None,
        3: None,
    }


def test_no_items_discover_nothing() -> None:
    found = discover(pl.DataFrame(schema=ITEMS_SCHEMA), np.empty((0, 384)), SCHEMA, "delight")
    assert (found.clusters, found.proposals) == ((), ())


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(ConfigError, match="has no facet mood"):
        discover(make_items(CORPUS.kinds, TEXTS, KNOWN), CORPUS.vectors, SCHEMA, "mood")


def test_discovery_is_the_same_each_time() -> None:
    assert _discover(ONE_NEW).proposals == _discover(ONE_NEW).proposals
    assert isinstance(CORPUS, Corpus)
