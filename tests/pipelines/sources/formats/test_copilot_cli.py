"""Copilot CLI's events, translated."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Session, person_turns
from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case

_DETAILS = {"copilotVersion": "1.0.64", "producer": "copilot-agent", "version": 1}


def _event(number: int, kind: Any, data: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "data": data,
        "id": f"e{number}",
        "timestamp": f"2026-01-01T10:00:{number:02}.000Z",
        "parentId": f"e{number - 1}" if number else None,
        **more,
    }


def _start(**more: Any) -> dict[str, Any]:
    told = {
        **_DETAILS,
        "sessionId": "s1",
        "startTime": "2026-01-01T10:00:00.000Z",
        "selectedModel": "model-1",
        "context": {"cwd": "/home/ada/shop", "branch": "main"},
    }
    return _event(0, "session.start", {**told, **more})


def _user(number: int, text: str, **more: Any) -> dict[str, Any]:
    told = {"content": text, "transformedContent": f"<now>\n{text}", "attachments": []}
    return _event(number, "user.message", {**told, **more})


def _agent(number: int, text: str, *requests: Any, **more: Any) -> dict[str, Any]:
    told = {"messageId": f"m{number}", "content": text, "toolRequests": list(requests)}
    return _event(number, "assistant.message", {**told, **more})


def _request(number: int, name: str, arguments: Any) -> dict[str, Any]:
    call_id = f"call_{number}"
    return {"toolCallId": call_id, "name": name, "arguments": arguments, "type": "function"}


def _done(number: int, call: int, content: str, **more: Any) -> dict[str, Any]:
    result = {"content": content, "detailedContent": f"all of {content}"}
    told = {"toolCallId": f"call_{call}", "success": True, "result": result}
    return _event(number, "tool.execution_complete", {**told, **more})


def _failed(number: int, call: int, message: str, code: str = "failure") -> dict[str, Any]:
    error = {"message": message, "code": code}
    told = {"toolCallId": f"call_{call}", "success": False, "error": error}
    return _event(number, "tool.execution_complete", told)


def _usage(*counts: int) -> dict[str, Any]:
    """`counts`: input, output, cache read, cache written, reasoning."""
    keys = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens")
    usage = dict(zip(keys, counts, strict=True))
    return {"requests": {"count": 1, "cost": 3}, "usage": usage, "totalNanoAiu": 7}


def _shutdown(number: int, metrics: Any, **more: Any) -> dict[str, Any]:
    told = {"shutdownType": "routine", "modelMetrics": metrics, "totalPremiumRequests": 1}
    return _event(number, "session.shutdown", {**told, **more})


def _lines(*events: Any) -> bytes:
    return "".join(json.dumps(event) + "\n" for event in events).encode()


_ABOUT = "agent=copilot-cli version=1.0.64 project=/home/ada/shop"
_SPAN = "start=2026-01-01T10:00:00 end=2026-01-01T10:00:"

CASES: dict[str, Case] = {
    "conversation": Case(
        {
            "events.jsonl": _lines(
                _start(),
                _event(1, "session.model_change", {"newModel": "model-2"}),
                _event(2, "system.message", {"role": "system", "content": "Be brief."}),
                _user(3, "Add a menu"),
                _event(4, "assistant.turn_start", {"turnId": "0"}),
                _agent(
                    5,
                    "Looking.",
                    _request(1, "view", {"path": "menu.py"}),
                    _request(2, "bash", {"command": "make"}),
                    _request(3, "apply_patch", "*** Begin Patch"),
                    _request(4, "bash", {"command": "make test"}),
                    reasoningText="A menu",
                    model="model-3",
                ),
                _event(6, "tool.execution_start", {"toolCallId": "call_1", "toolName": "view"}),
                _failed(7, 1, "Path does not exist"),
                _done(8, 2, "built\n<shellId: 0 completed with exit code 0>"),
                _done(9, 3, "<exited with exit code 1> says the manual"),
                _done(10, 4, "2 failed\n<shellId: 1 completed with exit code 2>"),
                _event(11, "hook.start", {"hookType": "agentStop", "input": {"sessionId": "s9"}}),
                _event(12, "session.info", {"infoType": "folder_trust", "message": "Trusted"}),
                _event(13, "system.notification", {"content": "<system_notification>Done"}),
                _agent(14, "There is a menu."),
                _user(15, "", attachments=[{"type": "blob", "mimeType": "image/png"}]),
            )
        },
        {
            "copilot_cli:s1": [
                f"{_ABOUT} {_SPAN}15",
                "e2 system: Be brief.",
                "e3 user turn: Add a menu",
                "e5 agent model-3: (A menu) Looking."
                ' | view{"path": "menu.py"} #call_1 | bash{"command": "make"} #call_2'
                ' | apply_patch{"input": "*** Begin Patch"} #call_3'
                ' | bash{"command": "make test"} #call_4'
                " -> not_found! Path does not exist #call_1"
                " -> built\n<shellId: 0 completed with exit code 0> #call_2"
                " -> <exited with exit code 1> says the manual #call_3"
                " -> test_failure! 2 failed\n<shellId: 1 completed with exit code 2> #call_4",
                "e13 system: <system_notification>Done",
                "e14 agent model-2: There is a menu.",
                "e15 user turn: [attachment]",
            ]
        },
    ),
    "tokens-of-a-shutdown": Case(
        {
            "events.jsonl": _lines(
                _start(),
                _user(1, "Go"),
                _agent(2, "a", outputTokens=10, apiCallId="api-1"),
                _agent(3, "the same call", outputTokens=10, apiCallId="api-1"),
                _agent(4, "b", outputTokens=20, apiCallId="api-2"),
                # More output than the messages tell, and a model that only a subagent used.
                _shutdown(
                    5, {"model-1": _usage(101, 33, 40, 7, 5), "small": _usage(9, 2, 3, 0, 0)}
                ),
                # A run after it, whose totals start anew.
                _event(6, "session.resume", {"eventCount": 6, "selectedModel": "model-1"}),
                _agent(7, "c", outputTokens=50),
                _shutdown(8, {"model-1": _usage(300, 50, 0, 0, 0), "free": _usage(0, 0, 0, 0, 0)}),
                # And one whose totals go on; cached tokens that the input cannot include.
                _agent(9, "d", outputTokens=5),
                _agent(10, "of a model that nothing tells of", model="free"),
                _shutdown(11, {"model-1": _usage(320, 55, 400, 0, 0)}),
            )
        },
        {
            "copilot_cli:s1": [
                f"{_ABOUT} {_SPAN}10",
                "e1 user turn: Go",
                "e2 agent model-1 in 51 (cached 20, written 4) out 12 (thought 3): a",
                "e3 agent model-1: the same call",
                "e4 agent model-1 in 50 (cached 20, written 3) out 21 (thought 2): b",
                "e5/usage/1 system small in 9 (cached 3) out 2:",
                "e7 agent model-1 in 300 out 50: c",
                "e9 agent model-1 in 420 (cached 400) out 5: d",
                "e10 agent free: of a model that nothing tells of",
            ]
        },
    ),
    "tokens-without-a-shutdown": Case(
        {"events.jsonl": _lines(_start(), _user(1, "Go"), _agent(2, "a", outputTokens=10))},
        {
            "copilot_cli:s1": [
                f"{_ABOUT} {_SPAN}02",
                "e1 user turn: Go",
                "e2 agent model-1 in 0 out 10: a",
            ]
        },
    ),
    "messages-that-are-not-the-persons": Case(
        {
            "events.jsonl": _lines(
                _start(),
                _user(1, "Typed", source="user", delivery="steering"),
                _user(2, "What a skill says", source="skill-pdf"),
                _user(3, "Go on", isAutopilotContinuation=True),
                _user(4, "From another session", inputOrigin="authenticated-cross-session"),
                _event(5, "user.message", {"content": "The task of a subagent"}, agentId="a1"),
                _event(6, "assistant.message", {"content": "Its answer"}, agentId="a1"),
                _user(7, "Its task, in older versions", parentToolCallId="call_1"),
                _user(8, "  "),
            )
        },
        {
            "copilot_cli:s1": [
                f"{_ABOUT} {_SPAN}08",
                "e1 user turn: Typed",
                "e2 user: What a skill says",
                "e3 user: Go on",
                "e4 user: From another session",
                "e5 user: The task of a subagent",
                "e6 agent model-1: Its answer",
                "e7 user: Its task, in older versions",
                "e8 user:",
            ]
        },
    ),
    "rejections": Case(
        {
            "events.jsonl": _lines(
                _start(),
                _agent(1, "", *(_request(n, "bash", {"n": n}) for n in range(1, 6))),
                _event(
                    2,
                    "permission.completed",
                    {
                        "toolCallId": "call_1",
                        "result": {"kind": "denied-interactively-by-user", "feedback": "Not that"},
                    },
                ),
                _failed(3, 1, "The user rejected this tool call.", "rejected"),
                _failed(4, 2, "The user rejected this. User feedback: use uv", "rejected"),
                _failed(5, 3, "Permission denied and could not request it", "denied"),
                _event(6, "permission.requested", {"toolCallId": "call_4"}),
                _event(
                    7,
                    "permission.completed",
                    {"toolCallId": "call_4", "result": {"kind": "approved"}},
                ),
                _done(8, 4, "fine"),
                _failed(9, 5, "Denied by a hook", "denied"),
            )
        },
        {
            "copilot_cli:s1": [
                f"{_ABOUT} autonomous=True {_SPAN}04",
                'e1 agent model-1: | bash{"n": 1} #call_1 | bash{"n": 2} #call_2'
                ' | bash{"n": 3} #call_3 | bash{"n": 4} #call_4 | bash{"n": 5} #call_5'
                " -> rejected! The user rejected this tool call. #call_1"
                " -> rejected! The user rejected this. User feedback: use uv #call_2"
                " -> permission! Permission denied and could not request it #call_3"
                " -> fine #call_4 -> other! Denied by a hook #call_5",
                "e2 user rejection: Not that",
                "e4 user rejection: use uv",
            ]
        },
    ),
    "events": Case(
        {
            "events.jsonl": _lines(
                _start(),
                _event(1, "abort", {"reason": "user_initiated"}),
                _event(2, "session.error", {"errorType": "quota", "message": "Quota exceeded"}),
                _event(3, "session.compaction_start", {}),
                _event(
                    4, "session.compaction_complete", {"success": True, "summaryContent": "So far"}
                ),
                _event(5, "session.compaction_complete", {"success": False, "error": "Too long"}),
                _event(6, "session.truncation", {"messagesRemovedDuringTruncation": 4}),
                _event(7, "session.truncation", {"messagesRemovedDuringTruncation": 0}),
                _event(8, "session.snapshot_rewind", {"upToEventId": "e4", "eventsRemoved": 3}),
                _event(9, "assistant.reasoning", {"content": "Alone"}),
                _event(10, "assistant.reasoning", {"content": "Told again"}),
                _agent(11, "So.", reasoningText="Told again"),
                _event(12, "subagent.started", {"toolCallId": "call_1"}),
                _event(13, "a.new_kind", {"content": "?"}),
                _shutdown(14, {}, shutdownType="error", errorReason="Crashed"),
            )
        },
        {
            "copilot_cli:s1": [
                f"{_ABOUT} autonomous=True {_SPAN}14",
                "e1 user interrupt:",
                "e2 system api_error: Quota exceeded",
                "e4 system compaction: So far",
                "e5 system api_error: Too long",
                "e6 system compaction:",
                "e8 user rollback: 3 events rolled back",
                "e9 agent model-1: (Alone)",
                "e11 agent model-1: (Told again) So.",
                "e14 system api_error: Crashed",
            ]
        },
    ),
    "calls-that-no-message-asks-for": Case(
        {
            "events.jsonl": _lines(
                _start(),
                _event(
                    1,
                    "tool.user_requested",
                    {"toolCallId": "call_1", "toolName": "bash", "arguments": {"command": "ls"}},
                ),
                _event(2, "tool.execution_start", {"toolCallId": "call_1", "toolName": "bash"}),
                _done(3, 1, "menu.py"),
                _done(4, 2, "also the person's", isUserRequested=True),
                _event(
                    5,
                    "tool.execution_start",
                    {"toolCallId": "call_3", "toolName": "task", "arguments": {"n": 3}},
                ),
                _done(6, 3, "", result={"contents": [{"text": "no", "exitCode": 1}]}),
                _done(7, 4, "of a call that is not there"),
            )
        },
        {
            "copilot_cli:s1": [
                f"{_ABOUT} autonomous=True {_SPAN}07",
                "e3 system: menu.py",
                "e4 system: also the person's",
                'e5 agent model-1: | task{"n": 3} #call_3 -> other! no #call_3',
                "e7 system: -> of a call that is not there #call_4",
            ]
        },
    ),
    "handed-over-without-a-start": Case(
        {
            "events.jsonl": _lines(
                _event(0, "session.resume", {"context": {"cwd": "/home/ada/kiosk"}}),
                _event(
                    1,
                    "session.handoff",
                    {"remoteSessionId": "r1", "context": "Kiosk", "summary": "Half done"},
                ),
                _event(2, "hook.start", {"input": {"sessionId": "s2", "cwd": "/elsewhere"}}),
                _user(3, "Go on"),
            )
        },
        {
            "copilot_cli:s2": [
                "agent=copilot-cli project=/home/ada/kiosk parent=copilot_cli:r1"
                " start=2026-01-01T10:00:01 end=2026-01-01T10:00:03",
                "e1 system: Kiosk\nHalf done",
                "e3 user turn: Go on",
            ]
        },
    ),
    "odd-lines-and-wrong-types": Case(
        {
            "events.jsonl": b'{"broken": \n'
            + _lines(
                7,
                {"data": {"content": "no type"}},
                {"data": "no type"},
                {"type": "user.message", "data": "no object"},
                {"type": "session.info"},
                _event(1, "user.message", {"content": ["no text"], "attachments": "none"}),
                _user(2, "Twice"),
                _user(2, "Twice"),
                _user(2, "Same id"),
                _event(3, "assistant.message", {"content": 5, "toolRequests": [1, {"name": 2}]}),
                {"type": "user.message", "data": {"content": "No id"}},
                _event(5, "tool.execution_complete", {"success": False, "error": "?", "result": 1}),
                _shutdown(6, {"model-1": 3, "model-2": {"usage": {"inputTokens": -1}}}),
                _shutdown(7, "none"),
                _start(sessionId=12, context=[], startTime="soon", copilotVersion=None),
            )
        },
        {
            "copilot_cli:12": [
                "agent=copilot-cli start=2026-01-01T10:00:01 end=2026-01-01T10:00:03",
                "e1 user:",
                "e2 user turn: Twice",
                "line:10 user turn: Same id",
                "e3 agent: | {} # -> other!  #None",
                "line:12 user turn: No id",
            ]
        },
        {
            "events.jsonl:line:1": "not valid JSON at character 11",
            "events.jsonl:line:2": "not a JSON object",
            "events.jsonl:line:4": "not an event with a type and data",
            "events.jsonl:line:5": "not an event with a type and data",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_log_gives_its_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_an_event_in_two_sessions_is_a_copy(tmp_path: Path) -> None:
    own = "0c3f9a52-6e21-4d0c-9a55-1f2e3d4c5b6a"
    for name in ("s1", "s2"):
        shared = {**_user(1, "Add a menu"), "id": own}
        (tmp_path / name).write_bytes(_lines(_start(sessionId=name), shared, _user(2, name)))
    ids = [
        [step.content_id for step in session.steps]
        for name in ("s1", "s2")
        for session in read_file(tmp_path / name).sessions
    ]
    assert ids == [[own, None], [own, None]]


def test_unknown_input_tokens_are_noted(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(_lines(_start(), _agent(1, "a", outputTokens=10)))
    detail = read_file(tmp_path / "events.jsonl").detail
    assert detail == "input tokens are unknown where no shutdown tells them"


@pytest.mark.shared
def test_real_files_agree_with_a_plain_count(shared_dir: Path) -> None:
    files = sorted((shared_dir / "logs" / "copilot_cli").rglob("*[0-9a-f].jsonl"))
    differing = {
        path.name: (_figures(session), _plain(path))
        for path in files
        for session in read_file(path).sessions
        if _figures(session) != _plain(path)
    }
    assert (len(files), differing) == (12, {})


def _figures(session: Session) -> Counter[str]:
    found = Counter(turns=len(person_turns(session)))
    for step in session.steps:
        found["calls"] += len(step.tool_calls)
        found["results"] += len(step.observations)
        found["errors"] += sum(seen.is_error for seen in step.observations)
        found["interrupts"] += step.event == "interrupt"
        if step.tokens:
            found["input"] += step.tokens.input
            found["cached"] += step.tokens.cached
            found["output"] += step.tokens.output
    return +found


def _plain(path: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        event = json.loads(line)
        kind, data = event["type"], event["data"]
        found["turns"] += kind == "user.message"
        found["interrupts"] += kind == "abort"
        found["calls"] += len(data.get("toolRequests", ()))
        found["output"] += data.get("outputTokens", 0)
        if kind == "tool.execution_complete":
            end = data.get("result", {}).get("content", "").rstrip()[-20:]
            found["results"] += 1
            found["errors"] += "error" in data or ("exit code" in end and "code 0>" not in end)
        for metric in data.get("modelMetrics", {}).values():
            found["input"] += metric["usage"]["inputTokens"]
            found["cached"] += metric["usage"]["cacheReadTokens"]
    return +found
