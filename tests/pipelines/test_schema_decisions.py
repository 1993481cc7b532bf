"""Accepting, rejecting and rolling back: what moments and sessions are called afterwards."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from agent_core.errors import BadInputError, ConfigError
from facets.proposal import Proposal
from facets.schema import MISSING_CAPABILITIES
from facets.schema_diff import SchemaChange
from pipelines.context import Context
from pipelines.export import export_rows
from pipelines.schema_decisions import accept_proposal, reject_proposal, roll_back
from pipelines.schemas import current_schema, ensure_schema, schema_changes, stored_versions
from pipelines.stages.facets import fill_facets
from pipelines.stages.moments import collect_moments
from pipelines.stages.types import resolve_moment_types
from pipelines.warehouse import query
from tests.pipelines.schema_world import (
    EAST,
    NORTH,
    NOW,
    add_session,
    copy_of,
    make_context,
    model_of,
    place_texts,
    propose,
    prototype,
    types_of,
    values_of,
)
from tests.pipelines.warehouse_rows import add

JUDGED = {
    "s1-0": "other",
    "s1-1": "correction",
    "s2-0": "other",
    "s2-1": "backtracking",
    "s3-0": "other",
    "s3-1": "correction",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Three sessions; texts lie in the east, in the north, or nowhere yet."""
    context = make_context(tmp_path_factory.mktemp("template"))
    with context.warehouse() as connection:
        add_session(connection, "s1", [("other", "east"), ("correction", "east")],
                    facets={"intent": "other", "outcome": "success"})  # fmt: skip
        add_session(connection, "s2", [("other", "north"), ("backtracking", "north")],
                    facets={"intent": "test"})  # fmt: skip
        add_session(connection, "s3", [("other", "unplaced"), ("correction", "north")],
                    facets={"intent": "review"})  # fmt: skip
        place_texts(
            connection,
            model_of(context),
            east=EAST,
            north=NORTH,
            **{"sum-s1": EAST, "sum-s2": EAST},
        )
        ensure_schema(connection, NOW)
    return context


@pytest.fixture
def world(template: Context, tmp_path: Path) -> Context:
    """A copy for each test to change."""
    return copy_of(template, tmp_path)


def _accept(world: Context, connection: duckdb.DuckDBPyConnection, proposal: Proposal) -> Any:
    propose(connection, proposal)
    return accept_proposal(connection, proposal.proposal_id, world.config, NOW)


def _drift(world: Context, **changes: Any) -> Proposal:
    given: dict[str, Any] = {"prototype": prototype(world, EAST), **changes}
    return Proposal("p1", "new_type", "friction", "goal_drift", "The goal moved.", **given)


def test_a_new_type_takes_what_had_no_name_and_lies_inside(world: Context) -> None:
    with world.warehouse() as connection:
        decided = _accept(world, connection, _drift(world))
        assert types_of(connection) == {**JUDGED, "s1-0": "goal_drift"}
    assert decided._replace(changes=[]) == (2, [], 1, 1, 0)
    assert decided.changes == [
        SchemaChange("friction", "goal_drift", "added", None,
                     "The goal moved. (by distance, from other)")
    ]  # fmt: skip


def test_a_rollback_restores_exactly_and_accepting_again_is_a_new_version(world: Context) -> None:
    with world.warehouse() as connection:
        _accept(world, connection, _drift(world))
        moved = types_of(connection)
        back = roll_back(connection, 1, world.config, NOW)
        assert (back.version, back.moments, back.sessions) == (1, 1, 1)
        assert types_of(connection) == JUDGED
        again = accept_proposal(connection, "p1", world.config, NOW)
        assert types_of(connection) == moved
        assert again.version == 3
        assert [(one.schema.version, one.base, one.proposal_id, one.is_current)
                for one in stored_versions(connection)] == [
            (1, None, None, False), (2, 1, "p1", False), (3, 1, "p1", True)
        ]  # fmt: skip
        decisions = query(
            connection, "SELECT decision, proposal_id, version, moments FROM schema_decisions"
        ).rows()
    assert decisions == [("accept", "p1", 2, 1), ("rollback", None, 1, 1), ("accept", "p1", 3, 1)]


def test_a_vector_that_comes_later_counts_from_then_on(world: Context) -> None:
    with world.warehouse() as connection:
        _accept(world, connection, _drift(world))
    assert resolve_moment_types(world)["without_vector"] == 1
    with world.warehouse() as connection:
        place_texts(connection, model_of(world), unplaced=EAST)
    assert resolve_moment_types(world) == {
        "relabelled": 1, "sessions": 1, "without_vector": 0, "foreign_prototypes": 0
    }  # fmt: skip
    with world.warehouse() as connection:
        assert types_of(connection)["s3-0"] == "goal_drift"


