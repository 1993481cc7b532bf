"""Quantities that explain friction are found, what grows with the session or is chance is not."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from facets.friction_design import Known, scaled, state_problem
from facets.held_out import held_out_gain, same_direction
from facets.log_rules import LOG_RULES
from facets.measures import MEASURES
from facets.proposal import proposal_id
from facets.quantities import ExaminedQuantity, QuantityFloors, explain_friction
from facets.quantity_proposals import propose_facets
from facets.schema import Facet
from tests.facets.friction_sessions import (
    CANDIDATES,
    KNOWN,
    LENGTH_ONLY,
    PLANTED,
    Made,
    World,
    make_sessions,
)

_KNOWN = Known(counts=KNOWN)
_WORLDS: tuple[World, ...] = ("turns", "bursts", "sessions")


def _found(sessions: pl.DataFrame) -> set[str]:
    tested = explain_friction(sessions, CANDIDATES, _KNOWN)
    return {found.measure for found in tested if found.reason is None}


@pytest.mark.parametrize("users", [1, 25])
def test_a_planted_effect_is_found_and_nothing_else(users: int) -> None:
    sessions = make_sessions(Made(800, 0.6, users=users), seed=1)
    assert _found(sessions) == set(PLANTED)


@pytest.mark.parametrize("world", _WORLDS)
def test_nothing_is_found_where_nothing_is(world: World) -> None:
    assert _found(make_sessions(Made(300, world=world), seed=2)) == set()


def test_what_grows_with_the_session_is_deceptive_without_its_length() -> None:
    """The same sessions with the lengths and counts unknown: the trap is real."""
    sessions = make_sessions(Made(1000, world="sessions"), seed=3)
    blind = Known(counts=(), categories=(), lengths=())
    naive = explain_friction(sessions, LENGTH_ONLY, blind)
    assert min(found.odds_ratio or 0 for found in naive) > 1.3
    assert _found(sessions) == set()


def test_the_outcome_is_told_for_each_candidate_in_figures() -> None:
    sessions = make_sessions(Made(700, 0.6), seed=4)
    tested = explain_friction(sessions, CANDIDATES, _KNOWN)
    assert {found.measure for found in tested} == set(CANDIDATES)
    best = tested[0]
    assert best.reason is None
    assert best.gain is not None
    assert best.p_value is not None
    assert best.odds_low is not None
    assert best.odds_ratio is not None
    assert best.odds_high is not None
    assert best.p_value < 1e-3
    assert 1.2 < best.odds_low < best.odds_ratio < best.odds_high < 4
    assert best.gain.by_group
    assert best.gain.log_loss > 0
    assert best.gain.auroc_with > best.gain.auroc_without
    assert best.stability == 1.0


def test_the_same_sessions_give_the_same_figures_in_any_order() -> None:
    sessions = make_sessions(Made(400, 0.5), seed=5)
    first = explain_friction(sessions, PLANTED, _KNOWN)
    assert explain_friction(sessions, PLANTED, _KNOWN) == first
    mixed = sessions.sample(fraction=1, shuffle=True, seed=1)
    shuffled = explain_friction(mixed, PLANTED, _KNOWN)
    assert [(f.measure, f.reason) for f in shuffled] == [(f.measure, f.reason) for f in first]


def test_a_quantity_that_says_what_a_stronger_one_says_is_not_proposed() -> None:
    sessions = make_sessions(Made(1000, 0.6), seed=6)
    noise = np.random.default_rng(7).poisson(0.3, size=1000)
    twin = sessions.with_columns(twin=pl.col("planted_common") + noise)
    tested = explain_friction(twin, ["planted_common", "twin"], _KNOWN)
    reasons = {found.measure: found.reason for found in tested}
    assert sorted(map(str, reasons.values())) == [
        "None",
        f"it says no more than {tested[0].measure}",
    ]


def test_a_known_count_is_no_candidate_and_explains_its_likes() -> None:
    sessions = make_sessions(Made(1000, 0.6), seed=6)
    known = Known(counts=[*KNOWN, "planted_common"])
    tested = explain_friction(sessions, ["planted_common", "planted_rare"], known)
    assert [found.measure for found in tested] == ["planted_rare"]


def test_what_the_judge_judges_by_is_tested_on_models_verdicts_alone() -> None:
    sessions = make_sessions(Made(1000, 0.8), seed=8)
    by_rules = explain_friction(sessions, ["planted_common"], _KNOWN, evidence=["planted_common"])
    assert [(f.reason, f.eligible) for f in by_rules] == [
        ("rules judge by it, and models judged too few sessions", 0)
    ]
    half = sessions.with_columns(by_rules=pl.int_range(pl.len()) % 2 == 0)
    by_both = explain_friction(half, ["planted_common"], _KNOWN, evidence=["planted_common"])
    assert [(f.reason, f.eligible) for f in by_both] == [(None, 500)]


def test_what_the_judge_judges_by_is_known_where_rules_judged() -> None:
    """A likeness of the evidence explains the rules' verdict only through the evidence."""
    sessions = make_sessions(Made(1000, 0.8), seed=9)
    noise = np.random.default_rng(10).poisson(0.5, size=1000)
    alike = sessions.with_columns(alike=pl.col("planted_common") + noise)
    asked = [
        explain_friction(alike, ["alike"], _KNOWN, evidence=evidence)[0].reason
        for evidence in ([], ["planted_common"])
    ]
    assert asked == [None, "it goes with friction no more than chance has it"]


