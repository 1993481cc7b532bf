"""Hand-made lines of Claude Code and Codex logs for the tests of this folder."""

import json
from pathlib import Path
from typing import Any

from agent_core.session import Session, Step
from pipelines.sources import read_file


def claude(kind: str, uuid: str, content: Any = None, **more: Any) -> dict[str, Any]:
    """One line of a Claude Code session `s1`."""
    line: dict[str, Any] = {
        "type": kind,
        "uuid": uuid,
        "parentUuid": None,
        "sessionId": "s1",
        "timestamp": "2026-01-01T10:00:00.000Z",
        "cwd": "/home/ada/shop",
        "version": "2.1.0",
        "isSidechain": False,
    }
    if kind == "system":
        line["content"] = content
    elif content is not None:
        line["message"] = {"role": kind, "content": content}
    return {**line, **more}


def answer(uuid: str, message_id: str, *blocks: dict[str, Any], **usage: Any) -> dict[str, Any]:
    """One line of an answer of the model; lines of one call share `message_id`."""
    message = {"id": message_id, "model": "model-1", "content": list(blocks), "usage": usage}
    return claude("assistant", uuid, message=message)


def use(call_id: str, name: str = "Bash", **arguments: Any) -> dict[str, Any]:
    """A block that calls a tool."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any, *, is_error: bool = False) -> dict[str, Any]:
    """A block that carries a tool's result."""
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
    return {**block, "is_error": is_error}


def say(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": text}


def codex(kind: str, second: int = 0, **payload: Any) -> dict[str, Any]:
    """One envelope of a Codex rollout."""
    stamp = f"2026-01-01T10:00:{second:02}.000Z"
    return {"timestamp": stamp, "type": kind, "payload": payload}


def item(kind: str, second: int = 0, **payload: Any) -> dict[str, Any]:
    """A response item."""
    return codex("response_item", second, **{"type": kind, **payload})


def event(kind: str, second: int = 0, **payload: Any) -> dict[str, Any]:
    """An event message."""
    return codex("event_msg", second, **{"type": kind, **payload})


def spoken(role: str, text: str, second: int = 0) -> dict[str, Any]:
    """A message among the response items."""
    return item("message", second, role=role, content=[{"type": "input_text", "text": text}])


def read_lines(path: Path, *lines: Any) -> tuple[Session, ...]:
    """The sessions of a file with these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_file(path).sessions


def outline(session: Session) -> list[tuple[str, str, str, str]]:
    """Each step as (reference, source, `turn` or event or nothing, text)."""
    return [(s.source_ref, s.source, _kind(s), s.text) for s in session.steps]


def _kind(step: Step) -> str:
    return "turn" if step.is_person else step.event or ""
