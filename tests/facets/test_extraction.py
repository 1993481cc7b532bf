"""What a session's log says of its facets, and what becomes of a judge's words."""

import time
import tomllib
from typing import Any

import numpy as np
import pytest

from agent_core.session import Event, Observation, Session, Step, ToolCall
from facets.extraction import FacetValue, values_as_judged, values_by_distance, values_from_log
from facets.log_reading import VOCABULARY
from facets.log_rules import branch_switches, frameworks, programming_languages
from facets.proposal import Proposal
from facets.prototype import Prototype
from facets.schema import MISSING_CAPABILITIES, FacetSchema, load_seed_schema, parse_schema
from facets.schema_change import apply_proposal

SEED = load_seed_schema()
_ALL = [facet.name for facet in SEED.facets]


def _session(*steps: Step, is_autonomous: bool = False) -> Session:
    return Session("f:1", "f", "1", "log.jsonl", steps, is_autonomous=is_autonomous)


def _call(
    arguments: dict[str, Any], *, failed: bool = False, copied: bool = False, ref: str = "line:1"
) -> Step:
    return Step(
        ref,
        "agent",
        tool_calls=(ToolCall(ref, "tool", arguments),),
        observations=(Observation(ref, "…", is_error=failed),),
        is_copied_context=copied,
    )


def _person(text: str) -> Step:
    return Step("line:0", "user", text=text, is_person=True)


def _event(event: Event) -> Step:
    return Step(f"line:{event}", "system", event=event)


def test_a_whole_session() -> None:
    session = _session(
        _person("Please move the Django views."),
        _call({"file_path": "/a/views.py"}, ref="line:2"),
        _call({"file_path": "/a/gone.ts"}, failed=True, ref="line:3"),
        _call({"command": "git switch -c views && pytest"}, ref="line:4"),
        _event("interrupt"),
        _event("rejection"),
        _event("compaction"),
        _person("Go on."),
        Step("line:9", "agent", tool_calls=(ToolCall("c9", "tool", {}),)),
        _call({"file_path": "/a/old.rb"}, copied=True, ref="line:10"),
    )
    assert values_from_log(session, SEED, _ALL) == [
        FacetValue("programming_languages", ["python", "typescript"], "log"),
        FacetValue("frameworks", ["django", "pytest"], "log"),
        FacetValue("confirmed_tool_calls", 2, "log"),
        FacetValue("tool_errors", 1, "log"),
        FacetValue("branch_switches", 1, "log"),
        FacetValue("turns", 2, "log"),
        FacetValue("interrupts", 2, "log"),
        FacetValue("compactions", 1, "log"),
        FacetValue("autonomous", False, "log"),
    ]


def test_only_the_facets_asked_for_are_read() -> None:
    assert values_from_log(_session(_person("Hi.")), SEED, ["turns", "intent"]) == [
        FacetValue("turns", 1, "log")
    ]


def test_an_empty_session_has_counts_of_zero() -> None:
    session = _session(is_autonomous=True)
    assert {v.facet: v.value for v in values_from_log(session, SEED, _ALL)} == {
        "programming_languages": [],
        "frameworks": [],
        "confirmed_tool_calls": 0,
        "tool_errors": 0,
        "branch_switches": 0,
        "turns": 0,
        "interrupts": 0,
        "compactions": 0,
        "autonomous": True,
    }


