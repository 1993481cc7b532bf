"""Pi's sessions, translated: trees of entries in the order in which they were written."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Session, person_turns
from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case

_T = 1_767_261_600_000
"""2026-01-01T10:00:00Z in milliseconds."""


def _time(number: int) -> str:
    return f"2026-01-01T10:00:{number:02}.000Z"


def _header(**more: Any) -> dict[str, Any]:
    told = {"type": "session", "version": 3, "id": "s1", "timestamp": _time(0)}
    return {**told, "cwd": "/home/ada/shop", **more}


def _entry(number: int, kind: Any, **more: Any) -> dict[str, Any]:
    """An entry that goes on from the one before it, or from the one that `parentId` names."""
    parent = f"e{number - 1}" if number > 1 else None
    told = {"type": kind, "id": f"e{number}", "parentId": parent, "timestamp": _time(number)}
    return {**told, **more}


def _message(number: int, role: Any, content: Any, parent: str = "", **more: Any) -> dict[str, Any]:
    message = {"role": role, "content": content, "timestamp": _T + number * 1000, **more}
    entry = _entry(number, "message", message=message)
    return {**entry, "parentId": parent} if parent else entry


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _agent(number: int, *blocks: Any, parent: str = "", **more: Any) -> dict[str, Any]:
    told = {"provider": "maker", "model": "model-1", "stopReason": "stop", **more}
    return _message(number, "assistant", list(blocks), parent, **told)


def _call(number: int, name: str) -> dict[str, Any]:
    return {"type": "toolCall", "id": f"call_{number}", "name": name, "arguments": {"n": number}}


def _result(number: int, call: int, text: str, is_error: bool = False, **more: Any) -> Any:
    told = {"toolCallId": f"call_{call}", "toolName": "bash", "isError": is_error, **more}
    return _message(number, "toolResult", [_text(text)], **told)


def _usage(*counts: int, cost: Any = None, **more: Any) -> dict[str, Any]:
    """`counts`: input, output, cache read, cache written."""
    keys = ("input", "output", "cacheRead", "cacheWrite")
    told = {**dict(zip(keys, counts, strict=True)), "totalTokens": sum(counts), **more}
    return told if cost is None else {**told, "cost": {"input": 0, "total": cost}}


def _lines(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


_ABOUT = "agent=pi project=/home/ada/shop"
_SPAN = "start=2026-01-01T10:00:00 end=2026-01-01T10:00:"

CASES: dict[str, Case] = {
    "conversation": Case(
        {
            "s1.jsonl": _lines(
                {"type": "title", "v": 1, "title": "Menu", "pad": "   "},
                _header(),
                _entry(1, "model_change", provider="maker", modelId="model-0"),
                _entry(2, "thinking_level_change", thinkingLevel="high"),
                _message(3, "user", [_text("Add a menu"), {"type": "image", "data": "aGk="}]),
                _agent(
                    4,
                    {"type": "thinking", "thinking": "A menu"},
                    _text("Looking."),
                    *(_call(n, "bash") for n in range(1, 5)),
                    stopReason="toolUse",
                    usage=_usage(10, 20, 100, 7, cost=0.25, reasoningTokens=5, cacheWrite1h=3),
                    responseId="resp_1",
                ),
                _entry(5, "custom", customType="tool_execution_start", data={"toolCallId": "1"}),
                _result(6, 1, "menu.py"),
                _result(7, 2, "2 failed\n\nCommand exited with code 1", is_error=True),
                _result(8, 3, "1 failed", details={"exitCode": 1}),
                _result(9, 4, "Error: is only printed", details={"exitCode": 0}),
                _agent(10, _text("There is a menu."), usage=_usage(1, 2, 0, 0, cost=0), model=None),
                _message(11, "user", "Thanks"),
            )
        },
        {
            "pi:s1": [
                f"{_ABOUT} {_SPAN}11",
                "e3 user turn: Add a menu\n[image]",
                "e4 agent model-1 in 117 (cached 100, written 7, hour 3) out 20 (thought 5) $0.25:"
                ' (A menu) Looking. | bash{"n": 1} #call_1 | bash{"n": 2} #call_2'
                ' | bash{"n": 3} #call_3 | bash{"n": 4} #call_4 -> menu.py #call_1'
                " -> test_failure! 2 failed\n\nCommand exited with code 1 #call_2"
                " -> test_failure! 1 failed #call_3 -> Error: is only printed #call_4",
                "e10 agent model-0 in 1 out 2 $0: There is a menu.",
                "e11 user turn: Thanks",
            ]
        },
    ),
    "branches": Case(
        {
            "s1.jsonl": _lines(
                _header(),
                _message(1, "user", "Add a menu"),
                _agent(2, _text("Done.")),
                _message(3, "user", "Now a kiosk"),
                _agent(4, _text("Done as well.")),
                # Back to the first answer, and on from there.
                _message(5, "user", "Now a shop", parent="e2"),
                _agent(6, _text("A shop.")),
                # Back with a summary of what was left.
                _entry(7, "branch_summary", parentId="e2", fromId="e6", summary="Tried a shop"),
                _message(8, "user", "Now a stall"),
                # Back to before the beginning.
                _entry(9, "message", parentId=None, message={"role": "user", "content": "Anew"}),
                # A label and a parent that is not there are nobody's going back.
                _entry(10, "label", targetId="e2", label="here"),
                _message(11, "user", "On", parent="e99"),
                # Nor is an entry that nothing is made of; the next one is told as usual.
                _entry(12, "label", parentId="e2", targetId="e2"),
                _message(13, "user", "Over"),
            )
        },
        {
            "pi:s1": [
                f"{_ABOUT} {_SPAN}13",
                "e1 user turn: Add a menu",
                "e2 agent model-1: Done.",
                "e3 user turn: Now a kiosk",
                "e4 agent model-1: Done as well.",
                "e5/branch user branch_change:",
                "e5 user turn: Now a shop",
                "e6 agent model-1: A shop.",
                "e7 system branch_change: Tried a shop",
                "e8 user turn: Now a stall",
                "e9/branch user branch_change:",
                "e9 user turn: Anew",
                "e11 user turn: On",
                "e12/branch user branch_change:",
                "e13 user turn: Over",
            ]
        },
    ),
    "interrupts-errors-and-rejections": Case(
        {
            "s1.jsonl": _lines(
                _header(),
                _agent(
                    1,
                    _text("Half"),
                    stopReason="aborted",
                    errorMessage="Request was aborted",
                    usage=_usage(0, 0, 0, 0, cost=0),
                ),
                _agent(2, stopReason="aborted"),
                _agent(3, stopReason="error", errorMessage="Overloaded"),
                _agent(4, stopReason="error", usage=_usage(5, 0, 0, 0, cost=0.5)),
                _agent(5, _call(1, "bash"), _call(2, "bash")),
                _result(6, 1, "User rejected the call: the user said: use uv", is_error=True),
                _result(7, 2, "User rejected, says the manual"),
                _entry(8, "compaction", summary="So far", firstKeptEntryId="e5", tokensBefore=9),
            )
        },
        {
            "pi:s1": [
                f"{_ABOUT} autonomous=True {_SPAN}08",
                "e1 agent model-1: Half",
                "e1/aborted user interrupt: Request was aborted",
                "e2/aborted user interrupt:",
                "e3/error system api_error: Overloaded",
                "e4 agent model-1 in 5 out 0 $0.5:",
                "e4/error system api_error:",
                'e5 agent model-1: | bash{"n": 1} #call_1 | bash{"n": 2} #call_2'
                " -> rejected! User rejected the call: the user said: use uv #call_1"
                " -> User rejected, says the manual #call_2",
                "e6 user rejection: use uv",
                "e8 system compaction: So far",
            ]
        },
    ),
    "what-is-not-the-persons": Case(
        {
            "s1.jsonl": _lines(
                _header(),
                _message(1, "user", "Typed", attribution="user"),
                _message(2, "user", "From an agent", attribution="agent"),
                _message(3, "user", "By the program", synthetic=True),
                _message(4, "user", '<skill name="pdf" location="/s">How to</skill>\n\nRead it'),
                _message(5, "user", '<skill name="pdf" location="/s">How to</skill>'),
                _message(6, "developer", [_text("A reminder")]),
                _message(7, "custom", "From an extension", customType="x"),
                _message(8, "hookMessage", "From a hook"),
                _entry(9, "custom_message", customType="irc", content="From a neighbour"),
                _message(10, "bashExecution", None, command="ls", output="menu.py", exitCode=0),
                _message(11, "pythonExecution", None, code="1 + 1", output=""),
                _message(12, "branchSummary", None, summary="Left behind"),
                _message(13, "compactionSummary", None, summary="So far"),
                _message(14, "a new role", "?"),
                _entry(15, "a_new_kind", content="?"),
                _entry(
                    16,
                    "model_usage",
                    purpose="title",
                    model="small",
                    usage=_usage(4, 1, 0, 0, cost=0.01),
                ),
            )
        },
        {
            "pi:s1": [
                f"{_ABOUT} {_SPAN}16",
                "e1 user turn: Typed",
                "e2 user: From an agent",
                "e3 user: By the program",
                "e4 user turn: Read it",
                'e5 user: <skill name="pdf" location="/s">How to</skill>',
                "e6 system: A reminder",
                "e7 system: From an extension",
                "e8 system: From a hook",
                "e9 system: From a neighbour",
                "e10 system: ls\nmenu.py",
                "e11 system: 1 + 1",
                "e12 system branch_change: Left behind",
                "e13 system compaction: So far",
                "e16 system small in 4 out 1 $0.01:",
            ]
        },
    ),
    "a-subagents": Case(
        {
            "s1.jsonl": _lines(
                _header(),
                _entry(1, "model_change", model="maker/model-2"),
                _entry(2, "session_init", systemPrompt=["Be brief.", "Be kind."], task="Find it"),
                _message(3, "user", "Find it"),
                _agent(4, _text("Here."), model=""),
            )
        },
        {
            "pi:s1": [
                f"{_ABOUT} autonomous=True {_SPAN}04",
                "e2 system: Be brief.\nBe kind.",
                "e3 user: Find it",
                "e4 agent model-2: Here.",
            ]
        },
    ),
    "forks": Case(
        {
            "a.jsonl": _lines(
                _header(id="s2", parentSession="/home/ada/.pi/2026-01-01T10-00-00-000Z_s1.jsonl"),
                _message(1, "user", "Add a menu"),
            ),
            "b.jsonl": _lines(_header(id="s3", parentSession="s1"), _message(1, "user", "Hello")),
            "c.jsonl": _lines(_header(id="s4", parentSession=4), _message(1, "user", "Hello")),
        },
        {
            "pi:s2": [f"{_ABOUT} parent=pi:s1 {_SPAN}01", "e1 user turn: Add a menu"],
            "pi:s3": [f"{_ABOUT} parent=pi:s1 {_SPAN}01", "e1 user turn: Hello"],
            "pi:s4": [f"{_ABOUT} {_SPAN}01", "e1 user turn: Hello"],
        },
    ),
    "first-version-without-ids": Case(
        {
            "s1.jsonl": _lines(
                {**_header(), "version": None, "provider": "maker", "modelId": "model-1"},
                {
                    "type": "message",
                    "timestamp": _time(1),
                    "message": {"role": "user", "content": "Hi"},
                },
                {
                    "type": "message",
                    "message": {
                        "role": "assistant",
                        "content": [_text("Hello")],
                        "timestamp": _T + 2000,
                    },
                },
                {"type": "compaction", "timestamp": _time(3), "summary": "A greeting"},
            )
        },
        {
            "pi:s1": [
                f"{_ABOUT} {_SPAN}03",
                "line:2 user turn: Hi",
                "line:3 agent: Hello",
                "line:4 system compaction: A greeting",
            ]
        },
    ),
    "odd-lines-and-wrong-types": Case(
        {
            "s1.jsonl": b'{"broken": \n'
            + _lines(
                [],
                {},
                {"type": ["message"]},
                _entry(1, "message", message="text"),
                _message(2, 5, "no role"),
                _message(3, "user", {"text": "no list"}),
                _message(4, "user", "Twice"),
                _message(4, "user", "Twice"),
                _message(4, "user", "Same id"),
                _agent(5, "text", 7, {"type": "toolCall"}, {"type": "thinking", "thinking": 1}),
                _agent(6, usage={"input": "many", "cost": 5}, stopReason=["error"], model=[]),
                _agent(7, _text("a"), usage=_usage(1, 1, 0, 0, cost="free")),
                _agent(8, _text("b"), usage=_usage(1, 1, 0, 0, cost=1e300)),
                _message(9, "toolResult", None, toolCallId=None, isError="yes", details=[]),
                {"type": "message", "id": [], "parentId": {}, "message": {"role": "user"}},
                _entry(10, "compaction", summary=None),
                _header(cwd=["/"], id="s1", timestamp="soon", parentSession=""),
                _header(id="s2"),
            )
        },
        {
            "pi:s1": [
                "agent=pi start=2026-01-01T10:00:03 end=2026-01-01T10:00:10",
                "e3 user:",
                "e4 user turn: Twice",
                "line:10/branch user branch_change:",
                "line:10 user turn: Same id",
                "e5 agent model-1: text | {} # ->  #None",
                "e6 agent:",
                "e7 agent model-1 in 1 out 1: a",
                "e8 agent model-1 in 1 out 1: b",
                "line:16 user:",
                "e10 system compaction:",
            ]
        },
        {
            "s1.jsonl:line:1": "not valid JSON at character 11",
            "s1.jsonl:line:2": "not a JSON object",
            "s1.jsonl:line:3": "not an entry with a type",
            "s1.jsonl:line:4": "not an entry with a type",
            "s1.jsonl:line:5": "a message without a role",
            "s1.jsonl:line:6": "a message without a role",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_log_gives_its_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_an_entry_in_two_sessions_is_a_copy_and_its_double_is_none(tmp_path: Path) -> None:
    first = _message(1, "user", "Add a menu")
    later = {**first, "timestamp": _time(9)}
    for name, entry in (("s1", first), ("s2", first), ("s3", later)):
        (tmp_path / f"{name}.jsonl").write_bytes(_lines(_header(id=name), entry))
    own, fork, other = (
        session.steps[0].content_id
        for path in sorted(tmp_path.iterdir())
        for session in read_file(path).sessions
    )
    assert own is not None
    assert (own == fork, own == other) == (True, False)


@pytest.mark.shared
def test_real_files_agree_with_a_plain_count(shared_dir: Path) -> None:
    files = sorted((shared_dir / "logs" / "pi").rglob("*.jsonl"))
    differing = {
        path.name: (_figures(session), _plain(path))
        for path in files
        for session in read_file(path).sessions
        if _figures(session) != _plain(path)
    }
    assert (len(files), differing) == (9, {})


def _figures(session: Session) -> dict[str, float]:
    tokens = [step.tokens for step in session.steps if step.tokens]
    results = [seen for step in session.steps for seen in step.observations]
    return {
        "turns": len(person_turns(session)),
        "calls": sum(len(step.tool_calls) for step in session.steps),
        "results": len(results),
        "errors": sum(seen.is_error for seen in results),
        "tokens": sum(t.input + t.output for t in tokens),
        "cached": sum(t.cached for t in tokens),
        "cost": round(sum(step.cost_usd or 0 for step in session.steps), 9),
    }


def _plain(path: Path) -> dict[str, float]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    messages = [record["message"] for record in records if record["type"] == "message"]
    results = [m for m in messages if m["role"] == "toolResult"]
    usages = [m["usage"] for m in messages if "usage" in m]
    blocks = [block for m in messages for block in m["content"]]
    return {
        "turns": sum(m["role"] == "user" and m["attribution"] == "user" for m in messages),
        "calls": sum(block["type"] == "toolCall" for block in blocks),
        "results": len(results),
        "errors": sum(m["isError"] for m in results),
        "tokens": sum(usage["totalTokens"] for usage in usages),
        "cached": sum(usage["cacheRead"] for usage in usages),
        "cost": round(sum(usage["cost"]["total"] for usage in usages), 9),
    }
