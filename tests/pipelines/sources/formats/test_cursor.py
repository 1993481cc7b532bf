"""Cursor transcripts, translated: built from public descriptions of the files."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.sources.format_table import Case, check_case

_ID = "5f0c7a52-9a0e-4a38-8d44-0f3f5d2f7c11"
_CHILD = "0b9c1c8e-31f5-4b65-a7e1-6d1a3a0f9e02"


def _lines(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def _user(*texts: str) -> dict[str, Any]:
    blocks = [{"type": "text", "text": text} for text in texts]
    return {"role": "user", "message": {"content": blocks}}


def _agent(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "message": {"content": list(blocks), **more}}


def _say(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _use(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": name, "input": arguments, **more}


_SUCCESS = {"type": "turn_ended", "status": "success"}
_ABOUT = "agent=cursor"

CASES: dict[str, Case] = {
    "turns-calls-and-times": Case(
        {
            f"{_ID}.jsonl": _lines(
                _user(
                    "<timestamp>Friday, Jan 2, 2026, 1:05 PM (UTC-4)</timestamp>\n"
                    "<user_query>\nAdd a menu\n</user_query>"
                ),
                _agent(_say("Looking."), _use("Read", {"path": "menu.py"})),
                _agent(_use("ApplyPatch", "*** Begin")),
                _agent(_say("Done. [REDACTED]"), _SUCCESS),
                _user(
                    "<timestamp>Friday, Jan 2, 2026, 12:30 AM (UTC+5:30)</timestamp>",
                    "<open_files>menu.py</open_files>",
                    "<user_query>Now test it</user_query>",
                ),
                _agent(_say("It passes.")),
                _SUCCESS,
            )
        },
        {
            f"cursor:{_ID}": [
                f"{_ABOUT} start=2026-01-01T19:00:00 end=2026-01-02T17:05:00",
                "line:1 user turn: Add a menu",
                'line:2 agent: Looking. | Read{"path": "menu.py"} #line:2#/message/content/1',
                'line:3 agent: | ApplyPatch{"input": "*** Begin"} #line:3#/message/content/0',
                "line:4 agent: Done.",
                "line:5 user turn: Now test it",
                "line:6 agent: It passes.",
            ]
        },
    ),
    "machine-text-is-no-turn": Case(
        {
            f"{_ID}.jsonl": _lines(
                _user("<user_query>Hello</user_query>"),
                _user("<system_reminder>Be brief</system_reminder>"),
                _user("Your last answer was cut off"),
                _user("<user_query></user_query>"),
                _user("<user_query>unclosed"),
            )
        },
        {
            f"cursor:{_ID}": [
                f"{_ABOUT}",
                "line:1 user turn: Hello",
                "line:2 user: <system_reminder>Be brief</system_reminder>",
                "line:3 user: Your last answer was cut off",
                "line:4 user: <user_query></user_query>",
                "line:5 user turn: unclosed",
            ]
        },
    ),
    "older-files-have-no-frames": Case(
        {
            f"{_ID}.jsonl": _lines(
                {"role": "user", "message": {"content": "Bare words"}},
                {"role": "assistant", "message": {"content": "Bare answer"}},
                {"role": "user", "message": {"content": "<rules>Short</rules>"}},
            )
        },
        {
            f"cursor:{_ID}": [
                f"{_ABOUT}",
                "line:1 user turn: Bare words",
                "line:2 agent: Bare answer",
                "line:3 user: <rules>Short</rules>",
            ]
        },
    ),
    "ends-of-turns": Case(
        {
            f"{_ID}.jsonl": _lines(
                _user("<user_query>Go</user_query>"),
                {"type": "turn_ended", "status": "error", "error": "User aborted request"},
                {"type": "turn_ended", "status": "cancelled"},
                {"type": "turn_ended", "status": "error", "error": {"message": "Overloaded"}},
                {"type": "turn_ended", "status": "error"},
                _agent(_say("Half"), {"type": "turn_ended", "status": "aborted"}),
                {"type": "something_new", "status": "error"},
            )
        },
        {
            f"cursor:{_ID}": [
                f"{_ABOUT}",
                "line:1 user turn: Go",
                "line:2 user interrupt: User aborted request",
                "line:3 user interrupt:",
                "line:4 system api_error: Overloaded",
                "line:5 system api_error:",
                "line:6 agent: Half",
                "line:6#/message/content/1 user interrupt:",
            ]
        },
    ),
    "what-newer-versions-may-write": Case(
        {
            f"{_ID}.jsonl": _lines(
                _user("<user_query>Go</user_query>"),
                _agent(
                    {"type": "thinking", "thinking": "Hm"},
                    _use("Shell", {"command": "ls"}, id="c1"),
                    _use("Shell", {"command": "cat x"}, id="c2"),
                    model="model-1",
                ),
                {
                    "role": "user",
                    "message": {
                        "content": [
                            {"type": "tool_result", "tool_use_id": "c1", "content": "a.py"},
                            {
                                "type": "tool_result",
                                "tool_use_id": "c2",
                                "content": [_say("No such file")],
                                "is_error": True,
                            },
                            {"type": "tool_result", "content": "Error: lost"},
                        ]
                    },
                },
            )
        },
        {
            f"cursor:{_ID}": [
                f"{_ABOUT}",
                "line:1 user turn: Go",
                'line:2 agent model-1: (Hm) | Shell{"command": "ls"} #c1'
                ' | Shell{"command": "cat x"} #c2 -> a.py #c1 -> not_found! No such file #c2',
                "line:3 system: -> other! Error: lost #None",
            ]
        },
    ),
    "a-subagent-is-given-its-task-by-the-agent": Case(
        {
            f"{_ID}/subagents/{_CHILD}.jsonl": _lines(
                _user("<user_query>Find the callers</user_query>"), _agent(_say("Two."))
            )
        },
        {
            f"cursor:{_CHILD}": [
                f"{_ABOUT} parent=cursor:{_ID} autonomous=True",
                "line:1 user: Find the callers",
                "line:2 agent: Two.",
            ]
        },
    ),
    "a-name-that-is-no-id": Case(
        {"chat.jsonl": _lines(_user("<user_query>Hi</user_query>"))},
        {
            "cursor:{folder}/chat.jsonl#0": [
                f"{_ABOUT}",
                "line:1 user turn: Hi",
            ]
        },
    ),
    "broken-and-odd": Case(
        {
            f"{_ID}.jsonl": b'{"role": "us\n'
            + _lines(
                7,
                None,
                {},
                {"role": "user", "message": None},
                {"role": "user", "message": {"content": 4}},
                {"role": "robot", "message": {"content": "x"}},
                {"role": ["user"], "message": {"content": []}},
                {"role": "assistant", "message": {"content": [3, None, _use(5, 6)]}},  # type: ignore[arg-type]
                {"type": "turn_ended", "status": 9, "error": 4},
                _user("<timestamp>Monday, Foo 99, 2026, 1:00 PM (UTC)</timestamp>"),
                _user("<timestamp>Monday, Feb 31, 2026, 1:00 PM</timestamp>"),
                _user("<user_query>Still here</user_query>"),
            )
        },
        {
            f"cursor:{_ID}": [
                f"{_ABOUT}",
                'line:9 agent: | {"input": 6} #line:9#/message/content/0',
                "line:11 user: <timestamp>Monday, Foo 99, 2026, 1:00 PM (UTC)</timestamp>",
                "line:12 user: <timestamp>Monday, Feb 31, 2026, 1:00 PM</timestamp>",
                "line:13 user turn: Still here",
            ]
        },
        {
            f"{_ID}.jsonl:line:1": "not valid JSON at character 10",
            **{
                f"{_ID}.jsonl:line:{line}": "neither a message nor the end of a turn"
                for line in range(2, 9)
            },
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_files_give_their_sessions(name: str, tmp_path: Path) -> None:
    check_case(CASES[name], tmp_path)
