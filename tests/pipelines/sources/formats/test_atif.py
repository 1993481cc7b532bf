"""ATIF documents, translated."""

from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from tests.pipelines.sources.log_lines import outline, read_lines


def _document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    agent = {"name": "codex", "version": "1", "model_name": "model-1"}
    head = {"schema_version": "ATIF-v1.8", "session_id": "t1", "agent": agent}
    numbered = [{"step_id": n + 1, **step} for n, step in enumerate(steps)]
    return {**head, "steps": numbered, **more}


def _one(tmp_path: Path, document: dict[str, Any]) -> Session:
    (session,) = read_lines(tmp_path / "t.json", document)
    return session


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