@pytest.mark.parametrize(
    ("change", "floors", "reason"),
    [
        ({}, QuantityFloors(eligible=500), "fewer than 500 sessions show it"),
        ({}, QuantityFloors(sessions=390), "fewer than 390 sessions have any of it"),
        ({}, QuantityFloors(users=2), "fewer than 2 users have any of it"),
        (
            {"friction_turns": 0},
            QuantityFloors(),
            "fewer than 20 sessions with friction, or without",
        ),
        ({"planted_common": 2.0}, QuantityFloors(), "it is the same in all sessions"),
    ],
)
def test_what_cannot_be_tested_says_why(
    change: dict[str, float], floors: QuantityFloors, reason: str
) -> None:
    sessions = make_sessions(Made(400, 0.5), seed=11).with_columns(
        **{name: pl.lit(value) for name, value in change.items()}
    )
    (found,) = explain_friction(sessions, ["planted_common"], _KNOWN, floors)
    assert (found.reason, found.p_value, found.odds_ratio) == (reason, None, None)


def test_a_log_that_does_not_show_a_quantity_is_left_out_not_zero() -> None:
    sessions = make_sessions(Made(600, 0.5), seed=12).with_columns(
        pl.when(pl.int_range(pl.len()) < 200).then(None).otherwise("planted_common")
        .alias("planted_common")
    )  # fmt: skip
    (found,) = explain_friction(sessions, ["planted_common"], _KNOWN)
    assert found.eligible == 400


def test_whole_groups_are_left_out_where_there_are_several() -> None:
    sessions = make_sessions(Made(400, 0.5, users=1, projects=6), seed=13)
    problem = state_problem(sessions, _KNOWN)
    values = scaled(sessions["planted_common"].to_numpy())
    assert held_out_gain(values, problem, seed=0).by_group
    alone = state_problem(sessions.with_columns(project=pl.lit("p")), _KNOWN)
    assert not held_out_gain(values, alone, seed=0).by_group


def test_a_few_large_groups_do_not_decide_alone() -> None:
    """Thirty projects, of which two have most sessions: the sessions count, each for itself."""
    sessions = make_sessions(Made(600, 0.6), seed=16).with_columns(
        project=pl.when(pl.int_range(pl.len()) < 500)
        .then(pl.format("large{}", pl.int_range(pl.len()) % 2))
        .otherwise(pl.format("small{}", pl.int_range(pl.len()) % 28))
    )
    problem = state_problem(sessions, _KNOWN)
    assert len(np.unique(problem.groups)) == 30
    assert len(np.unique(problem.clusters)) == 600
    (found,) = explain_friction(sessions, ["planted_common"], _KNOWN)
    assert found.reason is None


def test_a_direction_that_chance_gave_does_not_hold() -> None:
    sessions = make_sessions(Made(600, 0.6), seed=14)
    problem = state_problem(sessions, _KNOWN)
    planted = scaled(sessions["planted_common"].to_numpy())
    even = scaled(sessions["even"].to_numpy())
    assert same_direction(planted, problem, seed=0) == 1.0
    assert same_direction(even, problem, seed=0) < 1.0


def test_what_passes_is_a_facet_that_a_schema_takes() -> None:
    sessions = make_sessions(Made(1000, 0.6), seed=15).rename({"planted_common": "undo_commands"})
    tested = explain_friction(sessions, ["undo_commands", "even"], _KNOWN)
    (proposal,) = propose_facets(tested)
    assert proposal.proposal_id == proposal_id("new_facet", "undo_commands", "undo_commands")
    assert (proposal.kind, proposal.target, proposal.name) == (
        "new_facet",
        "undo_commands",
        "undo_commands",
    )
    assert proposal.facet is not None
    facet = Facet.model_validate(dict(proposal.facet))
    assert facet == Facet(
        name="undo_commands",
        type="count",
        definition=MEASURES["undo_commands"].definition,
        provenance="log",
        rule="undo_commands",
    )
    assert facet.rule in LOG_RULES
    assert proposal.evidence["finding"].startswith(
        "friction is likelier in sessions with more of it: odds times "
    )
    assert proposal.sessions == tested[0].sessions


def test_nothing_that_has_a_reason_is_proposed() -> None:
    found = ExaminedQuantity("undo_commands", None, 10, 10, 1)
    assert propose_facets([replace(found, reason="it is chance")]) == []


@pytest.mark.slow
def test_false_discoveries_stay_below_their_rate_over_many_seeds() -> None:
    """Nothing planted, three worlds, one user and many: a run in twenty may find something."""
    runs = [
        _found(make_sessions(Made(300, world=world, users=users), seed=seed))
        for world in _WORLDS
        for users in (1, 25)
        for seed in range(100, 130)
    ]
    assert sum(bool(found) for found in runs) <= 0.05 * len(runs)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "least"), [(300, 0.3), (600, 0.75), (1200, 0.95)], ids=str)
def test_power_grows_with_the_sessions(size: int, least: float) -> None:
    """Of 20 corpora of each size with an effect of 0.5, in how many the common one is found."""
    runs = [_found(make_sessions(Made(size, 0.5), seed=seed)) for seed in range(200, 220)]
    assert np.mean([PLANTED[0] in found for found in runs]) >= least
