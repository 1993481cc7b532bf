"""Acceptance without a person: only where it is on, above every floor, and with its reason."""

from pathlib import Path
from typing import Any

import pytest

from facets.proposal import Proposal
from pipelines.config import Config, EvolutionConfig
from pipelines.context import Context
from pipelines.schema_acceptance import auto_accept
from pipelines.schemas import current_schema
from pipelines.warehouse import query
from tests.pipelines.schema_world import NOW, copy_of, make_context, propose

ON = EvolutionConfig(auto_accept=True, min_sessions=10, min_users=2)
GOOD: dict[str, Any] = {"support": 30, "sessions": 12, "users": 3, "stability": 0.9,
                        "evidence": {"gain": 0.2}}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """An empty warehouse."""
    context = make_context(tmp_path_factory.mktemp("template"))
    with context.warehouse():
        return context


@pytest.fixture
def world(template: Context, tmp_path: Path) -> Context:
    """A copy for each test to change."""
    return copy_of(template, tmp_path)


def _decided(world: Context, config: Config, *proposals: Proposal) -> list[tuple[Any, ...]]:
    with world.warehouse() as connection:
        for proposal in proposals:
            propose(connection, proposal)
        for _ in range(2):  # a second run has nothing to add
            auto_accept(connection, config, NOW)
        return query(
            connection,
            "SELECT proposal_id, decision, decided_by, reason FROM schema_decisions "
            "ORDER BY number",
        ).rows()


def _new(proposal_id: str, name: str, **changes: Any) -> Proposal:
    return Proposal(proposal_id, "new_type", "friction", name, "d", **{**GOOD, **changes})


def test_what_passes_every_floor_is_accepted_with_its_figures(world: Context) -> None:
    assert _decided(world, Config(evolution=ON), _new("p1", "drift")) == [
        ("p1", "accept", "auto", "sessions 12, users 3, stability 0.9, gain 0.2")
    ]
    with world.warehouse() as connection:
        schema = current_schema(connection)
    assert (schema.version, "drift" in schema.known_values("friction")) == (2, True)


def test_what_is_below_a_floor_waits_for_a_person(world: Context) -> None:
    below: list[tuple[dict[str, Any], str]] = [
        ({"sessions": 9}, "sessions 9 under 10"),
        ({"users": 1}, "users 1 under 2"),
        ({"stability": 0.79}, "stability 0.79 under 0.8"),
        ({"stability": None}, "stability not measured"),
        ({"stability": float("nan")}, "stability nan under 0.8"),
        ({"evidence": {"gain": 0.01}}, "gain 0.01 under 0.05"),
        ({"evidence": {}}, "gain not measured"),
        ({"evidence": {"gain": True}}, "gain not measured"),
        ({"sessions": 1, "users": 1}, "sessions 1 under 10; users 1 under 2"),
    ]
    proposals = [_new(f"p{n}", f"t{n}", **changes) for n, (changes, _) in enumerate(below)]
    found = _decided(world, Config(evolution=ON), *proposals)
    assert sorted(found) == [
        (f"p{n}", "left_open", "auto", reason) for n, (_, reason) in enumerate(below)
    ]
    with world.warehouse() as connection:
        assert current_schema(connection).version == 1


def test_it_is_off_unless_the_configuration_says_so(world: Context) -> None:
    assert _decided(world, Config(), _new("p1", "drift")) == []


def test_the_floors_of_what_is_published_hold_as_well(world: Context) -> None:
    team = Config(mode="team", evolution=ON.model_copy(update={"min_users": 1}))
    assert _decided(world, team, _new("p1", "drift", users=2)) == [
        ("p1", "left_open", "auto", "users 2 under 3")
    ]


def test_one_that_applies_no_more_is_left_open_and_keeps_none_from_being_accepted(
    world: Context,
) -> None:
    found = _decided(
        world,
        Config(evolution=ON),
        _new("p1", "drift", sessions=30),
        _new("p2", "drift", sessions=20),
        _new("p3", "tabs"),
    )
    assert [(row[0], row[1]) for row in found] == [
        ("p1", "accept"), ("p2", "left_open"), ("p3", "accept")
    ]  # fmt: skip
    assert found[1][3] == "proposal p2: friction has drift already"


def test_a_persons_rejection_stands(world: Context) -> None:
    with world.warehouse() as connection:
        propose(connection, _new("p1", "drift"))
        connection.execute("UPDATE schema_proposals SET status = 'rejected'")
    assert _decided(world, Config(evolution=ON)) == []
