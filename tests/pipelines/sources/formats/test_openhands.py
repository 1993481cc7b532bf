"""OpenHands' conversations of both generations, translated."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import person_turns
from pipelines.sources import find_files, read_file
from tests.pipelines.sources.format_table import Case, check_case

_ABOUT = "agent=openhands"
_DAY = "2026-01-02T10:00:"
_UUIDS = [f"{number:08x}-1111-4222-8333-444444444444" for number in range(20)]


def _document(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def _lines(*values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def _event(number: int, source: str, **more: Any) -> dict[str, Any]:
    """A V0 event without zone in its time."""
    return {"id": number, "timestamp": f"{_DAY}{number:02}.5", "source": source, **more}


def _said(number: int, source: str, text: str, **more: Any) -> dict[str, Any]:
    args = {"content": text, "image_urls": None, "wait_for_response": False, **more}
    return _event(number, source, action="message", message=text, args=args)


def _answer(answer_id: str, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """What V0 keeps of the model's answer that made a call."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 40},
        "cache_creation_input_tokens": 20,
    }
    response = {"id": answer_id, "model": "model-1", "choices": [{"message": message}]}
    return {
        "function_name": name,
        "tool_call_id": call_id,
        "model_response": {**response, "usage": usage},
    }


def _acted(number: int, kind: str, metadata: dict[str, Any] | None, **args: Any) -> dict[str, Any]:
    told = {"tool_call_metadata": metadata} if metadata else {}
    return _event(number, "agent", action=kind, args=args, **told)


def _seen(number: int, kind: str, cause: int | None, text: str, **more: Any) -> dict[str, Any]:
    return _event(
        number, "agent", observation=kind, cause=cause, content=text, **{"extras": {}, **more}
    )


def _exit(code: int, suffix: str = "") -> dict[str, Any]:
    metadata = {"exit_code": code, "working_dir": "/workspace/shop", "suffix": suffix}
    return {"extras": {"metadata": metadata}, "success": code == 0}


def _total(prompt: int, output: int, cost: float, cached: int = 0) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "cache_read_tokens": cached}
    return {"accumulated_cost": cost, "accumulated_token_usage": usage}


_RUN = _answer("answer-1", "call-1", "execute_bash", '{"command": "make"}')
_TRAJECTORY = [
    _event(0, "environment", observation="agent_state_changed", content="",
           extras={"agent_state": "loading"}),
    _event(1, "agent", action="system",
           args={"content": "You are able.", "openhands_version": "0.35.0"}),
    _said(2, "user", "Build it"),
    _event(3, "user", action="recall", args={"recall_type": "workspace_context", "query": "x"}),
    _event(4, "environment", observation="recall", cause=3, content="Added", extras={}),
    _event(5, "environment", action="run", args={"command": "git config", "hidden": True}),
    _event(6, "environment", observation="run", cause=5, content="no", **_exit(1)),
    _acted(7, "run", _RUN, command="make", thought="Let me build.", hidden=False),
    _seen(8, "run", 7, "make: no rule", **_exit(2, "\n[exit code 2.]"), tool_call_metadata=_RUN),
    _acted(9, "read", None, path="Makefile", thought=""),
    _seen(10, "read", 9, "all:"),
    _said(11, "agent", "There is no rule."),
    _seen(12, "null", 11, ""),
    _said(13, "user", "", image_urls=["data:x"]),
    _acted(14, "finish", None, thought="Done", outputs={}),
]  # fmt: skip
_TOLD = [
    "1 system: You are able.",
    "2 user turn: Build it",
    '7 agent model-1 in 100 (cached 40, written 20) out 10: Let me build. | execute_bash{"command":'
    ' "make"} #call-1 -> command_failed! make: no rule\n[exit code 2.] #call-1',
    '9 agent: | read{"path": "Makefile"} #9 -> all: #9',
    "11 agent: There is no rule.",
    "13 user turn: [image]",
    "14 agent: Done",
]
_TOLD_ABOUT = (
    f"{_ABOUT} version=0.35.0 project=/workspace/shop "
    "start=2026-01-02T10:00:01 end=2026-01-02T10:00:14"
)


def _sdk(number: int, kind: str, source: str, **more: Any) -> dict[str, Any]:
    """An event of the SDK."""
    stamp = f"{_DAY}{number:02}"
    return {"id": _UUIDS[number], "timestamp": stamp, "source": source, "kind": kind, **more}