@pytest.mark.parametrize(
    ("facet", "said", "value"),
    [
        ({"type": "category", "values": ["a", "b"]}, "a", "a"),
        ({"type": "category", "values": ["a", "b"]}, "A", None),
        ({"type": "category", "values": ["a", "b"]}, ["a"], None),
        ({"type": "ordinal", "values": ["low", "high"]}, "high", "high"),
        ({"type": "ordinal", "values": ["low", "high"]}, "medium", None),
        ({"type": "ordinal", "values": ["low", "high"]}, 1, None),
        ({"type": "list", "values": ["a", "b"]}, ["b", "a", "b"], ["a", "b"]),
        ({"type": "list", "values": ["a", "b"]}, ["a", "c"], None),
        ({"type": "list", "values": ["a", "b"]}, "a", None),
        ({"type": "boolean"}, True, True),
        ({"type": "boolean"}, 1, None),
        ({"type": "boolean"}, "true", None),
        ({"type": "count"}, 3, 3),
        ({"type": "count"}, -1, None),
        ({"type": "count"}, True, None),
        ({"type": "count"}, 2.5, None),
        ({"type": "count"}, None, None),
    ],
)
def test_a_judged_value_is_taken_as_it_is_or_not_at_all(
    facet: dict[str, Any], said: object, value: object
) -> None:
    told = {"name": "mood", "definition": "d", "provenance": "judge"} | facet
    schema = parse_schema({"version": 1, "facets": [told], "friction": [], "delight": []})
    assert values_as_judged([said], np.empty((1, 0)), schema, "mood", "m") == [
        FacetValue("mood", value, "judge")  # type: ignore[arg-type]
    ]


def _grown(*proposals: Proposal) -> FacetSchema:
    schema = SEED
    for proposal in proposals:
        schema = apply_proposal(schema, proposal)
    return schema


_EAST = Prototype(model="m", centroid=(1.0, 0.0), reach=0.9)
_NORTH = Prototype(model="m", centroid=(0.0, 1.0), reach=0.9)
_MIGRATION = Proposal("p1", "new_value", "intent", "migration", "Moves.", prototype=_EAST)
_PLACES = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan], [1.0, 0.0], [1.0, 0.0]])


def test_a_found_value_takes_what_the_judge_had_no_name_for_where_it_lies() -> None:
    said = ["other", "unclear", "other", "fix", "nonsense"]
    assert values_as_judged(said, _PLACES, _grown(_MIGRATION), "intent", "m") == [
        FacetValue("intent", "migration", "distance"),
        FacetValue("intent", "unclear", "judge"),
        FacetValue("intent", "other", "judge"),
        FacetValue("intent", "fix", "judge"),
        FacetValue("intent", None, "judge"),
    ]


def test_a_merged_value_takes_in_what_a_judge_still_calls_by_the_old_names() -> None:
    merge = Proposal("p2", "merge", "intent", "checking", "d", parts=("test", "review"))
    said = ["test", "review", "checking", "migration", "other"]
    found = values_as_judged(said, _PLACES, _grown(_MIGRATION, merge), "intent", "m")
    assert [value.value for value in found] == [
        "checking", "checking", "checking", "migration", "migration"
    ]  # fmt: skip


def test_values_of_the_log_are_renamed_as_the_schema_merges_and_retires_them() -> None:
    schema = _grown(
        Proposal("p1", "merge", "programming_languages", "script", "d", parts=("python", "ruby")),
        Proposal("p2", "retire", "programming_languages", "go", ""),
    )
    session = _session(_call({"command": "cat a.py b.rb c.go d.rs"}))
    assert values_from_log(session, schema, ["programming_languages"]) == [
        FacetValue("programming_languages", ["rust", "script"], "log")
    ]


def test_gaps_of_a_session_are_those_that_its_unserved_requests_lie_inside_of() -> None:
    schema = _grown(
        Proposal("p1", "capability_gap", MISSING_CAPABILITIES, "print", "d", prototype=_EAST),
        Proposal("p2", "capability_gap", MISSING_CAPABILITIES, "call", "d", prototype=_NORTH),
    )
    places = np.array([[0, 1], [1, 0], [1, 0], [-1, 0], [1, 0], [np.nan, np.nan]])
    found = values_by_distance(
        [0, 0, 0, 1, 2, 2], places, schema, MISSING_CAPABILITIES, "m", sessions=4
    )
    assert [value.value for value in found] == [["call", "print"], [], None, []]


def test_without_an_accepted_gap_there_is_none() -> None:
    found = values_by_distance(
        [1], np.array([[1.0, 0.0]]), SEED, MISSING_CAPABILITIES, "m", sessions=2
    )
    assert found == [FacetValue(MISSING_CAPABILITIES, [], "distance")] * 2


