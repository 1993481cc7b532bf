"""OpenCode exports, translated: built from the published schema of its messages and parts."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case

_T = 1_767_261_600_000
"""2026-01-01T10:00:00Z in milliseconds."""


def _export(*messages: Any, **info: Any) -> dict[str, Any]:
    told = {
        "id": "ses_1",
        "slug": "calm-cabin",
        "version": "1.2.3",
        "projectID": "p1",
        "directory": "/home/ada/shop",
        "title": "Menu",
        "time": {"created": _T, "updated": _T + 9000},
    }
    return {"info": {**told, **info}, "messages": list(messages)}


def _user(number: int, *parts: dict[str, Any], **info: Any) -> dict[str, Any]:
    time = {"created": _T + number * 1000}
    told = {"id": f"msg_{number}", "sessionID": "ses_1", "role": "user", "time": time, **info}
    return {"info": told, "parts": list(parts)}


def _agent(number: int, *parts: dict[str, Any], **info: Any) -> dict[str, Any]:
    time = {"created": _T + number * 1000, "completed": _T + number * 1000 + 500}
    told = {
        "id": f"msg_{number}",
        "role": "assistant",
        "modelID": "model-1",
        "providerID": "maker",
        "time": time,
    }
    return {"info": {**told, **info}, "parts": list(parts)}


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"id": "prt_t", "type": "text", "text": text, **more}


def _tool(number: int, name: str, status: str, **state: Any) -> dict[str, Any]:
    return {
        "id": f"prt_{number}",
        "type": "tool",
        "callID": f"call_{number}",
        "tool": name,
        "state": {"status": status, "input": {"n": number}, **state},
    }


def _usage(total: int | None, *counts: int) -> dict[str, Any]:
    """`counts`: input, output, reasoning, cache read, cache written."""
    told_input, output, reasoning, read, write = counts
    cache = {"read": read, "write": write}
    usage = {"input": told_input, "output": output, "reasoning": reasoning, "cache": cache}
    return usage if total is None else {"total": total, **usage}


def _document(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


_ABOUT = "agent=opencode version=1.2.3 project=/home/ada/shop"
_START = "start=2026-01-01T10:00:00"

_CONVERSATION = _export(
    _user(1, _text("Add a menu"), _text("Called the Read tool", synthetic=True)),
    _agent(
        2,
        {"type": "step-start"},
        {"type": "reasoning", "text": "A menu"},
        _text("Reading."),
        _tool(1, "read", "completed", output="def menu(): ..."),
        _tool(2, "edit", "error", error="File not found: menu.py"),
        _tool(3, "bash", "completed", output="2 failed", metadata={"exit": 1}),
        _tool(4, "bash", "completed", output="Error: is only printed", metadata={"exit": 0}),
        _tool(5, "task", "running"),
        _tool(6, "task", "pending", raw=""),
        {"type": "patch", "hash": "h", "files": ["menu.py"]},
        {"type": "snapshot", "snapshot": "s"},
        {"type": "step-finish", "tokens": _usage(None, 5, 5, 0, 0, 0), "cost": 0.01},
        cost=0.25,
        tokens=_usage(None, 10, 20, 5, 100, 7),
    ),
    _user(3, {"type": "file", "mime": "text/plain", "url": "file:///x"}, _text("Thanks")),
)

CASES: dict[str, Case] = {
    "conversation": Case(
        {"export.json": _document(_CONVERSATION)},
        {
            "opencode:ses_1": [
                f"{_ABOUT} {_START} end=2026-01-01T10:00:03",
                "msg_1 user turn: Add a menu",
                "msg_2 agent model-1 in 5 out 5 $0.25: (A menu) Reading."
                ' | read{"n": 1} #call_1 | edit{"n": 2} #call_2 | bash{"n": 3} #call_3'
                ' | bash{"n": 4} #call_4 | task{"n": 5} #call_5 | task{"n": 6} #call_6'
                " -> def menu(): ... #call_1 -> not_found! File not found: menu.py #call_2"
                " -> test_failure! 2 failed #call_3 -> Error: is only printed #call_4",
                "msg_3 user turn: Thanks",
            ]
        },
    ),
    "tokens": Case(
        {
            "export.json": _document(
                _export(
                    # With a total, the reasoning stands beside the output.
                    _agent(1, _text("a"), tokens=_usage(142, 10, 20, 5, 100, 7), cost=0),
                    # Without it, or where it does not add up so, within.
                    _agent(2, _text("b"), tokens=_usage(None, 10, 20, 5, 100, 7)),
                    _agent(3, _text("c"), tokens=_usage(137, 10, 20, 5, 100, 7)),
                    # But never where it is larger.
                    _agent(4, _text("d"), tokens=_usage(None, 10, 2, 5, 0, 0)),
                    # Several calls in one message: `info` tells of the last.
                    _agent(
                        5,
                        {"type": "step-finish", "tokens": _usage(None, 1, 2, 0, 3, 0)},
                        {"type": "step-finish", "tokens": _usage(None, 10, 20, 0, 30, 1)},
                        tokens=_usage(None, 10, 20, 0, 30, 1),
                    ),
                    _agent(6, _text("unknown"), tokens={}, cost="free"),
                )
            )
        },
        {
            "opencode:ses_1": [
                f"{_ABOUT} autonomous=True {_START} end=2026-01-01T10:00:06",
                "msg_1 agent model-1 in 117 (cached 100, written 7) out 25 (thought 5) $0: a",
                "msg_2 agent model-1 in 117 (cached 100, written 7) out 20 (thought 5): b",
                "msg_3 agent model-1 in 117 (cached 100, written 7) out 20 (thought 5): c",
                "msg_4 agent model-1 in 10 out 7 (thought 5): d",
                "msg_5 agent model-1 in 45 (cached 33, written 1) out 22:",
                "msg_6 agent model-1: unknown",
            ]
        },
    ),
    "interrupts-errors-and-retries": Case(
        {
            "export.json": _document(
                _export(
                    _user(1, _text("Go")),
                    _agent(
                        2,
                        _text("Half"),
                        _tool(1, "bash", "error", error="Tool execution aborted"),
                        error={"name": "MessageAbortedError", "data": {"message": "Aborted"}},
                    ),
                    _agent(3, error={"name": "MessageAbortedError", "data": {}}),
                    _agent(4, error={"name": "APIError", "data": {"message": "Overloaded"}}),
                    _agent(
                        5,
                        {
                            "id": "prt_r",
                            "type": "retry",
                            "attempt": 1,
                            "error": {"name": "APIError", "data": {"message": "Too many"}},
                            "time": {"created": _T + 4000},
                        },
                        _text("At last"),
                    ),
                )
            )
        },
        {
            "opencode:ses_1": [
                f"{_ABOUT} {_START} end=2026-01-01T10:00:05",
                "msg_1 user turn: Go",
                'msg_2 agent model-1: Half | bash{"n": 1} #call_1'
                " -> other! Tool execution aborted #call_1",
                "msg_2/error user interrupt: Aborted",
                "msg_3/error user interrupt:",
                "msg_4/error system api_error: Overloaded",
                "msg_5 agent model-1: At last",
                "msg_5/parts/0 system api_error: Too many",
            ]
        },
    ),
    "rejections": Case(
        {
            "export.json": _document(
                _export(
                    _agent(
                        1,
                        _tool(
                            1,
                            "bash",
                            "error",
                            error="The user rejected permission to use this specific tool call.",
                        ),
                        _tool(
                            2,
                            "edit",
                            "error",
                            error="The user rejected permission to use this specific tool call "
                            "with the following feedback: use spaces",
                        ),
                        _tool(3, "question", "error", error="The user dismissed this question"),
                    ),
                    _user(2, _text("Not so")),
                )
            )
        },
        {
            "opencode:ses_1": [
                f"{_ABOUT} {_START} end=2026-01-01T10:00:02",
                'msg_1 agent model-1: | bash{"n": 1} #call_1 | edit{"n": 2} #call_2'
                ' | question{"n": 3} #call_3'
                " -> rejected! The user rejected permission to use this specific tool call."
                " #call_1"
                " -> rejected! The user rejected permission to use this specific tool call"
                " with the following feedback: use spaces #call_2"
                " -> rejected! The user dismissed this question #call_3",
                "msg_1/rejections/0 user rejection:",
                "msg_1/rejections/1 user rejection: use spaces",
                "msg_1/rejections/2 user rejection:",
                "msg_2 user turn: Not so",
            ]
        },
    ),
    "compaction-synthetic-text-and-revert": Case(
        {
            "export.json": _document(
                _export(
                    _user(1, _text("Start")),
                    _user(2, {"type": "compaction", "auto": True}),
                    _agent(3, _text("So far: a menu"), summary=True),
                    _user(4, _text("Continue if you have next steps", synthetic=True)),
                    _user(5, _text("Only a note", ignored=True)),
                    _user(6, _text("<system-reminder>Plan mode</system-reminder>")),
                    _agent(7, _text("Before there were requests"), summary=True),
                    _user(8, {"type": "compaction"}, _text("and go on")),
                    revert={"messageID": "msg_6"},
                )
            )
        },
        {
            "opencode:ses_1": [
                f"{_ABOUT} {_START} end=2026-01-01T10:00:08",
                "msg_1 user turn: Start",
                "msg_2 system compaction:",
                "msg_3 system model-1: So far: a menu",
                "msg_4 user: Continue if you have next steps",
                "msg_5 user:",
                "msg_6 user: <system-reminder>Plan mode</system-reminder>",
                "msg_7 system compaction model-1: Before there were requests",
                "msg_8 user turn: and go on",
                "msg_8/compaction system compaction:",
                "#/info/revert user rollback:",
            ]
        },
    ),
    "a-subagent-is-given-its-task-by-the-agent": Case(
        {
            "child.json": _document(
                _export(_user(1, _text("Find it")), _agent(2, _text("Found")), parentID="ses_0")
            )
        },
        {
            "opencode:ses_1": [
                f"{_ABOUT} parent=opencode:ses_0 autonomous=True {_START} end=2026-01-01T10:00:02",
                "msg_1 user: Find it",
                "msg_2 agent model-1: Found",
            ]
        },
    ),
    "one-a-line": Case(
        {
            "all.jsonl": "".join(
                json.dumps(line) + "\n"
                for line in (
                    _export(_user(1, _text("One")), 7, {"info": {"role": "user"}}),
                    {"other": 1},
                    _export(_user(1, _text("Two"), id=None), id="ses_2"),
                    _export(id="ses_3"),
                )
            ).encode()
            + b'{"torn\n'
        },
        {
            "opencode:ses_1": [
                f"{_ABOUT} {_START} end=2026-01-01T10:00:01",
                "msg_1 user turn: One",
            ],
            "opencode:ses_2": [
                f"{_ABOUT} {_START} end=2026-01-01T10:00:01",
                "line:3#/messages/0 user turn: Two",
            ],
        },
        {
            "all.jsonl:line:1#/messages/1": "not a message with a role and parts",
            "all.jsonl:line:1#/messages/2": "not a message with a role and parts",
            "all.jsonl:line:2": "not an export of a session",
            "all.jsonl:line:5": "not valid JSON at character 2",
        },
    ),
    "wrong-types-and-repeated-ids": Case(
        {
            "odd.json": _document(
                _export(
                    _user(1, _text("Once")),
                    _user(1, _text("Once")),
                    _user(1, _text("Another under its id")),
                    _agent(
                        2,
                        _text(5),  # type: ignore[arg-type]
                        {"type": "tool", "state": 3},
                        {"type": "tool", "callID": 7, "tool": None, "state": {"status": []}},
                        {"type": "tool", "state": {"status": "completed", "output": [1]}},
                        {"type": ["x"]},
                        {"type": "step-finish", "tokens": "many"},
                        {"type": "retry", "error": None, "time": 1e300},
                        time="then",
                        error="bad",
                        tokens={"input": -4, "output": 1e300, "cache": []},
                        cost=1e400,
                    ),
                    {"info": {"role": "assistant"}, "parts": [None, 4]},
                    version=4,
                    directory=["x"],
                    time=None,
                )
            )
        },
        {
            "opencode:ses_1": [
                "agent=opencode start=2026-01-01T10:00:01 end=2026-01-01T10:00:01",
                "msg_1 user turn: Once",
                "#/messages/2 user turn: Another under its id",
                "msg_2 agent model-1 in 0 out 0: | {} #msg_2/tools/0 | {} #7 | {} #msg_2/tools/2"
                " ->  #msg_2/tools/2",
                "msg_2/parts/6 system api_error:",
                "#/messages/4 agent:",
            ]
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_files_give_their_sessions(name: str, tmp_path: Path) -> None:
    check_case(CASES[name], tmp_path)


def test_a_fork_shares_the_identity_of_what_it_copied(tmp_path: Path) -> None:
    """Copies get new ids and keep their times, texts and call ids."""
    copied = [
        {**m, "info": {**m["info"], "id": f"copy_{i}", "sessionID": "ses_2"}}
        for i, m in enumerate(_CONVERSATION["messages"])
    ]
    own = _user(9, _text("Add a menu"))
    (tmp_path / "a.json").write_bytes(_document(_CONVERSATION))
    (tmp_path / "b.json").write_bytes(_document(_export(*copied, own, id="ses_2")))
    (original,) = read_file(tmp_path / "a.json").sessions
    (fork,) = read_file(tmp_path / "b.json").sessions
    known = {step.content_id for step in original.steps}
    assert None not in known
    assert [step.content_id in known for step in fork.steps] == [True, True, True, False]
