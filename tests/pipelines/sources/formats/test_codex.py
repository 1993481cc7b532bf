"""Codex's rollouts, translated."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, Session, Tokens
from tests.pipelines.sources.format_table import Case, check_case
from tests.pipelines.sources.log_lines import codex, event, item, outline, read_lines, spoken

_CALL_A, _CALL_B = "call_Zq81LmN0pQr2StUv", "call_Yx92KkM1oPq3RsTu"


def _one(tmp_path: Path, *lines: Any, name: str = "rollout.jsonl") -> Session:
    (session,) = read_lines(tmp_path / name, *lines)
    return session


def _meta(session_id: str = "c1", **more: Any) -> dict[str, Any]:
    return codex("session_meta", id=session_id, cwd="/home/ada/shop", cli_version="0.60.0", **more)


def _turn(text: str, second: int = 0) -> list[dict[str, Any]]:
    """A turn as Codex writes it: an item and an event."""
    return [spoken("user", text, second), event("user_message", second, message=text)]


def _call(call_id: str, output: Any, second: int = 0) -> list[dict[str, Any]]:
    arguments = '{"cmd": "ls"}'
    return [
        item("function_call", second, name="shell", arguments=arguments, call_id=call_id),
        item("function_call_output", second, call_id=call_id, output=output),
    ]


def _usage(*numbers: int) -> dict[str, Any]:
    keys = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    return event("token_count", info={"total_token_usage": dict(zip(keys, numbers, strict=True))})


def _lines(*lines: Any) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


_SPAWNED = {"subagent": {"thread_spawn": {"parent_thread_id": "c1", "depth": 1}}}
_BARE_HEAD: dict[str, Any] = {
    "id": "b1",
    "timestamp": "2025-08-01T10:00:00Z",
    "instructions": None,
    "git": {},
}


def _said(role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


_ABOUT = "agent=codex version=0.60.0 project=/home/ada/shop"
_DAY = "start=2026-01-01T10:00:00 end=2026-01-01T10:00:00"

CASES: dict[str, Case] = {
    "turns-calls-and-tokens": Case(
        {
            "rollout.jsonl": _lines(
                _meta("c1", source="cli", git={"branch": "main"}),
                event("task_started", turn_id="t1"),
                spoken("developer", "<permissions instructions>"),
                spoken("user", "<environment_context>x</environment_context>"),
                codex("turn_context", model="model-1", cwd="/home/ada/shop"),
                *_turn("List the files", 1),
                item("reasoning", 2, summary=[{"type": "summary_text", "text": "How?"}]),
                *_call(_CALL_A, "Chunk ID: ab12\nProcess exited with code 1\nOutput:\nno", 3),
                _usage(100, 40, 10, 2),
                item("custom_tool_call", 4, name="apply_patch", input="*** Begin", call_id="k1"),
                item(
                    "custom_tool_call_output",
                    4,
                    call_id="k1",
                    output='{"output":"Success","metadata":{"exit_code":0}}',
                ),
                item("web_search_call", 5, id="ws_1", action={"query": "menus"}),
                item("tool_search_call", 5, call_id="k2", arguments={"query": "x"}),
                item("tool_search_output", 5, call_id="k2", tools=[{"type": "namespace"}]),
                item("local_shell_call", 5, call_id="k3", action={"command": ["ls"]}),
                event("exec_command_end", 5, call_id="k3", exit_code=1),
                item("function_call_output", 5, call_id="k3", output="a.py"),
                item("image_generation_call", 5, id="ig_1", status="completed", result="AAAA"),
                event("patch_apply_end", 6, call_id="k1", success=True),
                spoken("assistant", "Done", 7),
                event("agent_message", 7, message="Done"),
                event("token_count", 7, info=None),
                _usage(250, 140, 15, 3),
            )
        },
        {
            "codex:c1": [
                f"{_ABOUT} start=2026-01-01T10:00:00 end=2026-01-01T10:00:07",
                "line:3 system: <permissions instructions>",
                "line:4 system: <environment_context>x</environment_context>",
                "line:7 user turn: List the files",
                "line:8 agent model-1: (How?)",
                "line:9 agent model-1 in 100 (cached 40) out 10 (thought 2): | "
                'shell{"cmd": "ls"} #call_Zq81LmN0pQr2StUv -> command_failed! Chunk ID: '
                "ab12\nProcess exited with code 1\nOutput:\nno #call_Zq81LmN0pQr2StUv",
                'line:12 agent model-1: | apply_patch{"input": "*** Begin"} #k1 -> Success #k1',
                'line:14 agent model-1: | web_search{"query": "menus"} #ws_1',
                'line:15 agent model-1: | tool_search{"query": "x"} #k2 ->  #k2',
                'line:17 agent model-1: | local_shell{"command": ["ls"]} #k3 -> other! a.py #k3',
                "line:20 agent model-1: | image_generation{} #ig_1",
                "line:22 agent model-1 in 150 (cached 100) out 5 (thought 1): Done",
            ]
        },
    ),
    "outputs-of-scripts": Case(
        {
            "rollout.jsonl": _lines(
                _meta(),
                item("custom_tool_call", name="exec", input="text(1)", call_id="k1"),
                item(
                    "custom_tool_call_output",
                    call_id="k1",
                    output=[
                        {
                            "type": "input_text",
                            "text": "Script completed\nWall time 1 s\nOutput:\n",
                        },
                        {"type": "input_text", "text": '{"exit_code":2,"output":"no such file"}'},
                    ],
                ),
                item("custom_tool_call", name="exec", input="text(2)", call_id="k2"),
                item(
                    "custom_tool_call_output",
                    call_id="k2",
                    output=[
                        {"type": "input_text", "text": "Script completed\nOutput:\n"},
                        {"type": "input_text", "text": '{"exit_code":0,"output":"Exit code: 3"}'},
                        {"type": "input_image", "image_url": "data:"},
                    ],
                ),
                item("custom_tool_call", name="exec", input="text(3)", call_id="k3"),
                item(
                    "custom_tool_call_output",
                    call_id="k3",
                    output={
                        "content": [
                            {"type": "input_text", "text": "Script failed\nOutput:\nTypeError: x"}
                        ]
                    },
                ),
                item("function_call", name="shell", arguments="not json", call_id="k4"),
                item(
                    "function_call_output",
                    call_id="k4",
                    output="failed in sandbox MacosSeatbelt with execution error: exit code: 2",
                ),
                event(
                    "mcp_tool_call_end",
                    call_id="k5",
                    invocation={"server": "s", "tool": "t", "arguments": {"a": 1}},
                    result={"Err": "timed out"},
                ),
                event(
                    "mcp_tool_call_end",
                    call_id="k6",
                    invocation={"server": "s", "tool": "t"},
                    result={"Ok": {"content": [{"type": "text", "text": "fine"}]}},
                ),
            )
        },
        {
            "codex:c1": [
                f"{_ABOUT} autonomous=True {_DAY}",
                'line:2 agent: | exec{"input": "text(1)"} #k1 -> not_found! Script '
                'completed\nWall time 1 s\nOutput:\n\n{"exit_code":2,"output":"no such '
                'file"} #k1',
                'line:4 agent: | exec{"input": "text(2)"} #k2 -> Script '
                'completed\nOutput:\n\n{"exit_code":0,"output":"Exit code: 3"} #k2',
                'line:6 agent: | exec{"input": "text(3)"} #k3 -> other! Script '
                "failed\nOutput:\nTypeError: x #k3",
                'line:8 agent: | shell{"input": "not json"} #k4 -> command_failed! failed '
                "in sandbox MacosSeatbelt with execution error: exit code: 2 #k4",
                'line:10 agent: | mcp__s__t{"a": 1} #k5 -> timeout! timed out #k5',
                "line:11 agent: | mcp__s__t{} #k6 -> fine #k6",
            ]
        },
    ),
    "what-happens-to-a-turn": Case(
        {
            "rollout.jsonl": _lines(
                _meta(),
                *_turn("Go"),
                *_call(_CALL_A, "exec command rejected by user"),
                event("turn_aborted", reason="interrupted"),
                event("entered_review_mode", target={"type": "uncommittedChanges"}),
                spoken("user", "<user_action>review</user_action>"),
                event("exited_review_mode", review_output={"findings": []}),
                event("turn_aborted", reason="review_ended"),
                event("thread_rolled_back", num_turns=2),
                codex(
                    "compacted",
                    message="Summary",
                    replacement_history=[
                        _said("user", "Go"),
                        {"type": "compaction", "encrypted_content": "x"},
                    ],
                ),
                event("context_compacted"),
                event("error", message="usage limit reached"),
                event("stream_error", message="reconnecting 1/5"),
                event("user_message", message="", images=["data:image/png;base64,AA"]),
                item(
                    "agent_message",
                    author="/root/b",
                    recipient="/root",
                    content=[{"type": "input_text", "text": "Found it"}],
                ),
            )
        },
        {
            "codex:c1": [
                f"{_ABOUT} {_DAY}",
                "line:3 user turn: Go",
                'line:4 agent: | shell{"cmd": "ls"} #call_Zq81LmN0pQr2StUv -> rejected! '
                "exec command rejected by user #call_Zq81LmN0pQr2StUv",
                "line:5 user rejection:",
                "line:6 user interrupt:",
                "line:8 system: <user_action>review</user_action>",
                "line:11 user rollback: 2 turns rolled back",
                "line:12 system compaction: Summary",
                "line:14 system api_error: usage limit reached",
                "line:15 system api_error: reconnecting 1/5",
                "line:16 user turn: [image]",
                "line:17 system: Found it",
            ]
        },
    ),
    "events-alone": Case(
        {
            "rollout.jsonl": _lines(
                _meta(),
                event("user_message", message="Hi"),
                event("agent_reasoning", text="Hm"),
                event("agent_message", message="Hello"),
                event("context_compacted"),
            )
        },
        {
            "codex:c1": [
                f"{_ABOUT} {_DAY}",
                "line:2 user turn: Hi",
                "line:3 agent: (Hm)",
                "line:4 agent: Hello",
                "line:5 system compaction:",
            ]
        },
    ),
    "the-bare-form": Case(
        {
            "rollout.jsonl": _lines(
                _BARE_HEAD,
                {"record_type": "state"},
                _said("user", "<user_instructions>x"),
                _said("user", "Hi"),
                {"type": "reasoning", "summary": [], "encrypted_content": "x"},
                {"type": "local_shell_call", "call_id": "k", "action": {"command": ["ls"]}},
                {
                    "type": "function_call_output",
                    "call_id": "k",
                    "output": '{"output":"boom","metadata":{"exit_code":2}}',
                },
                _said("assistant", "It failed"),
                {"record_type": "state"},
            )
        },
        {
            "codex:b1": [
                "agent=codex start=2025-08-01T10:00:00",
                "line:3 system: <user_instructions>x",
                "line:4 user turn: Hi",
                'line:6 agent: | local_shell{"command": ["ls"]} #k -> other! boom #k',
                "line:8 agent: It failed",
            ]
        },
    ),
    "forks-resumes-and-spawned-agents": Case(
        {
            "a.jsonl": _lines(_meta("c1"), *_turn("One"), _meta("c1"), *_turn("Two", 1)),
            "b.jsonl": _lines(_meta("c2", forked_from_id="c1"), _meta("c1"), *_turn("One", 2)),
            "c.jsonl": _lines(_meta("c3", source=_SPAWNED), *_turn("Review")),
            "d.jsonl": _lines(_meta("c4", source={"subagent": "review"}), *_turn("Review")),
            "e.jsonl": _lines(
                _meta("c5", thread_source="subagent", parent_thread_id="c1"), *_turn("Look")
            ),
        },
        {
            "codex:c1": [
                f"{_ABOUT} start=2026-01-01T10:00:00 end=2026-01-01T10:00:01",
                "line:3 user turn: One",
                "line:6 user turn: Two",
            ],
            "codex:c2": [
                f"{_ABOUT} parent=codex:c1 start=2026-01-01T10:00:02 end=2026-01-01T10:00:02",
                "line:4 user turn: One",
            ],
            "codex:c3": [
                f"{_ABOUT} parent=codex:c1 {_DAY}",
                "line:3 system: Review",
            ],
            "codex:c4": [
                f"{_ABOUT} {_DAY}",
                "line:3 system: Review",
            ],
            "codex:c5": [
                f"{_ABOUT} parent=codex:c1 {_DAY}",
                "line:3 system: Look",
            ],
        },
    ),
    "wrong-types-and-unknown-records": Case(
        {
            "rollout.jsonl": _lines(
                _meta("c1", git="main", source=["cli"]),
                codex("unheard-of", a=1),
                event("unheard-of"),
                item("unheard-of"),
                {"timestamp": 5, "type": "response_item", "payload": "x"},
                {"timestamp": "soon", "type": "event_msg"},
                {"type": ["event_msg"], "payload": {}},
                {"type": "world_state", "payload": None},
                5,
                item("message", role="user", content=5),
                item("message", role=["user"], content="Hi"),
                item("function_call", name=5, arguments=[1], call_id=7),
                item("function_call_output", call_id=7, output=5),
                event("token_count", info={"total_token_usage": [1]}),
                event("turn_aborted", reason=["x"]),
                event("thread_rolled_back", num_turns="two"),
                event("mcp_tool_call_end", call_id={}, invocation=1, result=[]),
                codex("turn_context", model=5),
                codex("compacted", message=None),
                event("user_message", message="Go on"),
            )
            + b'{"type": "event_msg", \n{"timestamp": "2026'
        },
        {
            "codex:c1": [
                f"{_ABOUT} {_DAY}",
                "line:11 system: Hi",
                'line:12 agent: | function{"input": [1]} #7 ->  #7',
                "line:15 user interrupt:",
                "line:16 user rollback: 0 turns rolled back",
                "line:19 system compaction:",
                "line:20 user turn: Go on",
            ]
        },
        {
            "rollout.jsonl:line:21": "not valid JSON at character 22",
            "rollout.jsonl:line:5": "a record of type response_item without a payload",
            "rollout.jsonl:line:6": "a record of type event_msg without a payload",
            "rollout.jsonl:line:9": "not a JSON object",
            "rollout.jsonl:line:10": "a message without content",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_files_give_exactly_these_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_a_turn_counts_once(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        _meta(),
        spoken("developer", "<permissions instructions>"),
        spoken("user", "# AGENTS.md instructions for /home/ada/shop"),
        spoken("user", "<environment_context>\n</environment_context>"),
        *_turn("List the files"),
        event("agent_message", message="Here"),
        spoken("assistant", "Here"),
        event("user_message", message="<turn_aborted>x"),
    )
    assert outline(session) == [
        ("line:2", "system", "", "<permissions instructions>"),
        ("line:3", "system", "", "# AGENTS.md instructions for /home/ada/shop"),
        ("line:4", "system", "", "<environment_context>\n</environment_context>"),
        ("line:6", "user", "turn", "List the files"),
        ("line:8", "agent", "", "Here"),
        ("line:9", "system", "", "<turn_aborted>x"),
    ]
    assert (session.key, session.agent, session.agent_version, session.project) == (
        "codex:c1",
        "codex",
        "0.60.0",
        "/home/ada/shop",
    )


def test_the_bare_form_has_its_turns_in_items(tmp_path: Path) -> None:
    head: dict[str, Any] = {
        "id": "b1",
        "timestamp": "2025-08-01T10:00:00Z",
        "instructions": None,
        "git": {},
    }
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    wrapped = {**said, "content": [{"type": "input_text", "text": "<user_instructions>x"}]}
    call = {"type": "local_shell_call", "call_id": "k", "action": {"command": ["ls"]}}
    output = {"type": "function_call_output", "call_id": "k"}
    failed = {**output, "output": '{"output":"boom","metadata":{"exit_code":2}}'}
    session = _one(tmp_path, head, {"record_type": "state"}, wrapped, said, call, failed)
    assert outline(session) == [
        ("line:3", "system", "", "<user_instructions>x"),
        ("line:4", "user", "turn", "Hi"),
        ("line:5", "agent", "", ""),
    ]
    assert session.key == "codex:b1"
    assert session.steps[2].observations == (
        Observation("k", "boom", True, "other", "boom", "line:6"),
    )


def test_happenings_are_events(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        _meta(),
        *_turn("Go"),
        event("turn_aborted", reason="interrupted"),
        event("thread_rolled_back", num_turns=1),
        codex("compacted", message="Summary", replacement_history=[]),
        event("context_compacted"),
        event("error", message="stream disconnected"),
    )
    assert outline(session)[1:] == [
        ("line:4", "user", "interrupt", ""),
        ("line:5", "user", "rollback", "1 turns rolled back"),
        ("line:6", "system", "compaction", "Summary"),
        ("line:8", "system", "api_error", "stream disconnected"),
    ]


@pytest.mark.parametrize(
    ("output", "failed"),
    [
        ("Chunk ID: 1\nProcess exited with code 0\nOutput:\nExit code: 3", False),
        ("Chunk ID: 1\nProcess exited with code 1\nOutput:\nfine", True),
        ("Exit code: 127\nWall time: 1 seconds\nOutput:\nnot found", True),
        ([{"type": "input_text", "text": "Script failed\nOutput:"}], True),
        ([{"type": "input_text", "text": "Script completed\nOutput:"}], False),
        ('{"output":"x","metadata":{"exit_code":1}}', True),
        ('{"output":"x","metadata":{"exit_code":0}}', False),
        ({"content": "x", "success": False}, True),
        ("apply_patch verification failed: no", True),
        ("Plan updated", False),
        (None, False),
    ],
)
def test_failures_are_read_from_the_output(tmp_path: Path, output: Any, failed: bool) -> None:
    session = _one(tmp_path, _meta(), *_call(_CALL_A, output))
    assert [seen.is_error for seen in session.steps[0].observations] == [failed]


def test_an_event_can_tell_of_a_failure(tmp_path: Path) -> None:
    told = event("patch_apply_end", call_id=_CALL_A, success=False)
    session = _one(tmp_path, _meta(), *_call(_CALL_A, "done"), told)
    assert session.steps[0].observations[0].is_error


def test_a_refused_command_is_a_rejection(tmp_path: Path) -> None:
    session = _one(tmp_path, _meta(), *_call(_CALL_A, "exec command rejected by user"))
    assert outline(session)[1:] == [("line:3", "user", "rejection", "")]
    assert session.steps[0].observations[0].error_class == "rejected"


@pytest.mark.parametrize(
    ("usages", "spent"),
    [
        pytest.param(
            [((1000, 0, 10, 0), (1000, 0, 10, 0)), ((3000, 500, 60, 0), (3000, 500, 60, 0))],
            [Tokens(1000, 0, 10, 0), Tokens(3000, 500, 60, 0)],
            id="anew, and higher",
        ),
        pytest.param(
            [((1000, 0, 10, 0), (1000, 0, 10, 0)), ((1000, 0, 10, 0), (1000, 0, 10, 0))],
            [Tokens(1000, 0, 10, 0), None],
            id="repeated",
        ),
        pytest.param(
            [((1000, 0, 10, 0), (1000, 0, 10, 0)), ((3000, 500, 60, 0), (2000, 500, 50, 0))],
            [Tokens(1000, 0, 10, 0), Tokens(2000, 500, 50, 0)],
            id="going on",
        ),
    ],
)
def test_a_total_that_one_call_makes_up_was_started_anew(
    tmp_path: Path, usages: list[tuple[tuple[int, ...], ...]], spent: list[Tokens | None]
) -> None:
    lines = []
    for total, last in usages:
        info = {
            **_usage(*total)["payload"]["info"],
            "last_token_usage": _usage(*last)["payload"]["info"]["total_token_usage"],
        }
        lines += [spoken("assistant", "Done"), event("token_count", info=info)]
    session = _one(tmp_path, _meta(), *lines)
    assert [step.tokens for step in session.steps] == spent


def test_totals_become_the_tokens_of_calls(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        _meta(),
        spoken("assistant", "One"),
        *_call(_CALL_A, "ok")[:1],
        event("token_count", info=None),
        _usage(100, 40, 10, 2),
        _usage(100, 40, 10, 2),
        *_call(_CALL_A, "ok")[1:],
        spoken("assistant", "Two"),
        _usage(250, 140, 15, 3),
        spoken("assistant", "Three"),
        _usage(30, 0, 5, 0),
    )
    assert [(step.api_call_id, step.tokens) for step in session.steps] == [
        ("c1 line:5", None),
        ("c1 line:5", Tokens(100, 40, 10, 2)),
        ("c1 line:9", Tokens(150, 100, 5, 1)),
        ("c1 line:11", Tokens(30, 0, 5, 0)),
    ]


def test_totals_before_their_steps_are_not_lost(tmp_path: Path) -> None:
    session = _one(
        tmp_path, _meta(), _usage(9, 0, 1, 0), spoken("assistant", "One"), _usage(12, 0, 2, 0)
    )
    assert [step.tokens for step in session.steps] == [Tokens(12, 0, 2, 0)]


def _ids(session: Session) -> list[str | None]:
    return [step.content_id for step in session.steps]


_HISTORY = [
    [*_turn("List the files"), *_call(_CALL_A, "a.py")],
    [*_turn("Now the tests"), spoken("assistant", "Ran them")],
]


def _at(lines: list[dict[str, Any]], second: int) -> list[dict[str, Any]]:
    """The same records with the timestamps that a fork gives them."""
    return [{**line, "timestamp": f"2026-01-02T10:00:{second:02}.000Z"} for line in lines]


@pytest.mark.parametrize("with_parents_meta", [True, False], ids=["replayed", "not-replayed"])
@pytest.mark.parametrize("declared", [{"forked_from_id": "c1"}, {}], ids=["declared", "silent"])
def test_a_fork_shares_the_ids_of_what_it_copied(
    tmp_path: Path, with_parents_meta: bool, declared: dict[str, Any]
) -> None:
    """The second turn holds no id of its own: the call before it, or the lineage, must tell."""
    own = [*_turn("Something else"), *_call(_CALL_B, "b.py")]
    parent = _one(tmp_path, _meta("c1"), *_HISTORY[0], *_HISTORY[1], *own, name="p.jsonl")
    metas = [_meta("c2", **declared), *([_meta("c1")] if with_parents_meta else [])]
    copied = _at([*_HISTORY[0], *_HISTORY[1]], 5)
    fork = _one(tmp_path, *metas, *copied, *_turn("Another way"), name="f.jsonl")
    shared = set(_ids(parent)) & set(_ids(fork))
    is_known = with_parents_meta or bool(declared)
    assert fork.parent_key == ("codex:c1" if is_known else None)
    texts = [step.text for step in fork.steps if step.content_id in shared]
    assert texts == ["List the files", "", "Now the tests", "Ran them"]


def test_sessions_that_merely_start_alike_share_nothing(tmp_path: Path) -> None:
    lines = [*_turn("List the files"), *_call("call_1", "a.py"), spoken("assistant", "Done")]
    one = _one(tmp_path, _meta("c1"), *lines, name="one.jsonl")
    two = _one(tmp_path, _meta("c2"), *lines, name="two.jsonl")
    assert set(_ids(one)) & set(_ids(two)) == set()
    assert (one.parent_key, two.parent_key) == (None, None)


def test_a_resumed_session_is_one(tmp_path: Path) -> None:
    session = _one(tmp_path, _meta("c1"), *_turn("One"), _meta("c1"), *_turn("Two"))
    assert [step.text for step in session.steps] == ["One", "Two"]
    assert (session.key, session.parent_key) == ("codex:c1", None)


def test_a_spawned_agent_has_no_person(tmp_path: Path) -> None:
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "c1", "depth": 1}}}
    session = _one(
        tmp_path, _meta("c9", source=source), *_turn("Review"), spoken("assistant", "ok")
    )
    assert (session.parent_key, session.is_autonomous) == ("codex:c1", True)


def test_many_replayed_sessions_are_noted_in_seconds(tmp_path: Path) -> None:
    metas = [_meta(f"c{number}") for number in range(60_000)]
    started = time.process_time()
    session = _one(tmp_path, *metas, metas[5], *_turn("One"))
    assert time.process_time() - started < 10
    assert (session.key, session.parent_key) == ("codex:c0", "codex:c1")
    assert [step.text for step in session.steps] == ["One"]
