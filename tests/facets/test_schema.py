"""The schema: what it refuses, how it changes, and how versions differ."""

from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ConfigError
from facets.log_rules import SEED_RULES
from facets.proposal import Proposal, ProposalKind, proposal_id
from facets.schema import load_schema, load_seed_schema, parse_schema
from facets.schema_change import apply_proposal
from facets.schema_diff import SchemaChange, diff_schemas

SEED = load_seed_schema()


def _proposal(kind: ProposalKind, target: str, name: str) -> Proposal:
    return Proposal("p1", kind, target, name, "Such as: the goal moved.")


def _document(**facet: Any) -> dict[str, Any]:
    told = {"name": "mood", "type": "category", "definition": "d", "provenance": "judge"} | facet
    return {"version": 1, "facets": [told], "friction": [], "delight": []}


def test_seed_has_the_facets_and_types_of_version_one() -> None:
    assert [(facet.name, facet.type, facet.provenance) for facet in SEED.facets] == [
        ("intent", "category", "judge"),
        ("outcome", "category", "judge"),
        ("programming_languages", "list", "log"),
        ("frameworks", "list", "log"),
        ("confirmed_tool_calls", "count", "log"),
        ("tool_errors", "count", "log"),
        ("branch_switches", "count", "log"),
        ("turns", "count", "log"),
        ("interrupts", "count", "log"),
        ("compactions", "count", "log"),
        ("autonomous", "boolean", "log"),
        ("missing_capabilities", "list", "distance"),
    ]
    assert SEED.known_values("outcome") == ("success", "partial", "abandoned", "unclear")
    assert SEED.known_values("friction") == (
        "error_event",
        "repeated_rephrasing",
        "escalation_tone",
        "platform_confusion",
        "abandoned_tool_flow",
        "backtracking",
        "context_churn",
        "correction",
        "other",
    )
    assert SEED.known_values("delight") == (
        "praise",
        "first_attempt_success",
        "time_saved",
        "rapid_approval",
        "learning_moment",
        "other",
    )
    assert {facet.rule for facet in SEED.facets if facet.rule} == set(SEED_RULES)


def test_a_schema_survives_its_document() -> None:
    assert parse_schema(SEED.model_dump(mode="json")) == SEED


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (_document(), "facet mood: values belong to category, list and ordinal"),
        (_document(type="count", values=["a"]), "values belong to category"),
        (_document(values=["a", "a"]), "facet mood: value a stands there twice"),
        (_document(values=["a"], provenance="log"), "a log facet has a rule"),
        (_document(values=["a"], rule="turns"), "a log facet has a rule, any other has none"),
        (_document(type="count", provenance="log", rule="sighs"), "there is no rule sighs"),
        (_document(values=["a"], value_definitions={"b": "x"}), "defines b, which is not a value"),
        (_document(values=["a"], colour="red"), "Extra inputs are not permitted"),
        (_document(type="number"), "facets.0.type: Input should be"),
        (_document(name="Mood Swing", values=["a"]), "facets.0.name: String should match"),
        ({"facets": [], "friction": [], "delight": []}, "version: Field required"),
        (
            {**_document(values=["a"]), "friction": [{"name": "x", "definition": "d"}] * 2},
            "friction type x stands there twice",
        ),
    ],
    ids=[
        "category-without-values",
        "count-with-values",
        "value-twice",
        "log-without-rule",
        "judge-with-rule",
        "unknown-rule",
        "definition-of-no-value",
        "unknown-key",
        "unknown-type",
        "bad-name",
        "no-version",
        "type-twice",
    ],
)
def test_a_wrong_schema_is_refused_by_name(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_schema(document)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "schema.toml"
    broken.write_text("version = ")
    for path in (broken, tmp_path / "absent.toml"):
        with pytest.raises(ConfigError, match=f"{path.name}: cannot be read"):
            load_schema(path)


def test_an_accepted_type_makes_the_next_version_and_other_stays_last() -> None:
    schema = apply_proposal(SEED, _proposal("new_type", "friction", "goal_drift"))
    assert schema.version == 2
    assert schema.known_values("friction")[-2:] == ("goal_drift", "other")
    assert diff_schemas(SEED, schema) == [
        SchemaChange("friction", "goal_drift", "added", None, "Such as: the goal moved.")
    ]


def test_an_accepted_value_says_since_when() -> None:
    schema = apply_proposal(SEED, _proposal("new_value", "intent", "migration"))
    facet = schema.facet("intent")
    assert facet is not None
    assert (facet.since, facet.values[-3:]) == (2, ("migration", "other", "unclear"))
    assert diff_schemas(SEED, schema) == [
        SchemaChange("intent", "migration", "added", None, "Such as: the goal moved.")
    ]


@pytest.mark.parametrize(
    ("target", "name"),
    [("delight", "time_saved"), ("frameworks", "angular"), ("intent", "release")],
)
def test_a_retired_value_is_gone_and_comes_back_by_the_reverse(target: str, name: str) -> None:
    schema = apply_proposal(SEED, _proposal("retire", target, name))
    assert name not in schema.known_values(target)
    (change,) = diff_schemas(SEED, schema)
    assert (change.target, change.name, change.kind) == (target, name, "removed")
    (back,) = diff_schemas(schema, SEED)
    assert (back.kind, back.after) == ("added", change.before)


@pytest.mark.parametrize(
    ("kind", "target", "name", "message"),
    [
        ("new_type", "friction", "correction", "friction has correction already"),
        ("new_type", "intent", "migration", "intent cannot take a new_type"),
        ("new_value", "friction", "drift", "friction cannot take a new_value"),
        ("new_value", "mood", "sad", "has no facet mood"),
        ("new_value", "turns", "many", "turns has no closed values"),
        ("new_type", "friction", "Goal Drift", "'Goal Drift' is not a lower-case name"),
        ("retire", "friction", "drift", "has no drift that could be retired"),
        ("retire", "friction", "other", "has no other that could be retired"),
    ],
)
def test_a_proposal_that_does_not_fit_is_refused(
    kind: ProposalKind, target: str, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_proposal(SEED, _proposal(kind, target, name))


def test_a_changed_definition_is_a_difference() -> None:
    document = SEED.model_dump()
    document["friction"][0]["definition"] = "Anything that fails."
    document["facets"][0]["definition"] = "Why the person came."
    assert [change[:3] for change in diff_schemas(SEED, parse_schema(document))] == [
        ("friction", "error_event", "changed"),
        ("facet", "intent", "changed"),
    ]


def test_a_finding_keeps_its_id_and_shares_it_with_no_other() -> None:
    made = proposal_id("new_type", "friction", "a b")
    assert made == proposal_id("new_type", "friction", "a b")
    assert made not in {
        proposal_id("new_type", "delight", "a b"),
        proposal_id("split", "friction", "a b"),
        proposal_id("new_type", "friction", "a"),
    }