def _text(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_prompt": False}]


def _message(number: int, source: str, text: str, **more: Any) -> dict[str, Any]:
    role = "user" if source == "user" else "assistant"
    message = {"role": role, "content": _text(text)}
    return _sdk(number, "MessageEvent", source, llm_message=message, **more)


def _action(number: int, answer_id: str, call_id: str, action: Any, **more: Any) -> dict[str, Any]:
    arguments = '{"command": "ls", "security_risk": "LOW"}'
    return _sdk(
        number, "ActionEvent", "agent",
        **{"thought": _text("Look"), "reasoning_content": "Hm", "thinking_blocks": [], **more},
        action=action, tool_name="terminal", tool_call_id=call_id,
        tool_call={"id": call_id, "name": "terminal", "arguments": arguments},
        llm_response_id=answer_id,
    )  # fmt: skip


def _result(number: int, call_id: str, action: int, **observation: Any) -> dict[str, Any]:
    return _sdk(
        number, "ObservationEvent", "environment", tool_name="terminal", tool_call_id=call_id,
        action_id=_UUIDS[action], observation={"kind": "TerminalObservation", **observation},
    )  # fmt: skip


def _stats(number: int, prompt: int, output: int, cost: float) -> dict[str, Any]:
    other = {"model_name": "model-3", **_total(1, 1, 0.0)}
    value = {
        "usage_to_metrics": {
            "agent": {"model_name": "model-2", **_total(prompt, output, cost, cached=5)},
            "condenser": other,
        }
    }
    return _sdk(
        number, "ConversationStateUpdateEvent", "environment", key="stats", value=value
    )  # fmt: skip


_LIST = {"kind": "TerminalAction", "command": "ls", "timeout": None}
_SDK_EVENTS = [
    _sdk(0, "SystemPromptEvent", "agent", system_prompt={"type": "text", "text": "Be able"},
         tools=[]),
    _message(1, "user", "List them"),
    _stats(2, 99, 9, 0.25),
    _action(3, "r1", "c1", _LIST),
    _result(4, "c1", 3, content=_text("a b"), is_error=False, exit_code=0,
            metadata={"working_dir": "/workspace/shop"}),
    _stats(5, 299, 29, 0.75),
    _action(6, "r2", "c2", None, thought=_text("<think>Hm</think>\n\nOnce more"),
            action_kind=None),
    _sdk(7, "AgentErrorEvent", "agent", tool_name="terminal", tool_call_id="c2",
         error="Unknown tool"),
    _message(8, "agent", "Two.", llm_response_id="r3"),
]  # fmt: skip
_SDK_TOLD = [
    f"{_UUIDS[0]} system: Be able",
    f"{_UUIDS[1]} user turn: List them",
    f"{_UUIDS[3]} agent model-2 in 100 (cached 5) out 10 $0.25: (Hm) Look "
    '| terminal{"command": "ls"} #c1 -> a b #c1',
    f"{_UUIDS[6]} agent model-2 in 200 out 20 $0.5: (Hm) Once more "
    '| terminal{"command": "ls", "security_risk": "LOW"} #c2 -> unknown_tool! Unknown tool #c2',
    f"{_UUIDS[8]} agent model-2: Two.",
]
_STATE = {
    "id": "conv-1",
    "agent": {"kind": "Agent", "llm": {"model": "model-9"}},
    "workspace": {"kind": "LocalWorkspace", "working_dir": "/home/ada/shop"},
    "execution_status": "finished",
    "stats": {
        "usage_to_metrics": {
            "agent": {
                **_total(330, 33, 1.5),
                "token_usages": [
                    {"response_id": "r1", "prompt_tokens": 100, "completion_tokens": 10,
                     "reasoning_tokens": 4},
                    {"response_id": "r2", "prompt_tokens": 200, "completion_tokens": 20,
                     "cache_write_tokens": 7},
                ],
                "costs": [{"cost": 0.5}, {"cost": 0.75}],
            }
        }
    },
}  # fmt: skip


def _sdk_name(number: int) -> str:
    return f"conv-1/events/event-{number:05}-{_UUIDS[number]}.json"


_TASK = {
    "instance_id": "shop__shop-7",
    "instruction": "Fix",
    "metadata": {"llm_config": {"model": "model-1"}, "agent_class": "CodeActAgent"},
    "test_result": {"git_patch": "", "report": {"resolved": True}},
    "error": None,
}
_OLD = {
    "issue": {"owner": "ada", "repo": "shop", "number": 5},
    "issue_type": "issue",
    "metrics": {"accumulated_cost": 0.75, "costs": [0.25, 0.5]},
    "success": False,
    "error": None,
}

CASES: dict[str, Case] = {
    "trajectory": Case(
        {"t.json": _document(_TRAJECTORY)},
        {"openhands:{folder}/t.json#0": [_TOLD_ABOUT, *_TOLD]},
    ),
    "a-file-for-each-event": Case(
        {
            **{
                f"shop/events/{number}.json": _document(event)
                for number, event in enumerate(_TRAJECTORY)
            },
            "shop/event_cache/0-25.json": _document(_TRAJECTORY),
        },
        {"openhands:shop": [_TOLD_ABOUT, *_TOLD]},
    ),
    "pages-alone": Case(
        {
            "shop/event_cache/25-50.json": _document(_TRAJECTORY[8:]),
            "shop/event_cache/0-25.json": _document([*_TRAJECTORY[:8], 17]),
        },
        {"openhands:shop": [_TOLD_ABOUT, *_TOLD]},
        {"shop/event_cache/0-25.json:#/8": "not an event"},
    ),
    "event-without-id": Case(
        {
            "shop/events/0.json": _document(
                {key: value for key, value in _said(0, "user", "Hello").items() if key != "id"}
            ),
            "shop/events/1.json": b'{"id": 1, "source": "agent", "act',
            "alone.json": _document(_said(4, "user", "Hi")),
        },
        {
            "openhands:shop": [
                f"{_ABOUT} start=2026-01-02T10:00:00 end=2026-01-02T10:00:00",
                "0.json user turn: Hello",
            ],
            "openhands:{folder}/alone.json#0": [
                f"{_ABOUT} start=2026-01-02T10:00:04 end=2026-01-02T10:00:04",
                "4 user turn: Hi",
            ],
        },
    ),
    "totals-as-differences": Case(
        {
            "t.json": _document(
                [
                    _said(0, "user", "Build it"),
                    {**_acted(1, "run", None, command="a"), "llm_metrics": _total(100, 10, 0.25)},
                    {**_acted(2, "run", None, command="b"), "llm_metrics": _total(100, 10, 0.25)},
                    {**_acted(3, "think", None, thought="So"),
                     "llm_metrics": _total(150, 30, 0.75, cached=50)},
                    # Begun anew, as after a restart.
                    {**_said(4, "agent", "Done"), "llm_metrics": _total(70, 7, 0.5)},
                ]
            )
        },
        {
            "openhands:{folder}/t.json#0": [
                f"{_ABOUT} start=2026-01-02T10:00:00 end=2026-01-02T10:00:04",
                "0 user turn: Build it",
                '1 agent in 100 out 10 $0.25: | run{"command": "a"} #1',
                '2 agent: | run{"command": "b"} #2',
                "3 agent in 50 (cached 50) out 20 $0.5: So",
                "4 agent in 70 out 7 $0.5: Done",
            ]
        },
    ),
    "interrupts-rejections-failures": Case(
        {
            "t.json": _document(
                [
                    _said(0, "user", "Build it"),
                    _acted(1, "run", None, command="rm -r ."),
                    _event(2, "user", observation="user_rejected", cause=1,
                           content="User rejected the action", extras={}),
                    _acted(3, "run", None, command="rm a"),
                    _event(4, "user", observation="user_rejected", cause=3,
                           content="keep it", extras={}),
                    _event(5, "user", action="change_agent_state", args={"agent_state": "stopped"}),
                    _event(6, "environment", observation="agent_state_changed", content="",
                           extras={"agent_state": "stopped"}),
                    _event(7, "environment", observation="agent_state_changed", content="",
                           extras={"agent_state": "error",
                                   "reason": "litellm.RateLimitError: slow down"}),
                    _event(8, "environment", observation="agent_state_changed", content="",
                           extras={"agent_state": "rate_limited"}),
                    _event(9, "environment", observation="error", content="stuck in a loop",
                           extras={}),
                    _event(10, "environment", observation="error",
                           content="litellm.Timeout: no answer", extras={}),
                    _event(11, "agent", action="condensation",
                           args={"summary": "So far", "forgotten_event_ids": [1]}),
                    _said(12, "user", "<uploaded_files>\n/workspace\n</uploaded_files>\nFix"),
                    _said(13, "environment", "Note"),
                    _acted(14, "run", None, command="serve"),
                    _seen(15, "run", 14, "Serving", **_exit(-1)),
                    _acted(16, "run_ipython", None, code="1/0"),
                    _seen(17, "run_ipython", 16, "Cell In[1]\nZeroDivisionError: division"),
                    _acted(18, "browse", None, url="http://shop"),
                    _seen(19, "browse", 18, "refused", extras={"error": True}),
                    _event(20, "user", action="pause", args={}),
                    _seen(21, "condense", None, "Shorter"),
                    _event(22, "environment", observation="agent_state_changed", content="",
                           extras={"agent_state": "error", "reason": "out of iterations"}),
                ]
            )
        },
        {
            "openhands:{folder}/t.json#0": [
                f"{_ABOUT} project=/workspace/shop "
                "start=2026-01-02T10:00:00 end=2026-01-02T10:00:22",
                "0 user turn: Build it",
                '1 agent: | run{"command": "rm -r ."} #1 -> rejected! User rejected the action #1',
                "2 user rejection:",
                '3 agent: | run{"command": "rm a"} #3 -> rejected! keep it #3',
                "4 user rejection: keep it",
                "5 user interrupt:",
                "7 system api_error: litellm.RateLimitError: slow down",
                "8 system api_error:",
                "9 system: -> other! stuck in a loop #None",
                "10 system api_error: litellm.Timeout: no answer",
                "11 system compaction: So far",
                "12 user: <uploaded_files>\n/workspace\n</uploaded_files>\nFix",
                "13 system: Note",
                '14 agent: | run{"command": "serve"} #14 -> timeout! Serving #14',
                '16 agent: | run_ipython{"code": "1/0"} #16 '
                "-> other! Cell In[1]\nZeroDivisionError: division #16",
                '18 agent: | browse{"url": "http://shop"} #18 -> other! refused #18',
                "20 user interrupt:",
                "21 system compaction: Shorter",
                "22 system: out of iterations",
            ]
        },
    ),
    "evaluation": Case(
        {
            "output.jsonl": _lines(
                {
                    **_TASK,
                    "metrics": _total(170, 17, 1.0),
                    "history": [
                        _said(0, "user", "Fix the shop"),
                        {**_acted(1, "run", None, command="a"),
                         "llm_metrics": _total(100, 10, 0.25)},
                        _seen(2, "run", 1, "ok", **_exit(0)),
                        {**_acted(3, "finish", None, final_thought="Fixed"),
                         "llm_metrics": _total(150, 15, 0.5)},
                        None,
                        17,
                    ],
                },
                # Again, at another time.
                {
                    **_TASK,
                    "error": "RuntimeError: maximum iteration",
                    "test_result": {},
                    "history": [_said(1, "user", "Fix the shop"), _said(2, "agent", "No")],
                },
            )
            + b'{"instance_id": "torn\n[1]\n'
        },
        {
            "openhands:shop__shop-7-a8d6398dd929": [
                f"{_ABOUT} project=/workspace/shop autonomous=True outcome=resolved "
                "start=2026-01-02T10:00:00 end=2026-01-02T10:00:03",
                "line:1#/history/0 user: Fix the shop",
                'line:1#/history/1 agent model-1 in 100 out 10 $0.25: | run{"command": "a"} #1 '
                "-> ok #1",
                "line:1#/history/3 agent model-1 in 70 out 7 $0.75: Fixed",
            ],
            "openhands:shop__shop-7-15b3bdc63240": [
                f"{_ABOUT} autonomous=True outcome=failed "
                "start=2026-01-02T10:00:01 end=2026-01-02T10:00:02",
                "line:2#/history/0 user: Fix the shop",
                "line:2#/history/1 agent model-1: No",
            ],
        },
        {
            "output.jsonl:line:1#/history/5": "not an event",
            "output.jsonl:line:3": "not valid JSON at character 17",
            "output.jsonl:line:4": "neither an event nor a task's history",
        },
    ),
    "resolver-and-pairs": Case(
        {
            "output.jsonl": _lines(
                {
                    **_OLD,
                    "history": [
                        {"action": "message", "content": "Add a license", "images_urls": None},
                        {"action": "run", "command": "touch LICENSE", "thought": "Sure",
                         "keep_prompt": True},
                        {"observation": "run", "content": "", "command": "touch LICENSE",
                         "command_id": -1, "exit_code": 0},
                        {"action": "finish", "outputs": {}, "thought": "Added"},
                    ],
                },
                {
                    **_OLD,
                    "success": True,
                    "history": [
                        [
                            {"source": "user", "action": "message", "args": {"content": "Do it"}},
                            {"observation": "null", "content": "", "extras": {}},
                        ],
                        [
                            {"source": "agent", "action": "run_ipython", "args": {"code": "f()"}},
                            {"observation": "run_ipython", "extras": {},
                             "content": "[Your proposed edit has introduced new syntax error(s)."},
                        ],
                    ],
                },
            )
        },
        {
            "openhands:ada/shop#5-4fab90c94cf5": [
                f"{_ABOUT} project=ada/shop autonomous=True outcome=failed",
                "line:1#/history/0 user: Add a license",
                'line:1#/history/1 agent $0.25: Sure | run{"command": "touch LICENSE"} '
                "#line:1#/history/1 ->  #line:1#/history/1",
                "line:1#/history/3 agent $0.5: Added",
            ],
            "openhands:ada/shop#5-4f5f49daf688": [
                f"{_ABOUT} project=ada/shop autonomous=True outcome=resolved",
                "line:2#/history/0/0 user: Do it",
                'line:2#/history/1/0 agent $0.75: | run_ipython{"code": "f()"} '
                "#line:2#/history/1/0 -> syntax! [Your proposed edit has introduced new syntax "
                "error(s). #line:2#/history/1/0",
            ],
        },
    ),
    "sdk-lines": Case(
        {"events.jsonl": _lines(*_SDK_EVENTS, *_SDK_EVENTS[:2])},
        {
            "openhands:{folder}/events.jsonl#0": [
                f"{_ABOUT} project=/workspace/shop "
                "start=2026-01-02T10:00:00 end=2026-01-02T10:00:08",
                *_SDK_TOLD,
            ]
        },
    ),
    "sdk-folder": Case(
        {
            "conv-1/base_state.json": _document(_STATE),
            **{
                _sdk_name(number): _document(_SDK_EVENTS[number])
                for number in (0, 1, 3, 4, 6, 7, 8)
            },
            "conv-2/base_state.json": _document({**_STATE, "id": "conv-2"}),
        },
        {
            "openhands:conv-1": [
                f"{_ABOUT} project=/home/ada/shop "
                "start=2026-01-02T10:00:00 end=2026-01-02T10:00:08",
                *_SDK_TOLD[:2],
                f"{_UUIDS[3]} agent model-9 in 100 out 10 (thought 4) $0.5: (Hm) Look "
                '| terminal{"command": "ls"} #c1 -> a b #c1',
                f"{_UUIDS[6]} agent model-9 in 200 (written 7) out 20 $0.75: (Hm) Once more "
                '| terminal{"command": "ls", "security_risk": "LOW"} #c2 '
                "-> unknown_tool! Unknown tool #c2",
                f"{_UUIDS[8]} agent model-9 in 30 out 3 $0.25: Two.",
            ]
        },
    ),
    "sdk-server-folder": Case(
        {
            f"{_UUIDS[0]}/{_UUIDS[9]}.json": _document(_message(1, "user", "Hello")),
            f"{_UUIDS[0]}/{_UUIDS[3]}.json": _document(_message(2, "agent", "Yes?")),
        },
        {
            f"openhands:{_UUIDS[0]}": [
                f"{_ABOUT} start=2026-01-02T10:00:01 end=2026-01-02T10:00:02",
                f"{_UUIDS[1]} user turn: Hello",
                f"{_UUIDS[2]} agent: Yes?",
            ]
        },
    ),
    "sdk-events-of-every-kind": Case(
        {
            "events.jsonl": _lines(
                _sdk(0, "ConversationStateUpdateEvent", "environment", key="full_state",
                     value={**_STATE, "stats": {}}),
                _message(1, "user", "Go"),
                _action(2, "r1", "c1", {"kind": "FinishAction", "message": "Bye"},
                        reasoning_content=None,
                        thinking_blocks=[{"type": "thinking", "thinking": "Mh"}]),
                _sdk(3, "UserRejectObservation", "environment", tool_name="terminal",
                     tool_call_id="c1", action_id=_UUIDS[2],
                     rejection_reason="User rejected the action"),
                _sdk(4, "UserRejectObservation", "environment", tool_name="terminal",
                     tool_call_id="c1", rejection_reason="not that one"),
                _sdk(5, "UserRejectObservation", "hook", tool_name="terminal", tool_call_id="c1",
                     rejection_reason="a rule forbids it", rejection_source="hook"),
                _sdk(6, "PauseEvent", "user"),
                _sdk(7, "InterruptEvent", "user", reason="User requested interrupt"),
                _sdk(8, "Condensation", "environment", summary="So far", llm_response_id="r2",
                     forgotten_event_ids=[_UUIDS[1]]),
                _sdk(9, "CondensationRequest", "environment"),
                _sdk(10, "ConversationErrorEvent", "environment", code="LLMRateLimitError",
                     detail="slow down"),
                _sdk(11, "ConversationErrorEvent", "environment", code="MaxIterationsReached",
                     detail="enough"),
                _message(12, "environment", "A note"),
                _sdk(13, "ACPToolCallEvent", "agent", tool_call_id="a1", title="Read it",
                     tool_kind="read", status="in_progress", raw_input={"path": "a"}),
                _sdk(14, "ACPToolCallEvent", "agent", tool_call_id="a1", title="Read it",
                     tool_kind="read", status="failed", is_error=True,
                     content=[{"type": "content", "content": {"type": "text", "text": "gone"}}]),
                _sdk(15, "TokenEvent", "agent", prompt_token_ids=[1]),
                _sdk(16, "FutureEvent", "agent"),
                # Sent again after going back to an earlier message.
                _message(17, "user", "Go on", parent_id=_UUIDS[1]),
                _result(18, "c9", 2, content="late", timeout=True, exit_code=-1),
                _result(19, "c8", 2, output="old", metadata={"exit_code": 1}),
            )
        },
        {
            "openhands:conv-1": [
                f"{_ABOUT} project=/home/ada/shop "
                "start=2026-01-02T10:00:01 end=2026-01-02T10:00:19",
                f"{_UUIDS[1]} user turn: Go",
                f'{_UUIDS[2]} agent model-9: (Mh) Look\nBye | terminal{{"message": "Bye"}} #c1 '
                "-> rejected! User rejected the action #c1 -> rejected! not that one #c1"
                " -> other! a rule forbids it #c1",
                f"{_UUIDS[3]} user rejection:",
                f"{_UUIDS[4]} user rejection: not that one",
                f"{_UUIDS[6]} user interrupt:",
                f"{_UUIDS[7]} user interrupt:",
                f"{_UUIDS[8]} system compaction: So far",
                f"{_UUIDS[10]} system api_error: LLMRateLimitError: slow down",
                f"{_UUIDS[11]} system: MaxIterationsReached: enough",
                f"{_UUIDS[12]} system: A note",
                f'{_UUIDS[13]} agent model-9: Read it | read{{"path": "a"}} #a1 '
                "-> other! gone #a1",
                f"{_UUIDS[17]}/rollback system rollback:",
                f"{_UUIDS[17]} user turn: Go on",
                f"{_UUIDS[18]} system: -> timeout! late #c9",
                f"{_UUIDS[19]} system: -> command_failed! old #c8",
            ]
        },
    ),
    "wrong-types-everywhere": Case(
        {
            "t.json": _document(
                [
                    _said(0, "user", "Hi"),
                    _event(1, "agent", action="run", args={"command": 7, "thought": []},
                           tool_call_metadata={"tool_call_id": 3, "model_response": [1]},
                           llm_metrics={"accumulated_token_usage": "many",
                                        "accumulated_cost": "free"}),
                    _event(2, "agent", observation="run", cause={}, content=["x", 3],
                           extras={"metadata": "none"}, success="maybe"),
                    {"id": 3, "timestamp": "yesterday", "source": "agent", "action": ["run"]},
                    _said(0, "user", "Another with this id"),
                    "text",
                    _said(6, "environment", ""),
                    [],
                ]
            ),
            "e.jsonl": _lines(
                _message(0, "user", "Hi"),
                {**_message(1, "agent", ""), "llm_message": "text"},
                _sdk(2, "ActionEvent", "agent", thought=3, action=[], tool_call="x"),
                _sdk(3, "ObservationEvent", "environment", observation=[3]),
                _sdk(4, "ConversationStateUpdateEvent", "environment", key="stats",
                     value={"usage_to_metrics": {"agent": 7, "b": {"accumulated_cost": -1}}}),
                {"kind": 7},
                {"kind": "MessageEvent"},
                9,
            ),
        },
        {
            "openhands:{folder}/t.json#0": [
                f"{_ABOUT} start=2026-01-02T10:00:00 end=2026-01-02T10:00:02",
                "0 user turn: Hi",
                '1 agent: | run{"command": 7} #3',
                "2 system: -> x #None",
                "#/4 user turn: Another with this id",
            ],
            "openhands:{folder}/e.jsonl#0": [
                f"{_ABOUT} start=2026-01-02T10:00:00 end=2026-01-02T10:00:03",
                f"{_UUIDS[0]} user turn: Hi",
                f"{_UUIDS[1]} agent:",
                f"{_UUIDS[2]} agent: | {{}} #{_UUIDS[2]}",
                f"{_UUIDS[3]} system: ->  #None",
            ],
        },
        {
            "t.json:#/5": "not an event",
            "t.json:#/7": "not an event",
            "e.jsonl:line:8": "neither an event nor a task's history",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_files_give_these_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"kind": "Pod", "id": "a", "source": "agent"}, id="a-kind-of-others"),
        pytest.param({"kind": "PodEvent", "id": "a", "source": "node"}, id="a-source-of-others"),
        pytest.param([{"action": "run", "args": {}}], id="no-source"),
        pytest.param({"history": [{"role": "user", "content": "x"}], "metrics": {}}, id="chat"),
        pytest.param({"history": [], "title": "x"}, id="no-task"),
        pytest.param({"id": "a", "agent": "b", "workspace": "c", "stats": 1}, id="no-state"),
        pytest.param([[], {}, 1], id="odd-list"),
    ],
)
def test_what_only_resembles_it_is_not_taken(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "0.json"
    path.write_bytes(_document(value))
    assert read_file(path).format is None


def test_a_conversation_without_events_says_so(tmp_path: Path) -> None:
    path = tmp_path / "base_state.json"
    path.write_bytes(_document(_STATE))
    told = "no conversation in it; the state of a conversation without events"
    assert read_file(path).detail == told


@pytest.mark.shared
def test_the_real_logs_give_what_they_hold(shared_dir: Path) -> None:
    """Sessions as (steps, turns, calls, results, errors, input, output tokens, cost).

    Counted apart from the reader: calls are actions with a tool's id or kind, errors are results
    that say so by flag, exit code or first word, tokens and costs are the last totals.
    """
    found: dict[str, list[tuple[float, ...]]] = {}
    for path in find_files([shared_dir / "logs" / "openhands"]):
        for session in read_file(path).sessions:
            results = [seen for step in session.steps for seen in step.observations]
            tokens = [step.tokens for step in session.steps if step.tokens]
            costs = sum(step.cost_usd or 0 for step in session.steps)
            found.setdefault(f"{path.parent.name}/{path.name}", []).append(
                (
                    len(session.steps),
                    len(person_turns(session)),
                    sum(len(step.tool_calls) for step in session.steps),
                    len(results),
                    sum(seen.is_error for seen in results),
                    sum(t.input for t in tokens),
                    sum(t.output for t in tokens),
                    round(costs, 6),
                )
            )
    assert found == {
        "examples/output.jsonl": [
            (25, 0, 23, 22, 6, 565158, 2558, 0),
            (36, 0, 33, 33, 14, 410169, 5156, 0),
            (52, 0, 49, 50, 25, 938015, 5627, 0),
        ],
        "trajs/basic.json": [(3, 1, 2, 1, 0, 8132, 1312, 0)],
        "trajs/basic_gui_mode.json": [(6, 1, 4, 4, 1, 17297, 2024, 0)],
        "trajs/basic_interactions.json": [(6, 3, 1, 0, 0, 2473, 10, 0)],
        "trajs/wrong_initial_state.json": [(5, 1, 4, 3, 0, 14828, 358, 0)],
        "mock_output/output.jsonl": [
            (5, 0, 3, 3, 0, 0, 0, 0.070713),
            (23, 0, 21, 21, 11, 0, 0, 1.152933),
        ],
        "fixtures/events.jsonl": [(3, 0, 2, 3, 3, 107458, 1347, 0)],
    }
