"""Facet values under a growing schema: what is read, what is carried over, what waits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from facets.measures import MEASURES_VERSION
from facets.proposal import Proposal
from pipelines.config import FacetsConfig
from pipelines.context import Context
from pipelines.schema_decisions import accept_proposal, roll_back
from pipelines.schemas import ensure_schema
from pipelines.stages import facets as stage
from pipelines.stages.facets import fill_facets
from pipelines.warehouse import query
from tests.pipelines.schema_world import (
    NOW,
    add_session,
    copy_of,
    make_context,
    propose,
    values_of,
)
from tests.pipelines.warehouse_rows import add

PACE = Proposal(
    "p1", "new_facet", "pace", "pace", "Turns, once more.",
    facet={"type": "count", "provenance": "log", "rule": "turns"},
)  # fmt: skip
NOTHING = {"sessions_read": 0, "backfilled": 0, "pending": 0, "values_told": 0}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Five sessions of five days, the n-th with n turns, read under version 1."""
    context = make_context(tmp_path_factory.mktemp("template"))
    with context.warehouse() as connection:
        ensure_schema(connection, NOW)
        for number in range(1, 6):
            add_session(connection, f"s{number}", facets={"intent": "fix"}, turns=number,
                        day=date(2026, 3, number))  # fmt: skip
    assert fill_facets(context) == {**NOTHING, "sessions_read": 5, "values_told": 15}
    return context


@pytest.fixture
def world(template: Context, tmp_path: Path) -> Context:
    """A copy for each test to change."""
    return copy_of(template, tmp_path)


def _with(world: Context, **changes: Any) -> Context:
    settings = world.config.model_copy(update={"facets": FacetsConfig(**changes)})
    return replace(world, config=settings)


def _accept(world: Context, proposal: Proposal = PACE) -> int:
    with world.warehouse() as connection:
        propose(connection, proposal)
        decided = accept_proposal(connection, proposal.proposal_id, world.config, NOW)
    return decided.sessions_to_read


def _pace(world: Context) -> dict[str, Any]:
    with world.warehouse() as connection:
        return values_of(connection, "pace", 2)


def _rows(world: Context, version: int) -> list[tuple[Any, ...]]:
    with world.warehouse() as connection:
        return query(
            connection,
            "SELECT session_key, facet, value, provenance, judgement_id FROM facet_values "
            "WHERE schema_version = ? AND facet <> 'pace' ORDER BY ALL",
            [version],
        ).rows()


def test_a_second_run_reads_and_writes_nothing(world: Context) -> None:
    assert fill_facets(world) == NOTHING


def test_the_newest_older_sessions_are_read_first_and_a_run_takes_its_share(world: Context) -> None:
    assert _accept(world) == 5
    in_twos = _with(world, backfill_sessions=2)
    assert fill_facets(in_twos) == {**NOTHING, "backfilled": 2, "pending": 3}
    assert _pace(world) == {"s4": 4, "s5": 5}
    assert fill_facets(in_twos) == {**NOTHING, "backfilled": 2, "pending": 1}
    assert fill_facets(in_twos) == {**NOTHING, "backfilled": 1, "pending": 0}
    assert _pace(world) == {"s1": 1, "s2": 2, "s3": 3, "s4": 4, "s5": 5}
    assert fill_facets(in_twos) == NOTHING


def test_new_sessions_are_read_whatever_the_budget(world: Context) -> None:
    _accept(world)
    with world.warehouse() as connection:
        for key in ("new1", "new2"):
            add_session(connection, key, turns=7, day=date(2025, 1, 1))
    counts = fill_facets(_with(world, backfill_sessions=1))
    assert counts == {"sessions_read": 2, "backfilled": 1, "pending": 4, "values_told": 6}
    assert _pace(world) == {"new1": 7, "new2": 7, "s5": 5}