def test_a_new_verdict_is_called_right_at_once_where_no_vector_is_needed(world: Context) -> None:
    """Its moments keep what was judged, and a second look changes nothing."""
    found = [
        {"source_ref": ref, "polarity": "friction", "type": judged, "severity": "low",
         "confidence": 0.5, "descriptor": place, "citation": "c", "evidence": []}
        for ref, judged, place in (("r1", "backtracking", "unplaced"), ("r2", "other", "east"))
    ]  # fmt: skip
    with world.warehouse() as connection:
        _accept(world, connection, _drift(world))
        _accept(world, connection, Proposal("p2", "retire", "friction", "backtracking", ""))
        add(connection, "sessions", session_key="s4", session_id="s4")
        add(connection, "judgements", judgement_id="j-s4", session_key="s4", moments=found,
            current=False)  # fmt: skip
    for _ in range(2):
        collect_moments(world)
        resolve_moment_types(world)
        with world.warehouse() as connection:
            rows = query(connection, "SELECT source_ref, judged_type, type FROM moments "
                                     "WHERE session_key = 's4' ORDER BY 1").rows()  # fmt: skip
        assert rows == [("r1", "backtracking", "other"), ("r2", "other", "goal_drift")]


def test_other_programs_are_told_what_the_schema_calls_a_moment(world: Context) -> None:
    with world.warehouse() as connection:
        _accept(world, connection, _drift(world))
        for ref in ("r0", "r1"):
            add(connection, "steps", session_key="s1", source_ref=ref, position=0)
    told = {row["source_ref"]: row["type"] for row in export_rows(world, "moments")}
    assert told == {"r0": "goal_drift", "r1": "correction"}


def test_prototypes_of_another_model_take_nothing_and_are_counted(world: Context) -> None:
    foreign = prototype(world, EAST).model_copy(update={"model": "another"})
    with world.warehouse() as connection:
        decided = _accept(world, connection, _drift(world, prototype=foreign))
        assert (decided.moments, types_of(connection)) == (0, JUDGED)
    assert resolve_moment_types(world)["foreign_prototypes"] == 1


def test_a_split_a_merge_and_a_retirement_build_on_each_other(world: Context) -> None:
    with world.warehouse() as connection:
        split = Proposal("p2", "split", "friction", "late_correction", "Late.",
                         parts=("correction",), prototype=prototype(world, NORTH))  # fmt: skip
        _accept(world, connection, _drift(world))
        assert _accept(world, connection, split).moments == 1
        expected = {**JUDGED, "s1-0": "goal_drift", "s3-1": "late_correction"}
        assert types_of(connection) == expected
        merge = Proposal("p3", "merge", "friction", "steering", "Steers.",
                         parts=("late_correction", "goal_drift", "backtracking"))  # fmt: skip
        assert _accept(world, connection, merge).moments == 3
        expected |= {"s1-0": "steering", "s3-1": "steering", "s2-1": "steering"}
        assert types_of(connection) == expected
        assert "steering" in current_schema(connection).known_values("friction")
        retire = Proposal("p4", "retire", "friction", "steering", "")
        assert _accept(world, connection, retire).moments == 3
        assert types_of(connection) == {name: "other" for name in JUDGED} | {"s1-1": "correction"}
        roll_back(connection, 4, world.config, NOW)
        assert types_of(connection) == expected
        roll_back(connection, 1, world.config, NOW)
        assert types_of(connection) == JUDGED


def test_a_new_value_and_a_merge_of_values_change_the_sessions_at_once(world: Context) -> None:
    fill_facets(world)
    with world.warehouse() as connection:
        found = Proposal("p1", "new_value", "intent", "migration", "Moves.",
                         prototype=prototype(world, EAST))  # fmt: skip
        decided = _accept(world, connection, found)
        assert (decided.moments, decided.sessions) == (0, 1)
        assert values_of(connection, "intent", 2) == {"s1": "migration", "s2": "test",
                                                      "s3": "review"}  # fmt: skip
        merge = Proposal("p2", "merge", "intent", "checking", "d", parts=("test", "review"))
        assert _accept(world, connection, merge).sessions == 2
        assert values_of(connection, "intent", 3) == {"s1": "migration", "s2": "checking",
                                                      "s3": "checking"}  # fmt: skip
        assert values_of(connection, "intent", 1) == {"s1": "other", "s2": "test", "s3": "review"}
        provenance = (
            "SELECT provenance FROM facet_values WHERE (facet, schema_version, session_key)"
        )
        assert query(connection, f"{provenance} = ('intent', 3, 's1')").rows() == [("distance",)]


