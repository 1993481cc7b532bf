"""Gemini CLI's chats, translated: the document and the records that are replayed."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Session, person_turns
from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case

_META = {
    "sessionId": "s1",
    "projectHash": "shop-hash",
    "startTime": "2026-01-01T10:00:00.000Z",
    "lastUpdated": "2026-01-01T10:00:09.000Z",
}


def _said(number: int, kind: Any, content: Any, **more: Any) -> dict[str, Any]:
    time = f"2026-01-01T10:00:{number:02}.000Z"
    return {"id": f"m{number}", "timestamp": time, "type": kind, "content": content, **more}


def _call(number: int, name: str, status: str, response: Any = None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"id": f"call_{number}", "name": name, "status": status}
    told["args"] = {"n": number}
    if response is not None:
        part = {"functionResponse": {"id": f"call_{number}", "name": name, "response": response}}
        told["result"] = [part]
    return {**told, **more}


def _tokens(*counts: int) -> dict[str, int]:
    """`counts`: input, output, cached, thoughts, tool."""
    keys = ("input", "output", "cached", "thoughts", "tool")
    return {**dict(zip(keys, counts, strict=True)), "total": sum(counts) - counts[2]}


def _document(*messages: Any, **more: Any) -> bytes:
    return json.dumps({**_META, "messages": list(messages), **more}, indent=2).encode()


def _lines(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


_ABOUT = "agent=gemini-cli project=shop-hash"
_SPAN = "start=2026-01-01T10:00:00 end=2026-01-01T10:00:"

CASES: dict[str, Case] = {
    "conversation": Case(
        {
            "session-1.json": _document(
                _said(1, "user", "Add a menu"),
                _said(
                    2,
                    "gemini",
                    "Looking.",
                    thoughts=[
                        {"subject": "Menu", "description": "A list"},
                        {"description": "Only that"},
                        {"subject": 4},
                    ],
                    toolCalls=[
                        _call(1, "read_file", "success", {"output": "def menu(): ..."}),
                        _call(2, "replace", "error", {"error": "File not found: menu.py"}),
                        _call(3, "run_shell_command", "success", {"output": "Exit Code: 0"}),
                        _call(
                            4,
                            "run_shell_command",
                            "success",
                            {"output": "Output: 2 failed\nExit Code: 1\nSignal: 0"},
                        ),
                        _call(5, "read_file", "success", {"output": "Exit Code: 1"}),
                        _call(6, "web_fetch", "success", {"pages": [1]}),
                        _call(7, "glob", "executing"),
                        _call(8, "glob", "success", resultDisplay="No files"),
                        _call(9, "glob", "success", result="as a text"),
                        _call(10, "list", "success", result=[{"text": "a.py"}, {"text": "b.py"}]),
                        {"name": "glob", "args": {}, "status": "success"},
                    ],
                    tokens=_tokens(100, 20, 80, 5, 3),
                    model="model-1",
                ),
                _said(3, "gemini", "There is a menu.", tokens=_tokens(0, 0, 0, 0, 0)),
                _said(4, "user", [{"text": "Thanks"}, {"inlineData": {"data": "aGk="}}]),
            )
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} {_SPAN}04",
                "m1 user turn: Add a menu",
                "m2 agent model-1 in 103 (cached 80) out 25 (thought 5):"
                " (Menu: A list\nOnly that) Looking."
                ' | read_file{"n": 1} #call_1 | replace{"n": 2} #call_2'
                ' | run_shell_command{"n": 3} #call_3 | run_shell_command{"n": 4} #call_4'
                ' | read_file{"n": 5} #call_5 | web_fetch{"n": 6} #call_6 | glob{"n": 7} #call_7'
                ' | glob{"n": 8} #call_8 | glob{"n": 9} #call_9 | list{"n": 10} #call_10'
                " | glob{} #m2/toolCalls/10"
                " -> def menu(): ... #call_1 -> not_found! File not found: menu.py #call_2"
                " -> Exit Code: 0 #call_3"
                " -> test_failure! Output: 2 failed\nExit Code: 1\nSignal: 0 #call_4"
                ' -> Exit Code: 1 #call_5 -> {"pages":[1]} #call_6 -> No files #call_8'
                " -> as a text #call_9 -> a.py\nb.py #call_10 ->  #m2/toolCalls/10",
                "m3 agent: There is a menu.",
                "m4 user turn: Thanks",
            ]
        },
    ),
    "notices-and-the-programs-words": Case(
        {
            "session-1.json": _document(
                _said(1, "info", "An update is available"),
                _said(2, "warning", "A hook failed"),
                _said(3, "error", "[API Error: quota exceeded]"),
                _said(4, "user", "System: Please continue."),
                _said(5, "info", "Request cancelled."),
                _said(6, "info", "The chat was compressed from: 900 to 90 tokens."),
                _said(7, "user", "<state_snapshot>So far</state_snapshot>"),
                _said(8, "user", "Read @a.py\n--- Content from referenced files ---\nimport os"),
                _said(
                    9,
                    "user",
                    [{"text": "Read @b.py"}, {"text": "\n--- Content of b.py ---"}],
                    displayContent="Read @b.py",
                ),
                _said(10, "user", [{"functionResponse": {"name": "glob", "response": {}}}]),
            )
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} {_SPAN}10",
                "m1 system: An update is available",
                "m2 system: A hook failed",
                "m3 system api_error: [API Error: quota exceeded]",
                "m4 user: System: Please continue.",
                "m5 user interrupt: Request cancelled.",
                "m6 system compaction: The chat was compressed from: 900 to 90 tokens.",
                "m7 system compaction: <state_snapshot>So far</state_snapshot>",
                "m8 user turn: Read @a.py",
                "m9 user turn: Read @b.py",
                "m10 user:",
            ]
        },
    ),
    "rejections": Case(
        {
            "session-1.json": _document(
                _said(
                    1,
                    "gemini",
                    "",
                    toolCalls=[
                        _call(
                            1,
                            "replace",
                            "cancelled",
                            {"error": "[Operation Cancelled] Reason: User denied execution."},
                        ),
                        _call(
                            2,
                            "replace",
                            "cancelled",
                            {"error": "[Operation Cancelled] Reason: User did not allow tool call"},
                        ),
                        _call(
                            3,
                            "replace",
                            "cancelled",
                            {"error": "[Operation Cancelled] Reason: The operation was stopped"},
                        ),
                    ],
                )
            )
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} autonomous=True {_SPAN}01",
                'm1 agent: | replace{"n": 1} #call_1 | replace{"n": 2} #call_2'
                ' | replace{"n": 3} #call_3'
                " -> rejected! [Operation Cancelled] Reason: User denied execution. #call_1"
                " -> rejected! [Operation Cancelled] Reason: User did not allow tool call #call_2"
                " -> other! [Operation Cancelled] Reason: The operation was stopped #call_3",
                "m1/rejection/0 user rejection:",
                "m1/rejection/1 user rejection:",
            ]
        },
    ),
    "records": Case(
        {
            "session-1.jsonl": _lines(
                _META,
                _said(1, "user", "Add a menu"),
                {"$set": {"lastUpdated": "2026-01-01T10:00:01.000Z"}},
                # Written again when its call is known, and when it has ended.
                _said(2, "gemini", "Looking.", model="model-1"),
                _said(2, "gemini", "Looking.", toolCalls=[_call(1, "glob", "executing")]),
                _said(3, "info", "An update is available"),
                _said(
                    2,
                    "gemini",
                    "Looking.",
                    toolCalls=[_call(1, "glob", "success", {"output": "menu.py"})],
                    tokens=_tokens(10, 2, 0, 0, 0),
                    model="model-1",
                ),
                {"$set": {"sessionId": "s2", "summary": "A menu", "messages": 4}},
                {"$unknown": {"id": "m9", "type": "user", "content": "no message"}},
            )
        },
        {
            "gemini_cli:s2": [
                f"{_ABOUT} {_SPAN}03",
                "m1 user turn: Add a menu",
                'm2 agent model-1 in 10 out 2: Looking. | glob{"n": 1} #call_1 -> menu.py #call_1',
                "m3 system: An update is available",
            ]
        },
    ),
    "rewound": Case(
        {
            "session-1.jsonl": _lines(
                _META,
                _said(1, "user", "Add a menu"),
                _said(2, "gemini", "Done.", tokens=_tokens(10, 2, 0, 0, 0)),
                _said(3, "user", "Now a kiosk"),
                _said(4, "gemini", "Done as well."),
                {"$rewindTo": "m3"},
                _said(5, "user", "Now a shop"),
                # Undone again, with a message that is no longer there: everything is.
                {"$rewindTo": "m4"},
                _said(5, "user", "Now a shop at last"),
            )
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} {_SPAN}05",
                "m1 user turn: Add a menu",
                "m2 agent in 10 out 2: Done.",
                "m3 user turn: Now a kiosk",
                "m4 agent: Done as well.",
                "line:6 user rollback: 1 turns rolled back",
                "m5 user turn: Now a shop",
                "line:8 user rollback: 2 turns rolled back",
                "line:9 user turn: Now a shop at last",
            ]
        },
    ),
    "rewritten": Case(
        {
            "session-1.jsonl": _lines(
                _META,
                _said(1, "user", "Add a menu"),
                _said(
                    2,
                    "gemini",
                    "Done.",
                    toolCalls=[_call(1, "glob", "success", {"output": "menu.py"})],
                ),
                # Masked: the message keeps what it said; what the tool gave is no new message.
                {
                    "$set": {
                        "messages": [
                            _said(1, "user", "Add a menu"),
                            _said(
                                2,
                                "gemini",
                                "Done.",
                                toolCalls=[_call(1, "glob", "success", {"output": "masked"})],
                            ),
                            _said(3, "user", [{"functionResponse": {"id": "call_1"}}]),
                        ]
                    }
                },
                _said(4, "user", "Now a kiosk"),
                # Compressed: the program writes a summary and an answer to it.
                {
                    "$set": {
                        "messages": [
                            _said(5, "user", [{"text": "Summary: a menu"}]),
                            _said(6, "gemini", [{"text": "Got it."}]),
                            _said(4, "user", "Now a kiosk"),
                        ]
                    }
                },
                _said(7, "gemini", "Done as well."),
                # Only cut off.
                {"$set": {"messages": [_said(7, "gemini", "Done as well."), 3, {"id": 1}]}},
            )
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} {_SPAN}07",
                "m1 user turn: Add a menu",
                'm2 agent: Done. | glob{"n": 1} #call_1 -> menu.py #call_1',
                "m4 user turn: Now a kiosk",
                "line:6 system compaction: Summary: a menu",
                "m6 system: Got it.",
                "m7 agent: Done as well.",
                "line:8 system compaction:",
            ]
        },
    ),
    "a-subagents": Case(
        {
            "chats/s0/s1.jsonl": _lines(
                {**_META, "kind": "subagent", "directories": ["/home/ada/shop"]},
                _said(1, "user", "Find the menu"),
                _said(2, "gemini", "Here."),
            )
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} parent=gemini_cli:s0 autonomous=True {_SPAN}02",
                "m1 user: Find the menu",
                "m2 agent: Here.",
            ]
        },
    ),
    "odd-lines": Case(
        {
            "session-1.jsonl": b'{"broken": \n'
            + _lines(
                [],
                {},
                {"type": 4},
                {"type": "user"},
                {"type": "a_new_kind", "content": "?"},
                {"id": 7, "type": "user", "content": "A number for an id"},
                _said(1, "gemini", "Hello", toolCalls=[3], thoughts="none", tokens=[], model={}),
                _said(2, "gemini", "", toolCalls=[{"name": 3, "args": "text", "result": {"a": 1}}]),
                {"$set": 4, "$rewindTo": 5},
                {"$rewindTo": "nothing is left"},
            )
            + json.dumps({**_META, "messages": [_said(3, "user", "A whole chat")]}).encode(),
        },
        {
            "gemini_cli:s1": [
                f"{_ABOUT} {_SPAN}03",
                "7 user turn: A number for an id",
                "m1 agent: Hello",
                'm2 agent: | {"input": "text"} #m2/toolCalls/0 ->  #m2/toolCalls/0',
                "line:11 user rollback: 1 turns rolled back",
                "m3 user turn: A whole chat",
            ]
        },
        {
            "session-1.jsonl:line:1": "not valid JSON at character 11",
            "session-1.jsonl:line:2": "not a JSON object",
            "session-1.jsonl:line:3": "not a message with a type",
            "session-1.jsonl:line:4": "not a message with a type",
            "session-1.jsonl:line:5": "a message without content",
        },
    ),
    "odd-documents": Case(
        {
            "session-1.json": _document(
                "text",
                {"type": "user", "content": "No id"},
                _said(1, "user", "Twice"),
                _said(1, "user", "Twice"),
                {"type": "gemini", "content": None},
                startTime="soon",
                projectHash=3,
                kind=["subagent"],
            ),
            "session-2.json": _document(sessionId="s2"),
        },
        {
            "gemini_cli:s1": [
                "agent=gemini-cli start=2026-01-01T10:00:01 end=2026-01-01T10:00:01",
                "#/messages/1 user turn: No id",
                "m1 user turn: Twice",
            ]
        },
        {
            "session-1.json:#/messages/0": "not a message with a type",
            "session-1.json:#/messages/4": "a message without content",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_log_gives_its_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_a_message_in_two_files_is_a_copy(tmp_path: Path) -> None:
    own = "0c3f9a52-6e21-4d0c-9a55-1f2e3d4c5b6a"
    shared = {**_said(1, "user", "Add a menu"), "id": own}
    (tmp_path / "session-1.json").write_bytes(_document(shared, _said(2, "gemini", "Done.")))
    (tmp_path / "session-1.jsonl").write_bytes(_lines(_META, shared, _said(2, "gemini", "Done.")))
    ids = [
        [step.content_id for step in session.steps]
        for path in sorted(tmp_path.iterdir())
        for session in read_file(path).sessions
    ]
    assert ids == [[own, None], [own, None]]


@pytest.mark.shared
def test_real_files_agree_with_a_plain_count(shared_dir: Path) -> None:
    folder = shared_dir / "logs" / "gemini_cli"
    files = [path for path in folder.rglob("*.json") if "entire-meta" not in path.name]
    differing = {
        path.name: (_figures(session), _plain(path))
        for path in files
        for session in read_file(path).sessions
        if _figures(session) != _plain(path)
    }
    assert (len(files), differing) == (8, {})


def _figures(session: Session) -> dict[str, int]:
    tokens = [step.tokens for step in session.steps if step.tokens]
    return {
        "messages": len(session.steps),
        "turns": len(person_turns(session)),
        "calls": sum(len(step.tool_calls) for step in session.steps),
        "errors": sum(seen.is_error for step in session.steps for seen in step.observations),
        "api errors": sum(step.event == "api_error" for step in session.steps),
        "tokens": sum(t.input + t.output for t in tokens),
        "cached": sum(t.cached for t in tokens),
    }


def _plain(path: Path) -> dict[str, int]:
    messages = json.loads(path.read_text())["messages"]
    users = [m for m in messages if m["type"] == "user"]
    calls = [call for m in messages for call in m.get("toolCalls", ())]
    tokens = [m["tokens"] for m in messages if m.get("tokens")]
    return {
        "messages": len(messages),
        "turns": sum(not m["content"].startswith("System: ") for m in users),
        "calls": len(calls),
        "errors": sum(call["status"] != "success" for call in calls),
        "api errors": sum(m["type"] == "error" for m in messages),
        "tokens": sum(t["total"] for t in tokens),
        "cached": sum(t["cached"] for t in tokens),
    }