@pytest.mark.slow
def test_the_time_of_a_run_is_limited_and_each_run_gets_on(
    world: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_BATCH_SESSIONS", 1)
    _accept(world)
    hasty = replace(_with(world, backfill_seconds=90), clock=_ticking(timedelta(seconds=40)))
    assert fill_facets(hasty) == {**NOTHING, "backfilled": 3, "pending": 2}
    late = replace(_with(world, backfill_seconds=1), clock=_ticking(timedelta(hours=1)))
    assert fill_facets(late) == {**NOTHING, "backfilled": 1, "pending": 1}


def _ticking(step: timedelta) -> Callable[[], datetime]:
    """A clock that goes on by `step` whenever it is looked at."""
    now = NOW

    def tell() -> datetime:
        nonlocal now
        now += step
        return now

    return tell


@pytest.mark.parametrize("batches", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_between_any_two_batches_it_goes_on_where_it_was(
    world: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(stage, "_BATCH_SESSIONS", 2)
    _accept(world)
    (tmp_path / "whole").mkdir()
    whole = copy_of(world, tmp_path / "whole")
    fill_facets(whole)

    def kill(what: str, done: int, total: int) -> None:
        if done == 2 * batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_facets(replace(world, progress=kill))
    assert len(_pace(world)) == 2 * batches
    assert fill_facets(world)["backfilled"] == 5 - 2 * batches
    assert (_pace(world), _rows(world, 2)) == (_pace(whole), _rows(whole, 2))


def test_what_did_not_change_is_carried_over_without_the_log(world: Context) -> None:
    with world.warehouse() as connection:
        connection.execute("DELETE FROM steps")
    assert _accept(world, Proposal("p2", "retire", "delight", "praise", "")) == 0
    assert fill_facets(world) == NOTHING
    assert _rows(world, 2) == _rows(world, 1)
    with world.warehouse() as connection:
        assert values_of(connection, "turns", 2) == {f"s{n}": n for n in range(1, 6)}


def test_a_log_facet_whose_values_change_is_read_anew(world: Context) -> None:
    merge = Proposal("p2", "merge", "frameworks", "web", "d", parts=("django", "flask"))
    with world.warehouse() as connection:
        connection.execute("UPDATE steps SET text = 'Django and FastAPI' WHERE session_key = 's1'")
    assert _accept(world, merge) == 5
    assert fill_facets(world) == {**NOTHING, "backfilled": 5}
    with world.warehouse() as connection:
        assert values_of(connection, "frameworks", 2)["s1"] == ["fastapi", "web"]
        roll_back(connection, 1, world.config, NOW)
    assert fill_facets(world) == NOTHING


def test_a_quantity_that_was_measured_already_needs_no_log(world: Context) -> None:
    """Only where it is the same version of the same measure, of what the session holds now."""
    with world.warehouse() as connection:
        for key, content, version, value in (
            ("s1", "hash", MEASURES_VERSION, 2.5),
            ("s2", "hash", MEASURES_VERSION, None),
            ("s3", "hash", MEASURES_VERSION + 1, 9.0),
            ("s4", "grown", MEASURES_VERSION, 9.0),
        ):
            add(connection, "session_measures", session_key=key, measure="edits",
                content_hash=content, version=version, value=value)  # fmt: skip
    edits = Proposal("p1", "new_facet", "edits", "edits", "Edits.",
                     facet={"type": "count", "provenance": "log", "rule": "edits"})  # fmt: skip
    assert _accept(world, edits) == 3
    with world.warehouse() as connection:
        assert values_of(connection, "edits", 2) == {"s1": 2, "s2": None}
    assert fill_facets(world) == {**NOTHING, "backfilled": 3}
    with world.warehouse() as connection:
        assert values_of(connection, "edits", 2) == {"s1": 2, "s2": None, "s3": 0, "s4": 0, "s5": 0}


def test_a_newer_verdict_on_the_same_content_reads_no_log(world: Context) -> None:
    with world.warehouse() as connection:
        connection.execute("UPDATE judgements SET current = false WHERE session_key = 's2'")
        add(connection, "judgements", judgement_id="model", session_key="s2", judge="llm",
            summary="sum-s2", facets={"intent": "test"})  # fmt: skip
        connection.execute("DELETE FROM steps")
    assert fill_facets(world) == {**NOTHING, "values_told": 3}
    with world.warehouse() as connection:
        assert values_of(connection, "turns", 1)["s2"] == 2
        assert values_of(connection, "intent", 1)["s2"] == "test"


def test_a_session_that_grew_is_new_again(world: Context) -> None:
    with world.warehouse() as connection:
        connection.execute("UPDATE judgements SET current = false WHERE session_key = 's2'")
        connection.execute("UPDATE sessions SET content_hash = 'grown' WHERE session_key = 's2'")
        add(connection, "judgements", judgement_id="again", session_key="s2",
            content_hash="grown")  # fmt: skip
        add(connection, "steps", session_key="s2", source_ref="t9", position=9, source="user",
            is_person=True)  # fmt: skip
    assert fill_facets(world) == {**NOTHING, "sessions_read": 1, "values_told": 3}
    with world.warehouse() as connection:
        assert values_of(connection, "turns", 1)["s2"] == 3


@pytest.mark.slow
def test_a_log_that_is_gone_leaves_the_value_unknown(world: Context) -> None:
    with world.warehouse() as connection:
        connection.execute("DELETE FROM steps WHERE session_key = 's2'")
    _accept(world)
    assert fill_facets(world)["pending"] == 0
    assert _pace(world)["s2"] is None
