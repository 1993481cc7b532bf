"""Every kind of proposal carried out, or refused in one line."""

from typing import Any

import pytest

from agent_core.errors import ConfigError
from facets.proposal import Proposal
from facets.prototype import Prototype
from facets.schema import (
    MISSING_CAPABILITIES,
    FacetSchema,
    Former,
    MomentType,
    ValueOrigin,
    load_seed_schema,
    parse_schema,
)
from facets.schema_change import apply_proposal
from facets.schema_diff import SchemaChange, diff_schemas

SEED = load_seed_schema()
CAP = Prototype(model="m", centroid=(1.0, 0.0), reach=0.9)
COUNT = {"type": "count", "provenance": "log", "rule": "turns"}


def _applied(*changes: dict[str, Any]) -> FacetSchema:
    schema = SEED
    for change in changes:
        schema = apply_proposal(schema, _proposal(**change))
    return schema


def _proposal(**given: Any) -> Proposal:
    told = {"proposal_id": "p1", "target": "friction", "name": "drift", "definition": "Drifts."}
    return Proposal(**(told | given))


def _old_document() -> dict[str, Any]:
    """As version 1 was stored before types said where they come from."""
    return {
        "version": 1,
        "facets": [
            {"name": "mood", "type": "category", "definition": "d", "provenance": "judge",
             "rule": None, "values": ["calm", "other"], "value_definitions": {}, "since": 1},
        ],
        "friction": [{"name": "other", "definition": "d", "since": 1}],
        "delight": [{"name": "other", "definition": "d", "since": 1}],
    }  # fmt: skip


def test_a_new_type_says_how_it_is_told_and_stands_before_other() -> None:
    schema = _applied({"kind": "new_type", "prototype": CAP})
    assert (schema.version, schema.friction[-2]) == (
        2,
        MomentType(name="drift", definition="Drifts.", provenance="distance", since=2,
                   takes=("other",), prototypes=(CAP,)),
    )  # fmt: skip


def test_a_type_without_a_prototype_is_the_judges_to_say() -> None:
    assert _applied({"kind": "new_type"}).friction[-2].provenance == "judge"


def test_a_merge_stands_where_its_first_part_stood_and_remembers_the_parts() -> None:
    schema = _applied(
        {"kind": "new_type", "prototype": CAP},
        {"kind": "merge", "name": "steering", "parts": ("drift", "backtracking")},
    )
    assert schema.known_values("friction")[4:] == (
        "abandoned_tool_flow", "steering", "context_churn", "correction", "other"
    )  # fmt: skip
    (steering,) = (one for one in schema.friction if one.name == "steering")
    assert (steering.takes, steering.prototypes, steering.since) == (
        ("drift", "backtracking"), (), 3
    )  # fmt: skip
    assert schema.former_friction == (
        Former(name="backtracking", definition=SEED.friction[5].definition, since=1, until=3,
               became="steering"),
        Former(name="drift", definition="Drifts.", since=2, until=3, became="steering",
               takes=("other",), prototypes=(CAP,)),
    )  # fmt: skip


def test_a_new_value_takes_from_those_without_a_name() -> None:
    change = {"kind": "new_value", "target": "intent", "name": "migration", "prototype": CAP}
    facet = _applied(change).required_facet("intent")
    assert (facet.since, facet.values[-3:]) == (2, ("migration", "other", "unclear"))
    assert facet.origins == (
        ValueOrigin(name="migration", since=2, takes=("other", "unclear"), prototypes=(CAP,)),
    )
    assert facet.value_definitions["migration"] == "Drifts."


@pytest.mark.parametrize(
    ("target", "name", "became"),
    [("intent", "release", "other"), ("outcome", "partial", "unclear"),
     ("frameworks", "angular", None)],
)  # fmt: skip
def test_a_retired_value_becomes_what_its_facet_has_for_the_nameless(
    target: str, name: str, became: str | None
) -> None:
    schema = _applied({"kind": "retire", "target": target, "name": name})
    facet = schema.required_facet(target)
    assert (name in facet.values, name in facet.value_definitions) == (False, False)
    assert [(past.name, past.until, past.became) for past in facet.former] == [(name, 2, became)]


def test_a_new_facet_is_read_from_the_log() -> None:
    facet = {"name": "pace", "definition": "Turns again.", **COUNT}
    schema = _applied({"kind": "new_facet", "target": "pace", "name": "pace", "facet": facet})
    added = schema.required_facet("pace")
    assert (added.rule, added.since, added.definition) == ("turns", 2, "Turns again.")
    assert diff_schemas(SEED, schema) == [
        SchemaChange("facet", "pace", "added", None, "count turns Turns again.")
    ]


GAP = {"kind": "capability_gap", "target": MISSING_CAPABILITIES, "name": "mail", "prototype": CAP}


def test_a_capability_gap_is_a_value_of_the_facet_of_gaps() -> None:
    facet = _applied(GAP).required_facet(MISSING_CAPABILITIES)
    assert (facet.values, facet.origins) == (
        ("mail",), (ValueOrigin(name="mail", since=2, prototypes=(CAP,)),)
    )  # fmt: skip


def test_a_schema_of_before_loads_and_takes_every_kind() -> None:
    old = parse_schema(_old_document())
    assert old.required_facet("mood").origins == ()
    grown = apply_proposal(old, _proposal(kind="new_type", prototype=CAP))
    grown = apply_proposal(grown, _proposal(**GAP))
    assert grown.known_values("friction") == ("drift", "other")
    assert grown.required_facet(MISSING_CAPABILITIES).values == ("mail",)


