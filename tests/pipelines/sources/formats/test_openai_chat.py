"""OpenAI chat messages, translated."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, ToolCall, person_turns
from pipelines.sources import find_files, read_file
from tests.pipelines.sources.format_table import Case, check_case
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
    failure = "order not found"
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


def _said(*texts: str) -> list[dict[str, str]]:
    """Messages of the user and the assistant in turn."""
    roles = ("user", "assistant") * len(texts)
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


_LONG = "chatcmpl-0123456789"
_ANSWERS = (("Hi", "One"), ("Hi", "Two"), ("Hi", "One", "More"), ("Hi", "One"), ("Hi", "One", "!"))


@pytest.mark.parametrize(
    ("about", "ids"),
    [
        pytest.param(
            {"task_id": 3},
            [
                "3-7487cd00b6db",
                "3-b0d9eeb31250",
                "3-7487cd00b6db#2",
                "3-7487cd00b6db",
                "3-7487cd00b6db#3",
            ],
            id="task",
        ),
        pytest.param(
            {"id": 3},
            [
                "3-7487cd00b6db",
                "3-b0d9eeb31250",
                "3-7487cd00b6db#2",
                "3-7487cd00b6db",
                "3-7487cd00b6db#3",
            ],
            id="number",
        ),
        pytest.param(
            {"id": "12345678901234567890"},
            [
                "12345678901234567890-7487cd00b6db",
                "12345678901234567890-b0d9eeb31250",
                "12345678901234567890-7487cd00b6db#2",
                "12345678901234567890-7487cd00b6db",
                "12345678901234567890-7487cd00b6db#3",
            ],
            id="long-number",
        ),
        pytest.param(
            {"id": "row-3"},
            [
                "row-3-7487cd00b6db",
                "row-3-b0d9eeb31250",
                "row-3-7487cd00b6db#2",
                "row-3-7487cd00b6db",
                "row-3-7487cd00b6db#3",
            ],
            id="short",
        ),
        pytest.param(
            {"id": _LONG},
            [
                "chatcmpl-0123456789",
                "chatcmpl-0123456789#2",
                "chatcmpl-0123456789#3",
                "chatcmpl-0123456789",
                "chatcmpl-0123456789#4",
            ],
            id="long",
        ),
        pytest.param(
            {"task_id": 3, "trial": 0},
            [
                "3-0-3639efcd08ab",
                "3-0-3639efcd08ab#2",
                "3-0-3639efcd08ab#3",
                "3-0-3639efcd08ab",
                "3-0-3639efcd08ab#4",
            ],
            id="trial",
        ),
    ],
)
def test_conversations_with_one_id_stay_apart(
    tmp_path: Path, about: dict[str, Any], ids: list[str]
) -> None:
    chats = [{**about, "messages": _said(*texts)} for texts in _ANSWERS]
    sessions = read_lines(tmp_path / "chats", *chats)
    assert [session.session_id for session in sessions] == ids


def test_one_id_in_two_files_is_two_conversations(tmp_path: Path) -> None:
    one, two = (
        read_lines(tmp_path / answer, {"id": 1, "messages": _said("Hi", answer)})[0].session_id
        for answer in ("One", "Two")
    )
    assert one != two


def test_a_numbered_id_is_not_given_twice(tmp_path: Path) -> None:
    chats = [(f"{_LONG}#2", "One"), (_LONG, "Two"), (_LONG, "Three"), (f"{_LONG}#2", "Four")]
    lines = [{"id": name, "messages": _said("Hi", answer)} for name, answer in chats]
    sessions = read_lines(tmp_path / "chats", *lines)
    assert [session.session_id.removeprefix(_LONG) for session in sessions] == [
        "#2",
        "",
        "#3",
        "#2#2",
    ]


def _lines(*values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


_DISPLAYED = (
    "user: Where is it?\nI ordered two.\nassistant: None\ntool: Error: order not found\n"
    "assistant: Gone\nuser: "
)
_OLD_CALL = {"name": "find", "arguments": "not JSON"}

CASES: dict[str, Case] = {
    "calls-and-failures": Case(
        {
            "chat.json": json.dumps(
                {
                    "session_id": "s1",
                    "model": "model-1",
                    "agent": "shop",
                    "created": 1767348000,
                    "messages": [
                        *_CHAT[:4],
                        {"role": "assistant", "content": [{"type": "text", "text": "Again"}],
                         "reasoning_content": "Hm", "function_call": _OLD_CALL},
                        {"role": "function", "name": "find", "content": "two"},
                        {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
                        {"role": "developer", "content": "Be brief"},
                    ],
                },
                indent=1,
            ).encode()
        },
        {
            "openai_chat:s1": [
                "agent=shop start=2026-01-02T10:00:00",
                "#/messages/0 system: Be kind",
                "#/messages/1 user turn: Where is it?",
                '#/messages/2 agent model-1: | find{"id": 7} #c1 '
                "-> not_found! Error: order not found #c1",
                '#/messages/4 agent model-1: (Hm) Again | find{"input": "not JSON"} #find '
                "-> two #find",
                "#/messages/6 user turn: [image]",
                "#/messages/7 system: Be brief",
            ]
        },
    ),
    "runs-with-a-reward": Case(
        {"runs.json": _lines([{"task_id": 3, "trial": 1, "reward": 0.5, "traj": _CHAT}])},
        {
            "openai_chat:3-1-26dc5e5265ed": [
                "agent=unknown simulated=True outcome=0.5",
                "#/0/traj/0 system: Be kind",
                "#/0/traj/1 user turn: Where is it?",
                '#/0/traj/2 agent: | find{"id": 7} #c1 -> not_found! Error: order not found #c1',
                "#/0/traj/4 agent: Gone",
            ]
        },
    ),
    "text-of-a-conversation": Case(
        {"shots.jsonl": _lines({"messages_display": _DISPLAYED}, {"messages_display": "Once: x"})},
        {
            "openai_chat:{folder}/shots.jsonl#0": [
                "agent=unknown simulated=True",
                "line:1#/messages_display/0 user turn: Where is it?\nI ordered two.",
                "line:1#/messages_display/1 agent:",
                "line:1#/messages_display/2 system: -> not_found! Error: order not found #None",
                "line:1#/messages_display/3 agent: Gone",
                "line:1#/messages_display/4 user turn:",
            ]
        },
        {"shots.jsonl:line:2": "not a conversation"},
    ),
    "odd-messages-later-on": Case(
        {"chat.json": _lines([*[{"role": "user", "content": "x"}] * 60, {"role": "robot"}, 17])},
        {
            "openai_chat:{folder}/chat.json#0": [
                "agent=unknown",
                *[f"#/{index} user turn: x" for index in range(60)],
            ]
        },
        {
            "chat.json:#/60": "not a message with a role",
            "chat.json:#/61": "not a message with a role",
        },
    ),
    "a-message-a-line": Case(
        {"chat.jsonl": _lines(*_CHAT) + b'{"role": "user", "con'},
        {
            "openai_chat:{folder}/chat.jsonl#0": [
                "agent=unknown",
                "line:1 system: Be kind",
                "line:2 user turn: Where is it?",
                'line:3 agent: | find{"id": 7} #c1 -> not_found! Error: order not found #c1',
                "line:5 agent: Gone",
            ]
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_files_give_these_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.shared
def test_examples_have_a_turn_for_each_line_of_the_user(shared_dir: Path) -> None:
    for path in find_files([shared_dir / "logs" / "openai_chat"]):
        if path.suffix == ".jsonl":
            texts = [json.loads(line)["messages_display"] for line in path.read_text().splitlines()]
            told = [sum(line.startswith("user: ") for line in t.splitlines()) for t in texts]
            assert [len(person_turns(s)) for s in read_file(path).sessions] == told
