"""Codex's rollouts, translated."""

from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, Session, Tokens
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