def test_what_grew_survives_its_document() -> None:
    schema = _applied(
        {"kind": "new_type", "prototype": CAP},
        {"kind": "merge", "name": "steering", "parts": ("drift", "backtracking")},
        {"kind": "retire", "target": "delight", "name": "praise"},
        GAP,
    )
    assert parse_schema(schema.model_dump(mode="json")) == schema


def test_a_merge_under_a_name_it_takes_in_is_seen_as_a_change() -> None:
    change = {"kind": "merge", "name": "correction", "parts": ("correction", "backtracking"),
              "definition": SEED.friction[7].definition}  # fmt: skip
    changes = diff_schemas(SEED, _applied(change))
    assert [change[:3] for change in changes] == [
        ("friction", "backtracking", "removed"),
        ("friction", "correction", "changed"),
    ]
    assert changes[1].after == f"{SEED.friction[7].definition} (takes in backtracking)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "split", "parts": ("correction",)}, "friction: a split needs a prototype"),
        ({"kind": "split", "parts": (), "prototype": CAP}, "a split is taken from one value"),
        ({"kind": "split", "parts": ("sighs",), "prototype": CAP}, "has no sighs any more"),
        ({"kind": "merge", "parts": ("correction",)}, "takes in two named values or more"),
        ({"kind": "merge", "parts": ("correction", "other")}, "takes in two named values or more"),
        ({"kind": "merge", "parts": ("correction", "sighs")}, "friction has no sighs any more"),
        ({"kind": "merge", "name": "error_event", "parts": ("correction", "backtracking")},
         "friction has error_event already"),
        ({"kind": "new_type", "definition": ""}, "definition: String should have at least 1"),
        ({"kind": "new_type", "name": "unclear"}, "friction has unclear already"),
        ({"kind": "capability_gap"}, "friction cannot take a capability_gap"),
        ({**GAP, "prototype": None}, "a capability_gap needs a prototype"),
        ({"kind": "new_value", "target": MISSING_CAPABILITIES, "prototype": CAP},
         "missing_capabilities cannot take a new_value"),
        ({"kind": "new_value", "target": "frameworks", "prototype": CAP},
         "frameworks is not told by distance"),
        ({"kind": "retire", "target": "outcome", "name": "unclear"}, "has no unclear that could"),
        ({"kind": "new_facet", "target": "turns", "name": "turns", "facet": COUNT},
         "there is a facet turns already"),
        ({"kind": "new_facet", "target": "pace", "name": "pace"}, "type: Field required"),
        ({"kind": "new_facet", "target": "pace", "name": "pace",
          "facet": {**COUNT, "rule": "sighs"}}, "there is no rule sighs"),
        ({"kind": "new_facet", "target": "pace", "name": "pace",
          "facet": {"type": "count", "provenance": "judge"}}, "by a rule over the log"),
    ],
)  # fmt: skip
def test_what_does_not_apply_is_refused_with_its_reason(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^proposal p1: .*{message}") as caught:
        _applied(change)
    assert "\n" not in str(caught.value)


def test_a_scale_takes_no_new_value_and_no_distance_but_may_lose_steps() -> None:
    document = _old_document()
    document["facets"][0] |= {"type": "ordinal", "values": ["low", "middle", "high"]}
    scale = parse_schema(document)
    for change, message in (
        ({"kind": "new_value", "name": "top"}, "mood is a scale, in which a new value has no"),
        ({"kind": "split", "name": "top", "parts": ("high",), "prototype": CAP},
         "mood is not told by distance"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            apply_proposal(scale, _proposal(target="mood", **change))
    merge = _proposal(kind="merge", target="mood", name="upper", parts=("middle", "high"))
    assert apply_proposal(scale, merge).required_facet("mood").values == ("low", "upper")


def test_a_name_that_was_merged_is_not_given_to_the_judge_again() -> None:
    merge = {"kind": "merge", "name": "steering", "parts": ("correction", "backtracking")}
    with pytest.raises(ConfigError, match="correction became steering; split that one instead"):
        _applied(merge, {"kind": "new_type", "name": "correction"})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"friction": [{"name": "a", "definition": "d", "provenance": "distance"}]},
         "type a: the distance decides where it has a prototype"),
        ({"friction": [{"name": "a", "definition": "d", "provenance": "distance",
                        "prototypes": [CAP.model_dump()]}]},
         "type a: it has a prototype and takes nothing in"),
        ({"facets": [{"name": "g", "type": "count", "definition": "d",
                      "provenance": "distance"}]}, "facet g: only a list is told by distance"),
        ({"facets": [{"name": "g", "type": "category", "definition": "d", "provenance": "judge",
                      "values": ["a"], "origins": [{"name": "b", "since": 1}]}]},
         "facet g: has the origin of b, which is not a value"),
        ({"friction": [{"name": "a", "definition": "d", "provenance": "distance",
                        "takes": ["other"],
                        "prototypes": [{"model": "m", "centroid": [1, 1], "reach": 0.5}]}]},
         "the centroid is not a unit vector"),
    ],
    ids=["no-prototype", "takes-nothing", "count-by-distance", "stray-origin", "no-unit"],
)  # fmt: skip
def test_a_wrong_document_is_refused_by_name(document: dict[str, Any], message: str) -> None:
    empty = {"version": 1, "facets": [], "friction": [], "delight": []}
    with pytest.raises(ConfigError, match=message):
        parse_schema(empty | document)
