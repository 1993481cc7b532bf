"""An agent's hook: one event of Claude Code in, advice for the agent out, or nothing.

Each call is a process of its own that the agent waits for, so what is imported here is what it
costs. It never blocks the agent: it only ever adds words to what the agent reads.

Events and fields: https://code.claude.com/docs/en/hooks
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_core.session import Session, Step, ToolCall
from judges.live import Alarm, LiveJudge
from pipelines.live_state import LiveState
from pipelines.live_tail import Tail
from pipelines.sources.formats.claude_code import SOURCE
from pipelines.sources.person import person_text
from pipelines.sources.tool_errors import observe
from pipelines.stages.exclusion import is_excluded, names_excluded

MAX_INPUT_BYTES = 1 << 24
MAX_ADVICE = 3
"""Alarms that one call tells of."""
_MAX_UNSEEN_TURNS = 8
_WITH_CONTEXT = ("UserPromptSubmit", "PostToolUse", "PostToolUseFailure")
_EVENTS = (*_WITH_CONTEXT, "Stop")


def main(root: Path) -> None:
    """Answer the event on standard input by a JSON object on standard output, or by nothing."""
    told = answer(json.loads(sys.stdin.buffer.read(MAX_INPUT_BYTES)), root)
    if told is not None:
        print(json.dumps(told), flush=True)


def answer(event: Mapping[str, Any], root: Path) -> dict[str, Any] | None:
    """What the hook says to an event; None: nothing.

    Raises what a broken transcript or a home that cannot be written to raise.
    """
    name = event.get("hook_event_name")
    if name not in _EVENTS or "agent_id" in event:  # a subagent speaks with no person
        return None
    transcript = Path(str(event["transcript_path"])).expanduser()
    excluded = _excluded(root)
    # Before anything is kept: the first prompt comes before there is a transcript.
    if names_excluded(str(transcript), str(event.get("cwd") or ""), excluded):
        return None
    state = LiveState.load(root, transcript)
    session = _session(transcript, str(event.get("session_id", "")))
    if session is not None and is_excluded(session, excluded):
        return None
    judge, steps = state.resume(_with_event(session.steps if session else (), event, name))
    alarms = _judged(judge, steps, name)
    state.store(judge)
    return _reply(name, alarms[:MAX_ADVICE])


def _judged(judge: LiveJudge, steps: Sequence[Step], name: str) -> list[Alarm]:
    """The alarms of the newest step; those of steps before it come too late."""
    if not steps:
        return []
    *before, last = steps
    turns = [i for i, step in enumerate(before) if step.is_person][-_MAX_UNSEEN_TURNS:]
    for position, step in enumerate(before):
        if position in turns:
            judge.observe(step)
        else:
            judge.recall([step])
    if last.is_person:
        stopped = judge.look(before[-1]) if before else ()
        return [*stopped, *judge.observe(last)]
    judge.recall([last])
    return [*judge.look(last), *(judge.rest(last) if name == "Stop" else ())]


def _session(transcript: Path, session_id: str) -> Session | None:
    """The session at the end of the transcript; None before anything is written."""
    try:
        sessions = Tail(transcript, SOURCE).read().sessions
    except FileNotFoundError:
        return None
    named = [one for one in sessions if one.session_id == session_id]
    return next(iter(named or sessions[-1:]), None)


def _with_event(steps: Sequence[Step], event: Mapping[str, Any], name: str) -> list[Step]:
    """The steps with what the event tells and the transcript does not hold yet."""
    if name == "UserPromptSubmit":
        return [*steps, *_prompt(str(event.get("prompt", "")), steps)]
    if name.startswith("PostToolUse"):
        return [*steps, *_result(event, steps, failed=name == "PostToolUseFailure")]
    return list(steps)


def _prompt(prompt: str, steps: Sequence[Step]) -> list[Step]:
    words = "" if prompt.startswith("/") else person_text(prompt)
    is_written = bool(steps) and steps[-1].is_person and steps[-1].text == words
    return [] if is_written or not words else [Step("prompt", "user", words, is_person=True)]


def _result(event: Mapping[str, Any], steps: Sequence[Step], *, failed: bool) -> list[Step]:
    call_id = str(event.get("tool_use_id", ""))
    if any(one.call_id == call_id for step in steps for one in step.observations):
        return []
    given = event.get("tool_input")
    arguments = given if isinstance(given, dict) else {}
    call = ToolCall(call_id, str(event.get("tool_name", "")), arguments)
    is_known = any(made.call_id == call_id for step in steps for made in step.tool_calls)
    content = str(event.get("error") or "failed") if failed else ""
    seen = observe(content, call_id=call_id, is_error=failed, source_ref=None)
    source_ref = f"result:{call_id}"
    return [Step(source_ref, "agent", tool_calls=() if is_known else (call,), observations=(seen,))]


def _excluded(root: Path) -> Sequence[str]:
    """`[sources] exclude` of the configuration, which the other verbs validate."""
    try:
        text = (root / "signals.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    import tomllib

    return tuple(tomllib.loads(text).get("sources", {}).get("exclude", ()))


def _reply(name: str, alarms: Sequence[Alarm]) -> dict[str, Any] | None:
    if not alarms:
        return None
    text = "\n".join(f"Signals: {alarm.says}. {alarm.advice}" for alarm in alarms)
    if name not in _WITH_CONTEXT:
        return {"systemMessage": text}  # a Stop hook could only speak to the agent by blocking
    return {"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}}
