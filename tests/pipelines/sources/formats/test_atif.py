"""ATIF documents, translated."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from tests.pipelines.sources.format_table import Case, check_case
from tests.pipelines.sources.log_lines import outline, read_lines


def _document(*steps: Any, **more: Any) -> dict[str, Any]:
    agent = {"name": "codex", "version": "1", "model_name": "model-1"}
    head = {"schema_version": "ATIF-v1.8", "session_id": "t1", "agent": agent}
    numbered = [
        {"step_id": n + 1, **step} if isinstance(step, dict) else step
        for n, step in enumerate(steps)
    ]
    return {**head, "steps": numbered, **more}


def _one(tmp_path: Path, document: dict[str, Any]) -> Session:
    (session,) = read_lines(tmp_path / "t.json", document)
    return session


def _tool(call_id: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_call_id": call_id, "function_name": name, "arguments": arguments}


def _bytes(*documents: Any) -> bytes:
    return "".join(json.dumps(document) + "\n" for document in documents).encode()


_REFUSED = "The user doesn't want to proceed with this tool use. the user said:\nno"
_VERSIONS = [f"ATIF-v1.{number}" for number in range(9)]

CASES: dict[str, Case] = {
    "a-conversation-with-all-a-step-holds": Case(
        {
            "trajectory.json": json.dumps(
                _document(
                    {"source": "system", "message": "You are an agent"},
                    {
                        "source": "user",
                        "timestamp": "2026-01-02T10:00:00+01:00",
                        "message": [
                            {"type": "text", "text": "Look at this"},
                            {"type": "image", "source": {"media_type": "image/png", "path": "a"}},
                            {"type": "audio", "source": {"media_type": "audio/wav", "path": "b"}},
                        ],
                    },
                    {
                        "source": "agent",
                        "timestamp": "2026-01-02T09:00:05",
                        "model_name": "model-2",
                        "reasoning_effort": "high",
                        "reasoning_content": "Hm",
                        "message": "",
                        "tool_calls": [_tool("c1", "ls", path="x"), _tool("c2", "cat")],
                        "observation": {
                            "results": [
                                {"source_call_id": "c1", "content": "Exit code: 1\nOutput:\nno"},
                                {
                                    "source_call_id": "c2",
                                    "content": [{"type": "text", "text": "menu"}],
                                },
                                {"content": "left over"},
                            ]
                        },
                        "metrics": {
                            "prompt_tokens": 50,
                            "cached_tokens": 20,
                            "completion_tokens": 5,
                            "cost_usd": 0.5,
                            "logprobs": [-0.1],
                            "extra": {
                                "reasoning_output_tokens": 3,
                                "cache_creation_input_tokens": 10,
                                "cache_creation": {"ephemeral_1h_input_tokens": 4},
                            },
                        },
                        "llm_call_count": 1,
                        "extra": {"api_call_id": "m1"},
                    },
                    {"source": "agent", "message": "Routed", "llm_call_count": 0},
                    agent={
                        "name": "menu-agent",
                        "version": 2,
                        "model_name": "model-1",
                        "extra": {"cwds": ["/home/ada/shop"]},
                    },
                    notes="a note",
                    final_metrics={"total_prompt_tokens": 50, "total_steps": 4},
                )
            ).encode()
        },
        {
            "atif:t1": [
                "agent=menu-agent version=2 project=/home/ada/shop "
                "start=2026-01-02T09:00:00 end=2026-01-02T09:00:05",
                "#/steps/0 system: You are an agent",
                "#/steps/1 user turn: Look at this\n[image]",
                "#/steps/2 agent model-2 in 50 (cached 20, written 10, hour 4) out 5 "
                '(thought 3) $0.5: (Hm) | ls{"path": "x"} #c1 | cat{} #c2 -> '
                "command_failed! Exit code: 1\nOutput:\nno #c1 -> menu #c2 -> left over "
                "#None",
                "#/steps/3 agent model-1: Routed",
            ]
        },
    ),
    "what-is-not-a-turn": Case(
        {
            "trajectory.json": json.dumps(
                _document(
                    {"source": "user", "message": "Earlier", "is_copied_context": True},
                    {"source": "user", "message": "<environment_context>x"},
                    {"source": "user", "message": "Search", "extra": {"is_sidechain": True}},
                    {"source": "user", "message": "[Request interrupted by user]"},
                    {"source": "user", "message": "stopped", "extra": {"event": "interrupt"}},
                    {
                        "source": "agent",
                        "message": "",
                        "tool_calls": [_tool("c1", "edit")],
                        "observation": {
                            "results": [
                                {
                                    "source_call_id": "c1",
                                    "content": _REFUSED,
                                    "extra": {"tool_result_is_error": True},
                                }
                            ]
                        },
                    },
                    {"source": "user", "message": "Now"},
                    agent={"name": "signals-core", "version": "0.1.0"},
                    extra={"release": "r1", "user": "ann", "project": "shop"},
                )
            ).encode()
        },
        {
            "atif:t1": [
                "agent=signals-core version=0.1.0 user=ann project=shop",
                "#/steps/0 user copied: Earlier",
                "#/steps/1 user: <environment_context>x",
                "#/steps/2 user: Search",
                "#/steps/3 user interrupt: [Request interrupted by user]",
                "#/steps/4 user interrupt: stopped",
                "#/steps/5 agent: | edit{} #c1 -> rejected! The user doesn't want to "
                "proceed with this tool use. the user said:\nno #c1",
                "#/steps/5/observation/results/0 user rejection: no",
                "#/steps/6 user turn: Now",
            ]
        },
    ),
    "subagents-and-runs-of-several-documents": Case(
        {
            "trajectory.json": json.dumps(
                _document(
                    {
                        "source": "agent",
                        "message": "",
                        "tool_calls": [_tool("c1", "task")],
                        "observation": {
                            "results": [
                                {
                                    "source_call_id": "c1",
                                    "subagent_trajectory_ref": [{"trajectory_id": "sub"}],
                                }
                            ]
                        },
                    },
                    session_id="r1",
                    continued_trajectory_ref="trajectory.cont-1.json",
                    subagent_trajectories=[
                        _document(
                            {"source": "user", "message": "Search"},
                            {"source": "agent", "message": "Found"},
                            session_id="r1",
                            trajectory_id="sub",
                        ),
                        _document({"source": "agent", "message": "Mine"}),
                    ],
                )
            ).encode(),
            "trajectory.cont-1.json": json.dumps(
                _document(
                    {"source": "user", "message": "Summary", "is_copied_context": True},
                    {"source": "agent", "message": "Going on"},
                    session_id="r1-cont-1",
                )
            ).encode(),
            "other-part.json": json.dumps(
                _document(
                    {"source": "user", "message": "Summary", "is_copied_context": True},
                    {"source": "agent", "message": "And on"},
                    session_id="r1",
                    trajectory_id="part-3",
                )
            ).encode(),
        },
        {
            "atif:r1/part-3": [
                "agent=codex version=1 parent=atif:r1 autonomous=True",
                "#/steps/0 user copied: Summary",
                "#/steps/1 agent model-1: And on",
            ],
            "atif:r1-cont-1": [
                "agent=codex version=1 parent=atif:r1 autonomous=True",
                "#/steps/0 user copied: Summary",
                "#/steps/1 agent model-1: Going on",
            ],
            "atif:r1": [
                "agent=codex version=1 autonomous=True",
                "#/steps/0 agent model-1: | task{} #c1 ->  #c1",
            ],
            "atif:r1/sub": [
                "agent=codex version=1 parent=atif:r1 autonomous=True",
                "#/subagent_trajectories/0/steps/0 user: Search",
                "#/subagent_trajectories/0/steps/1 agent model-1: Found",
            ],
            "atif:r1/1": [
                "agent=codex version=1 parent=atif:r1 autonomous=True",
                "#/subagent_trajectories/1/steps/0 agent model-1: Mine",
            ],
        },
    ),
    "every-version-one-a-line": Case(
        {
            "all.jsonl": _bytes(
                *(
                    _document(
                        {"source": "user", "message": "Hi"},
                        schema_version=version,
                        session_id=version,
                        agent={"name": "menu-agent", "version": "1"},
                    )
                    for version in _VERSIONS
                ),
                {"schema_version": "ATIF-v1.8", "steps": "none"},
            )
        },
        {
            "atif:ATIF-v1.0": ["agent=menu-agent version=1", "line:1#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.1": ["agent=menu-agent version=1", "line:2#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.2": ["agent=menu-agent version=1", "line:3#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.3": ["agent=menu-agent version=1", "line:4#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.4": ["agent=menu-agent version=1", "line:5#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.5": ["agent=menu-agent version=1", "line:6#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.6": ["agent=menu-agent version=1", "line:7#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.7": ["agent=menu-agent version=1", "line:8#/steps/0 user turn: Hi"],
            "atif:ATIF-v1.8": ["agent=menu-agent version=1", "line:9#/steps/0 user turn: Hi"],
        },
        {"all.jsonl:line:10": "not an ATIF trajectory"},
    ),
    "wrong-types": Case(
        {
            "trajectory.json": json.dumps(
                _document(
                    "text",
                    {"source": 5, "message": 6, "timestamp": [], "metrics": "x", "extra": 1},
                    {"source": "user", "message": "Hi", "extra": {"event": ["interrupt"]}},
                    {
                        "source": "agent",
                        "message": "x",
                        "tool_calls": [5, {"arguments": "y"}],
                        "observation": {"results": [7, {"content": 8, "extra": []}]},
                        "metrics": {"prompt_tokens": -1, "cost_usd": True, "extra": []},
                    },
                    {"source": "agent", "message": "y", "metrics": {"cost_usd": 1e300}},
                    session_id=None,
                    trajectory_id=3,
                    agent=["name"],
                    subagent_trajectories=[{"steps": 5}, {}, 4],
                    final_metrics=[],
                )
            ).encode()
        },
        {
            "atif:3": [
                "agent=unknown autonomous=True",
                "#/steps/1 system:",
                "#/steps/2 user: Hi",
                '#/steps/3 agent: x | {"input": "y"} # ->  #None',
                "#/steps/4 agent: y",
            ]
        },
        {
            "trajectory.json:#/steps/0": "a step that is no object",
            "trajectory.json:#/subagent_trajectories/0": "a trajectory without steps",
            "trajectory.json:#/subagent_trajectories/1": "a trajectory without steps",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_files_give_exactly_these_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_a_session_of_the_bundled_agent(tmp_path: Path) -> None:
    failure = {"is_error": True, "error_class": "no_match", "error_signature": "no such line"}
    document = _document(
        {"source": "user", "message": "Fix it"},
        {
            "source": "agent",
            "message": [{"type": "text", "text": "Trying"}],
            "reasoning_content": "hm",
            "tool_calls": [
                {"tool_call_id": "c1", "function_name": "edit_file", "arguments": {"path": "a"}}
            ],
            "observation": {
                "results": [{"source_call_id": "c1", "content": "Nope", "extra": failure}]
            },
            "metrics": {"prompt_tokens": 9, "cached_tokens": 4, "completion_tokens": 2,
                        "cost_usd": 0.5},
        },
        {"source": "user", "message": "stopped", "extra": {"event": "interrupt"}},
        agent={"name": "signals-core", "version": "0.1.0", "model_name": "model-1"},
        extra={"release": "0.1.0+abc", "user": "ann", "project": "shop"},
    )  # fmt: skip
    path = str(tmp_path / "t.json")
    seen = Observation(
        "c1", "Nope", True, "no_match", "no such line", "#/steps/1/observation/results/0"
    )
    assert _one(tmp_path, document) == Session(
        key="atif:t1",
        format="atif",
        session_id="t1",
        source_path=path,
        agent="signals-core",
        agent_version="0.1.0",
        release="0.1.0+abc",
        user="ann",
        project="shop",
        steps=(
            Step("#/steps/0", "user", "Fix it", is_person=True),
            Step(
                "#/steps/1",
                "agent",
                "Trying",
                reasoning="hm",
                tool_calls=(ToolCall("c1", "edit_file", {"path": "a"}),),
                observations=(seen,),
                model="model-1",
                tokens=Tokens(9, 4, 2),
                cost_usd=0.5,
            ),
            Step("#/steps/2", "user", "stopped", event="interrupt"),
        ),
    )


def test_a_conversion_names_the_native_session(tmp_path: Path) -> None:
    session = _one(tmp_path, _document({"source": "user", "message": "Hi"}))
    assert session.conversion_of == ("codex", "t1")


def test_copies_and_wrappers_are_not_the_person(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        _document(
            {"source": "user", "message": "Earlier", "is_copied_context": True},
            {"source": "user", "message": "<environment_context>"},
            {"source": "user", "message": "[Request interrupted by user]"},
            {"source": "user", "message": "Now"},
        ),
    )
    assert [kind for _, _, kind, _ in outline(session)] == ["", "", "interrupt", "turn"]
    assert [step.is_copied_context for step in session.steps] == [True, False, False, False]


@pytest.mark.parametrize(
    ("content", "extra", "is_error"),
    [
        ("Exit code: 1\nOutput:\nx", {}, True),
        ("Exit code: 1\nOutput:\nx", {"is_error": False}, False),
        ("fine", {"tool_result_is_error": True}, True),
        ("<returncode>2</returncode>\nx", {}, True),
        ("<returncode>0</returncode>\nx", {}, False),
        ("fine", {}, False),
    ],
)
def test_failures_are_stated_or_read(
    tmp_path: Path, content: str, extra: dict[str, bool], is_error: bool
) -> None:
    results = [{"content": content, "extra": extra}]
    document = _document({"source": "agent", "message": "", "observation": {"results": results}})
    assert [o.is_error for o in _one(tmp_path, document).steps[0].observations] == [is_error]


def test_a_refused_call_is_an_event_at_its_result(tmp_path: Path) -> None:
    refusal = "The user doesn't want to proceed with this tool use. the user said:\nnot that"
    results = [{"source_call_id": "c", "content": refusal}]
    document = _document({"source": "agent", "message": "", "observation": {"results": results}})
    assert outline(_one(tmp_path, document))[1:] == [
        ("#/steps/0/observation/results/0", "user", "rejection", "not that")
    ]


def test_embedded_subagents_are_sessions(tmp_path: Path) -> None:
    inner = _document({"source": "user", "message": "Search"}, trajectory_id="sub")
    outer = _document({"source": "user", "message": "Hi"}, subagent_trajectories=[inner])
    parent, child = read_lines(tmp_path / "t.json", outer)
    assert (parent.key, child.key, child.parent_key) == ("atif:t1", "atif:t1/sub", "atif:t1")
    assert [step.source_ref for step in child.steps] == ["#/subagent_trajectories/0/steps/0"]
    assert not child.steps[0].is_person


def test_a_document_a_line(tmp_path: Path) -> None:
    step = {"source": "user", "message": "Hi"}
    first, second = read_lines(
        tmp_path / "t.jsonl", _document(step), _document(step, session_id="t2")
    )
    assert [s.key for s in (first, second)] == ["atif:t1", "atif:t2"]
    assert second.steps[0].source_ref == "line:2#/steps/0"


def test_ids_of_calls_are_those_of_a_run(tmp_path: Path) -> None:
    step = {"source": "agent", "message": "Hi", "extra": {"api_call_id": "api_call_1"}}
    first, second = read_lines(
        tmp_path / "t.jsonl", _document(step), _document(step, session_id="t2")
    )
    ids = [session.steps[0].api_call_id for session in (first, second)]
    assert ids == ["t1 api_call_1", "t2 api_call_1"]


@pytest.mark.parametrize(
    ("ids", "key", "parent"),
    [
        ({"session_id": "r1"}, "atif:r1", None),
        ({"session_id": "r1", "trajectory_id": "r1"}, "atif:r1", None),
        ({"session_id": "r1", "trajectory_id": "b"}, "atif:r1/b", "atif:r1"),
        ({"session_id": "", "trajectory_id": "b"}, "atif:b", None),
        ({"session_id": "r1-cont-1"}, "atif:r1-cont-1", "atif:r1"),
        ({"session_id": "r1-cont-2"}, "atif:r1-cont-2", "atif:r1-cont-1"),
        ({"session_id": "-cont-2"}, "atif:-cont-2", None),
    ],
)
def test_documents_of_one_run_are_sessions_of_their_own(
    tmp_path: Path, ids: dict[str, str], key: str, parent: str | None
) -> None:
    copied = {"source": "user", "message": "Earlier", "is_copied_context": True}
    session = _one(tmp_path, _document(copied, {"source": "user", "message": "Now"}, **ids))
    assert (session.key, session.parent_key) == (key, parent)


def test_what_only_the_totals_tell_goes_to_the_call_without_figures(tmp_path: Path) -> None:
    metrics = {"prompt_tokens": 30, "cached_tokens": 10, "completion_tokens": 3, "cost_usd": 0.25}
    totals = {
        "total_prompt_tokens": 70,
        "total_cached_tokens": 30,
        "total_completion_tokens": 8,
        "total_cost_usd": 0.75,
        "extra": {"reasoning_output_tokens": 2},
    }
    steps = [
        {"source": "agent", "message": "One", "metrics": metrics},
        {"source": "agent", "message": "Two"},
    ]
    spent = [
        (step.tokens, step.cost_usd)
        for step in _one(tmp_path, _document(*steps, final_metrics=totals)).steps
    ]
    assert spent == [(Tokens(30, 10, 3), 0.25), (Tokens(40, 20, 5, 2), 0.5)]
    inner = _document({"source": "agent", "message": "Sub"}, trajectory_id="sub")
    whole = _document(*steps, final_metrics=totals, subagent_trajectories=[inner])
    parent, _ = read_lines(tmp_path / "whole.json", whole)
    assert parent.steps[1].tokens is None
