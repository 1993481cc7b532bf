"""Claude Code's lines, translated."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from tests.pipelines.sources.format_table import Case, check_case
from tests.pipelines.sources.log_lines import (
    answer,
    claude,
    outline,
    read_lines,
    result,
    say,
    use,
)

_REJECTED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it "
    "was a file edit, the new_string was NOT written to the file)."
)
_U = [f"6e0c5a1b-3c0f-4d51-9d8e-0000000000{number:02}" for number in range(20)]
_TIME = "2026-01-01T10:00:00.000Z"
_COMPACTED = {"isCompactSummary": True, "isVisibleInTranscriptOnly": True}


def _one(tmp_path: Path, *lines: dict[str, Any]) -> Session:
    (session,) = read_lines(tmp_path / "x.jsonl", *lines)
    return session


def _lines(*lines: Any) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


_SIDE = {"isSidechain": True, "agentId": "ab12"}
_QUEUE = {"type": "queue-operation", "sessionId": "s1", "timestamp": "2026-01-01T10:00:05.000Z"}

_ABOUT = "agent=claude-code version=2.1.0 project=/home/ada/shop"
_DAY = "start=2026-01-01T10:00:00 end=2026-01-01T10:00:00"

CASES: dict[str, Case] = {
    "turns-answers-calls-and-tokens": Case(
        {
            "s1.jsonl": _lines(
                {"type": "summary", "summary": "Menus", "leafUuid": "x"},
                {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
                {"type": "mode", "mode": "default", "sessionId": "s1"},
                claude("user", "u1", "Add a menu"),
                claude("progress", "p1", data={"type": "hook_progress"}),
                answer("a1", "m1", {"type": "thinking", "thinking": "Where?"}, input_tokens=3),
                answer(
                    "a2",
                    "m1",
                    say("Looking."),
                    use("c1", command="ls"),
                    use("c2", "Read", file_path="menu.py"),
                    input_tokens=3,
                    output_tokens=9,
                    cache_read_input_tokens=100,
                    cache_creation_input_tokens=20,
                    cache_creation={
                        "ephemeral_1h_input_tokens": 15,
                        "ephemeral_5m_input_tokens": 5,
                    },
                    output_tokens_details={"thinking_tokens": 4},
                ),
                claude("user", "r1", [result("c1", "Exit code 2\nls: no", is_error=True)]),
                claude(
                    "user",
                    "r2",
                    [result("c2", [say("menu = []"), {"type": "image", "source": {}}])],
                    toolUseResult={"type": "text", "file": {}},
                ),
                claude("user", "u2", [say("Now this"), {"type": "image", "source": {}}]),
                {**answer("a3", "m2", say("Done.")), "costUSD": 0.25, "requestId": "q1"},
            )
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "u1 user turn: Add a menu",
                "a1 agent model-1 in 3 out 0: (Where?)",
                "a2 agent model-1 in 123 (cached 100, written 20, hour 15) out 9 (thought "
                '4): Looking. | Bash{"command": "ls"} #c1 | Read{"file_path": "menu.py"} '
                "#c2 -> command_failed! Exit code 2\nls: no #c1 -> menu = []\n[image] #c2",
                "u2 user turn: Now this\n[image]",
                "a3 agent model-1 $0.25: Done.",
            ]
        },
    ),
    "results-that-failed-without-a-flag": Case(
        {
            "s1.jsonl": _lines(
                answer("a1", "m1", *(use(f"c{n}") for n in range(1, 7))),
                claude(
                    "user",
                    "r1",
                    [
                        {
                            "type": "tool_result",
                            "tool_use_id": "c1",
                            "content": "<tool_use_error>File has not been read</tool_use_error>",
                        }
                    ],
                ),
                claude("user", "r2", [result("c2", "half")], toolUseResult={"interrupted": True}),
                claude("user", "r3", [result("c3", "no")], toolUseResult={"success": False}),
                claude(
                    "user",
                    "r4",
                    [result("c4", "gone")],
                    toolUseResult={"code": 404, "codeText": "Not Found", "url": "u"},
                ),
                claude(
                    "user", "r5", [result("c5", "", is_error=True)], toolUseResult="Error: EISDIR"
                ),
                claude(
                    "user",
                    "r6",
                    [result("c6", "")],
                    toolUseResult={"returnCodeInterpretation": "No matches found"},
                ),
                claude(
                    "user",
                    "r7",
                    [result("gone", "left over"), result("c6", "again")],
                    toolUseResult={"interrupted": True},
                ),
            )
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} autonomous=True {_DAY}",
                "a1 agent model-1: | Bash{} #c1 | Bash{} #c2 | Bash{} #c3 | Bash{} #c4 | "
                "Bash{} #c5 | Bash{} #c6 -> other! <tool_use_error>File has not been "
                "read</tool_use_error> #c1 -> other! half #c2 -> other! no #c3 -> other! "
                "gone #c4 -> other! Error: EISDIR #c5 ->  #c6 -> again #c6",
                "r7 system: -> left over #gone",
            ]
        },
    ),
    "tools-of-the-provider": Case(
        {
            "s1.jsonl": _lines(
                answer(
                    "a1",
                    "m1",
                    {
                        "type": "server_tool_use",
                        "id": "w1",
                        "name": "web_search",
                        "input": {"query": "menus"},
                    },
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "w1",
                        "content": [
                            {"type": "web_search_result", "title": "Menus", "url": "https://m.test"}
                        ],
                    },
                ),
                answer(
                    "a2",
                    "m1",
                    {"type": "server_tool_use", "id": "w2", "name": "web_fetch", "input": {}},
                    {
                        "type": "web_fetch_tool_result",
                        "tool_use_id": "w2",
                        "content": {
                            "type": "web_fetch_tool_result_error",
                            "error_code": "url_not_allowed",
                        },
                    },
                    {"type": "server_tool_use", "id": "w3", "name": "bash_code_execution"},
                    {
                        "type": "bash_code_execution_tool_result",
                        "tool_use_id": "w3",
                        "content": {"stdout": "", "stderr": "no such file", "return_code": 1},
                    },
                    {"type": "redacted_thinking", "data": "x"},
                ),
                answer(
                    "a3",
                    "m1",
                    {
                        "type": "advisor_tool_result",
                        "tool_use_id": "w0",
                        "content": {"type": "advisor_redacted_result"},
                    },
                    output_tokens=7,
                ),
            )
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} autonomous=True {_DAY}",
                'a1 agent model-1: | web_search{"query": "menus"} #w1 -> Menus https://m.test #w1',
                "a2 agent model-1: | web_fetch{} #w2 | bash_code_execution{} #w3 -> other! "
                "url_not_allowed #w2 -> not_found! no such file #w3",
                "a3 agent model-1 in 0 out 7: ->  #w0",
            ]
        },
    ),
    "who-is-not-the-person": Case(
        {
            "s1.jsonl": _lines(
                claude("user", "u1", "<command-name>/clear</command-name>"),
                claude("user", "u2", "Be brief", isMeta=True),
                claude("user", "u3", "Done", origin={"kind": "task-notification"}),
                claude("user", "u4", "Go", promptSource="sdk"),
                claude("user", "u5", "Go", isVisibleInTranscriptOnly=True),
                claude("user", "u6", "Look", **_SIDE),
                claude("user", "u7", "   "),
                claude("user", "u8", "Mine", origin={"kind": "human"}, promptSource="typed"),
                claude("user", "u9", "<system-reminder>x</system-reminder>Mine too"),
            ),
            "sdk.jsonl": _lines(
                claude("user", "k1", "Summarise", sessionId="s2", entrypoint="sdk-py"),
                {**answer("k2", "m9", say("Short.")), "sessionId": "s2"},
            ),
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "u1 user: <command-name>/clear</command-name>",
                "u2 system: Be brief",
                "u3 user: Done",
                "u4 user: Go",
                "u5 user: Go",
                "u6 user: Look",
                "u8 user turn: Mine",
                "u9 user turn: Mine too",
            ],
            "claude_code:s2": [
                f"{_ABOUT} autonomous=True {_DAY}",
                "k1 user: Summarise",
                "k2 agent model-1: Short.",
            ],
        },
    ),
    "interrupts-refusals-and-errors": Case(
        {
            "s1.jsonl": _lines(
                answer("a1", "m1", use("c1"), use("c2")),
                claude(
                    "user",
                    "r1",
                    [
                        result(
                            "c1",
                            f"{_REJECTED} To tell you how to proceed, the user said:\nuse a switch",
                            is_error=True,
                        )
                    ],
                    toolUseResult="User rejected tool use",
                ),
                claude("user", "u1", [say("[Request interrupted by user for tool use]")]),
                claude("user", "u2", "[Request interrupted by user]\nnot that"),
                claude("user", "r2", [result("c2", _REJECTED, is_error=True), say("do b")]),
                claude(
                    "system",
                    "y1",
                    subtype="api_error",
                    error={"status": 529, "error": {"error": {"message": "Overloaded"}}},
                ),
                claude(
                    "assistant",
                    "a2",
                    message={
                        "id": "x",
                        "model": "<synthetic>",
                        "content": [say("API Error: 529")],
                        "usage": {"input_tokens": 0},
                    },
                    isApiErrorMessage=True,
                    costUSD=0,
                ),
                claude("system", "y2", "Auto mode is off", subtype="informational"),
                claude("system", "y3", "<local-command-stdout>ok", subtype="local_command"),
                claude("system", "y4", subtype="turn_duration", durationMs=5),
            )
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "a1 agent model-1: | Bash{} #c1 | Bash{} #c2 -> rejected! The user doesn't "
                "want to proceed with this tool use. The tool use was rejected (eg. if it "
                "was a file edit, the new_string was NOT written to the file). To tell you "
                "how to proceed, the user said:\nuse a switch #c1 -> rejected! The user "
                "doesn't want to proceed with this tool use. The tool use was rejected "
                "(eg. if it was a file edit, the new_string was NOT written to the file). "
                "#c2",
                "r1 user rejection: use a switch",
                "u1 user interrupt:",
                "u2 user turn interrupt: not that",
                "r2 user turn: do b",
                "y1 system api_error: API error 529 Overloaded",
                "a2 agent api_error: API Error: 529",
                "y2 system: Auto mode is off",
                "y3 system: <local-command-stdout>ok",
            ]
        },
    ),
    "compactions-and-branches": Case(
        {
            "s1.jsonl": _lines(
                claude("user", "u1", "Go", gitBranch="main"),
                {**answer("a1", "m1", say("One")), "gitBranch": "main"},
                claude(
                    "system",
                    "y1",
                    "Conversation compacted",
                    subtype="compact_boundary",
                    logicalParentUuid="a1",
                    gitBranch="fix",
                ),
                claude(
                    "user",
                    "u2",
                    "Summary so far",
                    isCompactSummary=True,
                    isVisibleInTranscriptOnly=True,
                ),
                claude("assistant", "a2", [say("API Error")], isApiErrorMessage=True),
                answer("a3", "m2", say("Two")),
                claude("system", "y2", "Context microcompacted", subtype="microcompact_boundary"),
                claude("user", "u3", "An older summary", isCompactSummary=True),
            )
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "u1 user turn: Go",
                "a1 agent model-1: One",
                "y1 system compaction: Conversation compacted",
                "u2 system: Summary so far",
                "a2 agent api_error: API Error",
                "a3 agent branch_change model-1: Two",
                "y2 system compaction: Context microcompacted",
                "u3 system compaction: An older summary",
            ]
        },
    ),
    "messages-that-wait": Case(
        {
            "s1.jsonl": _lines(
                {**_QUEUE, "operation": "enqueue", "content": "wait for me"},
                {**_QUEUE, "operation": "remove"},
                claude(
                    "attachment",
                    "q1",
                    attachment={
                        "type": "queued_command",
                        "prompt": "wait for me",
                        "commandMode": "prompt",
                    },
                ),
                {**_QUEUE, "operation": "enqueue", "content": "and the tests"},
                {**_QUEUE, "operation": "enqueue", "content": "/model"},
                {**_QUEUE, "operation": "remove", "content": "/model"},
                {**_QUEUE, "operation": "remove"},
                {**_QUEUE, "operation": "enqueue", "content": "taken ba"},
                {**_QUEUE, "operation": "popAll", "content": "taken ba"},
                {**_QUEUE, "operation": "enqueue", "content": "said next"},
                {**_QUEUE, "operation": "dequeue"},
                claude("user", "u1", "said next"),
                {**_QUEUE, "operation": "enqueue", "content": "<task-notification>x"},
                {**_QUEUE, "operation": "remove"},
                claude(
                    "attachment",
                    "q2",
                    attachment={
                        "type": "queued_command",
                        "prompt": [say("ls")],
                        "commandMode": "bash",
                    },
                ),
                claude("attachment", "q3", attachment={"type": "hook_success"}),
                {**_QUEUE, "operation": "remove"},
            )
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} start=2026-01-01T10:00:00 end=2026-01-01T10:00:05",
                "q1 user turn: wait for me",
                "line:7 user: and the tests",
                "u1 user turn: said next",
                "q2 user: ls",
            ]
        },
    ),
    "subagents": Case(
        {
            "s1.jsonl": _lines(
                claude("user", "u1", "Look around"),
                claude("user", "u2", "Search", **_SIDE),
            ),
            "s1/subagents/agent-ab12.jsonl": _lines(
                claude("user", "k1", "Search", **_SIDE),
                claude("assistant", "k2", [say("Found")], **_SIDE),
            ),
            "s2/subagents/agent-cd34.jsonl": _lines(
                claude("user", "k1", "Search", sessionId="s2", isSidechain=True)
            ),
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "u1 user turn: Look around",
                "u2 user: Search",
            ],
            "claude_code:s1/ab12": [
                f"{_ABOUT} parent=claude_code:s1 autonomous=True {_DAY}",
                "k1 user: Search",
                "k2 agent: Found",
            ],
            "claude_code:s2/cd34": [
                f"{_ABOUT} parent=claude_code:s2 {_DAY}",
                "k1 user: Search",
            ],
        },
    ),
    "forks-and-resumes": Case(
        {
            "fork.jsonl": _lines(
                claude(
                    "user",
                    "u9",
                    "One",
                    sessionId="s3",
                    forkedFrom={"sessionId": "s1", "messageUuid": "u1"},
                ),
            ),
            "resumed.jsonl": _lines(
                claude("user", "u1", "One"),
                claude("user", "u2", "Two", parentUuid="u1", sessionId="s2"),
            ),
        },
        {
            "claude_code:s3": [
                f"{_ABOUT} parent=claude_code:s1 {_DAY}",
                "u9 user turn: One",
            ],
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "u1 user turn: One",
            ],
            "claude_code:s2": [
                f"{_ABOUT} parent=claude_code:s1 {_DAY}",
                "u2 user turn: Two",
            ],
        },
    ),
    "an-exported-document": Case(
        {
            "export.json": json.dumps(
                {"loglines": [{"type": "user", "message": {"role": "user", "content": "Hello"}}]}
            ).encode()
        },
        {
            "claude_code:{folder}/export.json#0": [
                "agent=claude-code",
                "#/loglines/0 user turn: Hello",
            ]
        },
    ),
    "repeated-unknown-and-broken-lines": Case(
        {
            "s1.jsonl": _lines(
                {**answer("a1", "m1", say("One"), output_tokens=1)},
                {**answer("a1", "m1", say("One"), output_tokens=5)},
                claude("user", "u1", "One"),
                claude("user", "u1", "Another"),
                {"type": "unheard-of", "sessionId": "s1", "message": 7},
                {"type": ["user"], "sessionId": 1},
                claude("user", "u2", message="torn"),
                claude("assistant", "a2"),
                claude("user", "u3", 7),
                claude("user", "u4", ["text", 5, {"type": 5, "text": 6}, {"type": "tool_result"}]),
                {
                    **answer("a3", "m2", *({"type": "tool_use", "name": 1, "input": "x"},)),
                    "costUSD": True,
                    "timestamp": "yesterday",
                    "gitBranch": 4,
                    "forkedFrom": "s0",
                },
                claude("attachment", "q1", attachment="none"),
                claude("system", "y1", 8, subtype=["x"]),
                "text",
            )
            + b'{"type": "user", "message": {"content": "to\n'
        },
        {
            "claude_code:s1": [
                f"{_ABOUT} {_DAY}",
                "a1 agent model-1 in 0 out 5: One",
                "u1 user turn: One",
                "line:4 user turn: Another",
                "u4 user turn: text",
                'a3 agent model-1: | {"input": "x"} # ->  #None',
            ]
        },
        {
            "s1.jsonl:line:15": "not valid JSON at character 41",
            "s1.jsonl:line:7": "a record of type user without a message",
            "s1.jsonl:line:8": "a record of type assistant without a message",
            "s1.jsonl:line:9": "a record of type user without a message",
            "s1.jsonl:line:14": "not a JSON object",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_files_give_exactly_these_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_a_whole_session(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        claude("user", _U[1], "Run the tests"),
        answer(_U[2], "m1", {"type": "thinking", "thinking": "Which?"}, input_tokens=1),
        answer(
            _U[3],
            "m1",
            use("c1", command="make test"),
            input_tokens=5,
            output_tokens=7,
            cache_read_input_tokens=100,
            cache_creation_input_tokens=10,
        ),
        claude("user", _U[4], [result("c1", "Exit code 2\nboom", is_error=True)]),
    )
    when = datetime(2026, 1, 1, 10, tzinfo=UTC)
    path = str(tmp_path / "x.jsonl")
    failure = Observation("c1", "Exit code 2\nboom", True, "command_failed", "exit code <n>", _U[4])
    agent: dict[str, Any] = {"model": "model-1", "api_call_id": "m1"}
    assert session == Session(
        key="claude_code:s1",
        format="claude_code",
        session_id="s1",
        source_path=path,
        agent="claude-code",
        agent_version="2.1.0",
        project="/home/ada/shop",
        started_at=when,
        ended_at=when,
        steps=(
            Step(_U[1], "user", "Run the tests", when, is_person=True,
                 content_id=f"{_U[1]}:{_TIME}"),
            Step(_U[2], "agent", "", when, reasoning="Which?", tokens=Tokens(1),
                 content_id=f"{_U[2]}:m1", **agent),
            Step(_U[3], "agent", "", when, tool_calls=(ToolCall("c1", "Bash", {"command":
                 "make test"}),), observations=(failure,), tokens=Tokens(115, 100, 7, 0, 10),
                 content_id=f"{_U[3]}:m1", **agent),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please fix it", "turn"),
        ("<command-name>/clear</command-name>", ""),
        ("<local-command-stdout>ok</local-command-stdout>", ""),
        ("<bash-input>ls</bash-input>", ""),
        ("<task-notification>done</task-notification>", ""),
        ('<teammate-message teammate_id="x">hi</teammate-message>', ""),
        ("<system-reminder>be brief</system-reminder>", ""),
        ("Caveat: The messages below were generated by the user", ""),
        ("This session is being continued from a previous conversation", ""),
        ("Base directory for this skill: /x", ""),
        ("Stop hook feedback: lint", ""),
        ("   ", None),
        ("<html> is what I want", "turn"),
    ],
)
def test_who_speaks_is_told_by_the_text(tmp_path: Path, text: str, expected: str | None) -> None:
    session = _one(tmp_path, claude("user", "u1", text), answer("a1", "m1", say("ok")))
    told = [kind for ref, _, kind, _ in outline(session) if ref == "u1"]
    assert told == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    "marks",
    [
        {"isMeta": True},
        {"isSidechain": True},
        {"entrypoint": "sdk-py"},
        {"promptSource": "system"},
        {"origin": {"kind": "task-notification"}},
    ],
    ids=lambda marks: next(iter(marks)),
)
def test_who_speaks_is_told_by_the_line(tmp_path: Path, marks: dict[str, Any]) -> None:
    session = _one(
        tmp_path,
        claude("user", "u1", "Do the thing", **marks),
        answer("a1", "m1", say("ok")),
    )
    assert [(step.source_ref, step.is_person) for step in session.steps] == [
        ("u1", False),
        ("a1", False),
    ]
    assert session.is_autonomous


def test_what_the_editor_puts_first_is_left_out(tmp_path: Path) -> None:
    opened = "<ide_opened_file>The user opened a.py</ide_opened_file>"
    session = _one(
        tmp_path,
        claude("user", "u1", [say(opened), say("Rename it")]),
        claude("user", "u2", f"{opened}\nAnd this one"),
    )
    assert outline(session) == [
        ("u1", "user", "turn", "Rename it"),
        ("u2", "user", "turn", "And this one"),
    ]


def test_events_stand_at_their_own_lines(tmp_path: Path) -> None:
    comment = f"{_REJECTED} To tell you how to proceed, the user said:\nuse a switch"
    session = _one(
        tmp_path,
        answer("a1", "m1", use("c1"), use("c2")),
        claude("user", "u1", [result("c1", comment, is_error=True)]),
        claude("user", "u2", [result("c2", _REJECTED, is_error=True)]),
        claude("user", "u3", [say("[Request interrupted by user for tool use]")]),
        claude("system", "s1", subtype="api_error", error={"status": 529}),
        claude("system", "s2", subtype="compact_boundary", content="Conversation compacted"),
        claude("user", "u4", "This session is being continued", **_COMPACTED),
        claude("user", "u5", "This session is being continued", **_COMPACTED),
        claude("assistant", "a2", [say("API Error")], isApiErrorMessage=True),
        claude("system", "s3", subtype="turn_duration"),
    )
    assert outline(session) == [
        ("a1", "agent", "", ""),
        ("u1", "user", "rejection", "use a switch"),
        ("u2", "user", "rejection", ""),
        ("u3", "user", "interrupt", ""),
        ("s1", "system", "api_error", "API error 529"),
        ("s2", "system", "compaction", "Conversation compacted"),
        ("u4", "system", "", "This session is being continued"),
        ("u5", "system", "compaction", "This session is being continued"),
        ("a2", "agent", "api_error", "API Error"),
    ]
    classes = [(seen.source_ref, seen.error_class) for seen in session.steps[0].observations]
    assert classes == [("u1", "rejected"), ("u2", "rejected")]


def test_a_result_line_with_words_of_the_person_is_a_turn_too(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        answer("a1", "m1", use("c1")),
        claude("user", "u1", [result("c1", "fine"), say("no, the other one")]),
    )
    assert outline(session)[1:] == [("u1", "user", "turn", "no, the other one")]
    assert [seen.content for seen in session.steps[0].observations] == ["fine"]


def test_results_without_call_and_calls_without_result_stay(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        claude("user", "u1", [result("gone", "text")]),
        answer("a1", "m1", use("c1")),
    )
    (alone, call) = session.steps
    assert (alone.source, alone.observations) == (
        "system",
        (Observation("gone", "text", source_ref="u1"),),
    )
    assert call.observations == ()


def test_a_queued_message_is_a_turn_where_it_is_delivered(tmp_path: Path) -> None:
    queued = {"type": "queued_command", "prompt": "wait", "commandMode": "prompt"}
    notice = {"type": "queued_command", "prompt": "<task-notification>x</task-notification>"}
    session = _one(
        tmp_path,
        {"type": "queue-operation", "operation": "enqueue", "sessionId": "s1", "content": "wait"},
        claude("attachment", "q1", attachment=queued),
        claude("attachment", "q2", attachment=notice),
        claude("attachment", "q3", attachment={"type": "hook_success"}),
    )
    assert [(ref, kind) for ref, _, kind, _ in outline(session)] == [("q1", "turn"), ("q2", "")]


def test_a_subagents_file_is_a_session_of_its_own(tmp_path: Path) -> None:
    side = {"isSidechain": True, "agentId": "ab12"}
    session = _one(
        tmp_path,
        claude("user", "u1", "Search", **side),
        claude("assistant", "a1", [say("x")], **side),
    )
    assert (session.key, session.parent_key) == ("claude_code:s1/ab12", "claude_code:s1")
    assert session.is_autonomous


def test_inline_sidechains_belong_to_their_parent(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        claude("user", "u1", "Look around"),
        claude("user", "u2", "Search", isSidechain=True, agentId="ab12"),
    )
    assert (session.key, [s.is_person for s in session.steps]) == ("claude_code:s1", [True, False])


def test_a_fork_keeps_its_steps_under_the_same_content_ids(tmp_path: Path) -> None:
    lines = [claude("user", _U[1], "One"), claude("user", _U[2], "Two")]
    fork = [{**line, "sessionId": "s2"} for line in lines[:1]]
    told = claude("user", _U[9], "One", sessionId="s3",
                  forkedFrom={"sessionId": "s1", "messageUuid": _U[1]})  # fmt: skip
    parent, child, declared = read_lines(tmp_path / "all.jsonl", *lines, *fork, told)
    assert [[step.content_id for step in s.steps] for s in (parent, child, declared)] == [
        [f"{_U[1]}:{_TIME}", f"{_U[2]}:{_TIME}"],
        [f"{_U[1]}:{_TIME}"],
        [f"{_U[1]}:{_TIME}"],
    ]
    assert (parent.parent_key, declared.parent_key) == (None, "claude_code:s1")


def test_one_uuid_at_another_time_is_another_record(tmp_path: Path) -> None:
    later = {"sessionId": "s2", "timestamp": "2026-01-01T10:00:07.000Z"}
    sessions = read_lines(
        tmp_path / "x.jsonl",
        claude("user", _U[1], "One"),
        answer(_U[2], "m1", say("Done")),
        claude("user", _U[1], "One", **later),
        {**answer(_U[2], "m1", say("Done")), **later},
        {**answer(_U[2], "m2", say("Done")), **later, "sessionId": "s3"},
    )
    assert [[step.content_id for step in session.steps] for session in sessions] == [
        [f"{_U[1]}:{_TIME}", f"{_U[2]}:m1"],
        [f"{_U[1]}:2026-01-01T10:00:07.000Z", f"{_U[2]}:m1"],
        [f"{_U[2]}:m2"],
    ]


def test_ids_that_are_no_uuids_tell_copies_only_with_what_was_said(tmp_path: Path) -> None:
    copy = claude("user", "msg-1", "One", sessionId="s2", gitBranch="other")
    original, copied, other = read_lines(
        tmp_path / "x.jsonl",
        claude("user", "msg-1", "One"),
        copy,
        claude("user", "msg-1", "Another", sessionId="s3"),
    )
    ids = [session.steps[0].content_id for session in (original, copied, other)]
    assert ids[0] == ids[1] != ids[2]


def test_a_repeated_line_counts_once_and_another_under_its_id_keeps_its_place(
    tmp_path: Path,
) -> None:
    session = _one(
        tmp_path,
        claude("user", "u1", "One"),
        claude("user", "u1", "One"),
        claude("user", "u1", "Another"),
    )
    assert outline(session) == [
        ("u1", "user", "turn", "One"),
        ("line:3", "user", "turn", "Another"),
    ]


def test_a_change_of_branch_is_noted_once(tmp_path: Path) -> None:
    session = _one(
        tmp_path,
        claude("user", "u1", "Go", gitBranch="main"),
        claude("user", "u2", "Switch", gitBranch="fix"),
        {**answer("a1", "m1", say("ok")), "gitBranch": "fix"},
        {**answer("a2", "m2", say("ok")), "gitBranch": "fix"},
    )
    assert [step.event for step in session.steps] == [None, None, "branch_change", None]
    assert session.extra == {"branches": ("main", "fix")}


def test_an_exported_document_is_read_by_pointers(tmp_path: Path) -> None:
    lines = [{"type": "user", "message": {"role": "user", "content": "Hello"}}]
    (session,) = read_lines(tmp_path / "export.json", {"loglines": lines})
    assert outline(session) == [("#/loglines/0", "user", "turn", "Hello")]
    assert session.session_id == f"{tmp_path / 'export.json'}#0"


def test_many_sessions_of_a_file_find_whom_they_go_on_from_in_seconds(tmp_path: Path) -> None:
    count = 20_000
    lines = [
        claude("user", f"u{n}", "Go on", sessionId=f"s{n}", parentUuid=f"u{n - 1}")
        for n in range(count)
    ]
    started = time.process_time()
    sessions = read_lines(tmp_path / "x.jsonl", *lines)
    assert time.process_time() - started < 15
    assert [session.parent_key for session in sessions] == [
        None,
        *(f"claude_code:s{n}" for n in range(count - 1)),
    ]


def test_a_session_goes_on_from_the_first_other_that_holds_the_record(tmp_path: Path) -> None:
    told = [("s1", "u2", "u1"), ("s1", "u1", None), ("s2", "u1", None), ("s3", "u3", "u1")]
    lines = [claude("user", uuid, uuid, sessionId=s, parentUuid=up) for s, uuid, up in told]
    sessions = read_lines(tmp_path / "x.jsonl", *lines)
    assert [(session.session_id, session.parent_key) for session in sessions] == [
        ("s1", "claude_code:s2"),
        ("s2", None),
        ("s3", "claude_code:s1"),
    ]


def test_the_first_of_equal_messages_leaves_the_queue(tmp_path: Path) -> None:
    operations = [("enqueue", text) for text in ("a", "b", "a", "c")]
    operations += [("remove", "a"), ("remove", ""), ("remove", "unknown"), ("remove", "c")]
    operations += [("remove", ""), ("enqueue", "d"), ("popAll", ""), ("remove", "d")]
    lines = [{**_QUEUE, "operation": name, "content": text} for name, text in operations]
    session = _one(tmp_path, claude("user", "u1", "Go"), *lines)
    assert [(step.source_ref, step.text) for step in session.steps[1:]] == [
        ("line:6", "a"),
        ("line:7", "b"),
        ("line:8", "a"),
        ("line:9", "c"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("is_reversed", [True, False], ids=["last-first", "first-first"])
def test_a_long_queue_is_read_in_seconds(tmp_path: Path, is_reversed: bool) -> None:
    texts = [f"message {n}" for n in range(50_000)]
    left = texts[::-1] if is_reversed else texts
    lines = [{**_QUEUE, "operation": "enqueue", "content": text} for text in texts]
    named = ({"content": text} if is_reversed else {} for text in left)
    lines += [{**_QUEUE, "operation": "remove", **content} for content in named]
    started = time.process_time()
    session = _one(tmp_path, claude("user", "u1", "Go"), *lines)
    assert time.process_time() - started < 15
    assert [step.text for step in session.steps] == ["Go", *left]