def test_a_capability_gap_marks_the_sessions_whose_requests_lie_inside(world: Context) -> None:
    with world.warehouse() as connection:
        for key, abstract in (("s1", "east"), ("s1", "north"), ("s2", "north")):
            add(connection, "unserved_requests", session_key=key, source_ref="r", topic=abstract,
                action="a", ending="no_tool", abstract=abstract, content_hash="hash")  # fmt: skip
        for key in ("s1", "s2"):
            add(connection, "request_readings", session_key=key, content_hash="hash", version="1",
                asked=[], served=[])  # fmt: skip
        gap = Proposal("p1", "capability_gap", MISSING_CAPABILITIES, "send_mail", "Cannot mail.",
                       prototype=prototype(world, EAST))  # fmt: skip
        decided = _accept(world, connection, gap)
        assert values_of(connection, MISSING_CAPABILITIES, 2) == {
            "s1": ["send_mail"], "s2": [], "s3": None
        }  # fmt: skip
    assert decided.changes[0][:3] == (MISSING_CAPABILITIES, "send_mail", "added")


def test_a_decision_that_cannot_be_made_is_one_clear_line(world: Context) -> None:
    with world.warehouse() as connection:
        _accept(world, connection, _drift(world))
        with pytest.raises(
            BadInputError,
            match=r"^p1: was accepted as version 2, which is in force;"
            " signals schema rollback 1 goes back to before it$",
        ):
            accept_proposal(connection, "p1", world.config, NOW)
        with pytest.raises(BadInputError, match=r"^p1: was accepted as version 2"):
            reject_proposal(connection, "p1", NOW)
        with pytest.raises(
            BadInputError, match=r"^p9: no open proposal of that id; open are: none"
        ):
            accept_proposal(connection, "p9", world.config, NOW)
        propose(connection, Proposal("p2", "retire", "friction", "sighs", ""))
        with pytest.raises(ConfigError, match=r"^proposal p2: friction has no sighs that could be"):
            accept_proposal(connection, "p2", world.config, NOW)
        reject_proposal(connection, "p2", NOW)
        with pytest.raises(
            BadInputError, match=r"^p2: was rejected on 2026-03-02; nothing changed"
        ):
            reject_proposal(connection, "p2", NOW)
        with pytest.raises(BadInputError, match=r"^schema version 2: is the current one already$"):
            roll_back(connection, 2, world.config, NOW)
        with pytest.raises(BadInputError, match=r"^schema version 7: not there; stored are 1, 2$"):
            roll_back(connection, 7, world.config, NOW)
        assert current_schema(connection).version == 2


def test_a_decision_that_fails_half_way_leaves_nothing_behind(world: Context) -> None:
    proposal = _drift(world, prototype=prototype(world, EAST))
    flat = (
        proposal.prototype.model_copy(update={"centroid": (1.0,)}) if proposal.prototype else None
    )
    with world.warehouse() as connection:
        with pytest.raises(ConfigError, match="the prototype of goal_drift has 1 dimensions"):
            _accept(world, connection, _drift(world, prototype=flat))
        assert types_of(connection) == JUDGED
        assert [one.schema.version for one in stored_versions(connection)] == [1]
        assert query(connection, "SELECT status FROM schema_proposals").rows() == [("open",)]


def test_a_chart_is_told_what_was_redefined_when_and_whether_it_holds(world: Context) -> None:
    with world.warehouse() as connection:
        _accept(world, connection, _drift(world))
        roll_back(connection, 1, world.config, NOW)
        merge = Proposal("p2", "merge", "intent", "checking", "d", parts=("test", "review"))
        _accept(world, connection, merge)
        assert schema_changes(connection).drop("created_at").rows() == [
            (2, "friction", "goal_drift", "added", False),
            (3, "intent", "test", "removed", True),
            (3, "intent", "review", "removed", True),
            (3, "intent", "checking", "added", True),
        ]
        assert set(schema_changes(connection)["created_at"]) == {NOW}


def test_versions_that_were_stored_before_proposals_had_bases_go_on(world: Context) -> None:
    """As an older Signals left them: neither origins nor prototypes, nor what they were made of."""
    other = {"name": "other", "definition": "d", "since": 1}
    first: dict[str, Any] = {"version": 1, "facets": [], "friction": [other], "delight": [other]}
    drift = {"name": "drift", "definition": "Drifts.", "since": 2}
    second = {**first, "version": 2, "friction": [drift, other]}
    with world.warehouse() as connection:
        connection.execute("DELETE FROM facet_schemas")
        for document, current in ((first, False), (second, True)):
            add(connection, "facet_schemas", version=document["version"], schema=document,
                current=current)  # fmt: skip
        decided = _accept(world, connection, Proposal("p1", "retire", "friction", "drift", ""))
        assert decided.version == 3
        assert schema_changes(connection).drop("created_at").rows() == [
            (2, "friction", "drift", "added", True),
            (3, "friction", "drift", "removed", True),
        ]
        assert [one.base for one in stored_versions(connection)] == [None, 1, 2]