@pytest.mark.parametrize(
    ("arguments", "languages"),
    [
        ({"path": "src/main.rs"}, ["rust"]),
        ({"path": "Makefile"}, []),
        ({"command": ["bash", "-lc", "sed -n 1,9p lib/a.kt && go run x.go"]}, ["go", "kotlin"]),
        ({"input": "*** Update File: app/Page.tsx\n@@"}, ["typescript"]),
        ({"edits": [{"file_path": "a.cpp"}, {"file_path": "b.H"}]}, ["c", "cpp"]),
        ({"content": "see notes.py"}, []),
        ({"command": "pip install x==1.2.3"}, []),
        ({"path": "x" * 5000}, []),
    ],
    ids=["path", "no-extension", "argv", "patch", "nested", "content", "version", "no-path"],
)
def test_languages_of_the_files_that_calls_name(
    arguments: dict[str, Any], languages: list[str]
) -> None:
    assert programming_languages(_session(_call(arguments))) == languages


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (_person("Does FastAPI do that?"), ["fastapi"]),
        (_person("React to this, express it in the spring."), []),
        (_call({"content": "import React from 'react'"}), ["react"]),
        (_call({"content": '{"dependencies": {"express": "^4"}}'}), ["express"]),
        (_call({"content": "from flask import Flask"}), ["flask"]),
        (_call({"content": "import torch\nfrom torchvision import ops"}), ["pytorch"]),
        (_call({"content": "my-django-fork"}), []),
        (Step("line:1", "agent", text="I like Django."), []),
    ],
    ids=["named", "words", "import", "manifest", "from", "torch", "part", "agent-text"],
)
def test_frameworks_by_name_or_import(step: Step, found: list[str]) -> None:
    assert frameworks(_session(step)) == found


@pytest.mark.parametrize(
    ("steps", "switches"),
    [
        ([_call({"command": "git checkout main"})], 1),
        ([_call({"command": "git checkout -b topic; git switch -"})], 2),
        ([_call({"command": "git -C /repo switch main"})], 1),
        ([_call({"command": ["bash", "-lc", "git switch main"]})], 1),
        ([_call({"command": "git checkout -- src"})], 0),
        ([_call({"command": "git checkout ."})], 0),
        ([_call({"command": "git checkout src/a.py"})], 0),
        ([_call({"command": "git checkout main"}, failed=True)], 0),
        ([_call({"content": "run git checkout main"})], 0),
        ([_call({"command": "git checkout main"}), _event("branch_change")], 1),
        ([_event("branch_change"), _event("branch_change")], 2),
    ],
    ids=[
        "checkout",
        "create-and-back",
        "elsewhere",
        "argv",
        "files",
        "everything",
        "one-file",
        "failed",
        "in-a-text",
        "seen-twice",
        "events",
    ],
)
def test_branch_switches(steps: list[Step], switches: int) -> None:
    assert branch_switches(_session(*steps)) == switches


def test_a_call_with_two_results_counts_once_by_the_last() -> None:
    results = (Observation("c1", "…", is_error=True), Observation("c1", "…"))
    step = Step("line:1", "agent", tool_calls=(ToolCall("c1", "t", {}),), observations=results)
    values = {v.facet: v.value for v in values_from_log(_session(step), SEED, _ALL)}
    assert (values["confirmed_tool_calls"], values["tool_errors"]) == (1, 0)


def test_what_the_rules_recognise_is_what_the_seed_schema_closes() -> None:
    known = tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))
    named = {*known["frameworks"]["plain"], *known["frameworks"]["imported"]}
    assert SEED.known_values("programming_languages") == tuple(sorted(known["languages"]))
    assert SEED.known_values("frameworks") == tuple(sorted(named))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["a", "/", "../", "a.", " ", "QUJD0xyz+/"])
def test_long_commands_are_read_in_seconds(part: str) -> None:
    """A megabyte of them."""
    commands = [_call({"command": part * (20_000 // len(part))}) for _ in range(50)]
    started = time.monotonic()
    assert programming_languages(_session(*commands)) == []
    assert branch_switches(_session(*commands)) == 0
    assert time.monotonic() - started < 5
