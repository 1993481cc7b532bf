"""OpenAI chat messages, translated."""

from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, ToolCall
from tests.pipelines.sources.log_lines import outline, read_lines

_CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id": 7}'}}
_CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind"},
    {"role": "user", "content": "Where is it?"},
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Error: order not found"},
    {"role": "assistant", "content": "Gone"},
]


def _told(prefix: str) -> list[tuple[str, str, str, str]]:
    return [
        (f"{prefix}/0", "system", "", "Be kind"),
        (f"{prefix}/1", "user", "turn", "Where is it?"),
        (f"{prefix}/2", "agent", "", ""),
        (f"{prefix}/4", "agent", "", "Gone"),
    ]


@pytest.mark.parametrize(
    ("lines", "prefixes"),
    [
        pytest.param([_CHAT], ["#"], id="list"),
        pytest.param([{"messages": _CHAT}], ["#/messages"], id="messages"),
        pytest.param([_CHAT, _CHAT], ["line:1#", "line:2#"], id="list-a-line"),
        pytest.param(
            [{"messages": _CHAT}] * 2,
            ["line:1#/messages", "line:2#/messages"],
            id="messages-a-line",
        ),
        pytest.param([[{"messages": _CHAT}]], ["#/0/messages"], id="list-of-conversations"),
    ],
)
def test_every_form_gives_its_conversations(
    tmp_path: Path, lines: list[Any], prefixes: list[str]
) -> None:
    sessions = read_lines(tmp_path / "chat", *lines)
    assert [outline(session) for session in sessions] == [_told(prefix) for prefix in prefixes]
    keys = [f"openai_chat:{tmp_path / 'chat'}#{index}" for index in range(len(prefixes))]
    assert [session.key for session in sessions] == keys


def test_a_message_a_line_is_one_conversation(tmp_path: Path) -> None:
    (session,) = read_lines(tmp_path / "chat", *_CHAT)
    assert [step.source_ref for step in session.steps] == ["line:1", "line:2", "line:3", "line:5"]


def test_results_stand_with_their_calls(tmp_path: Path) -> None:
    (session,) = read_lines(tmp_path / "chat", _CHAT)
    step = session.steps[2]
    assert step.tool_calls == (ToolCall("c1", "find", {"id": 7}),)
    failure = "error: order not found"
    assert step.observations == (
        Observation("c1", "Error: order not found", True, "not_found", failure, "#/3"),
    )


def test_an_id_used_again_means_the_last_call_before(tmp_path: Path) -> None:
    again = {"role": "tool", "tool_call_id": "c1", "content": "second"}
    (session,) = read_lines(tmp_path / "chat", [*_CHAT[:4], _CHAT[2], again])
    assert [[o.content for o in s.observations] for s in session.steps if s.tool_calls] == [
        ["Error: order not found"],
        ["second"],
    ]


def test_tau_bench_runs_are_told_apart(tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = [
        {"task_id": 3, "trial": trial, "reward": float(trial), "info": {}, "traj": _CHAT}
        for trial in (0, 1)
    ]
    sessions = read_lines(tmp_path / "runs.json", runs)
    facts = [(s.session_id, s.outcome, s.is_simulated_user) for s in sessions]
    assert facts == [("3-0-26dc5e5265ed", "0.0", True), ("3-1-26dc5e5265ed", "1.0", True)]
    assert sessions[1].steps[0].source_ref == "#/1/traj/0"
