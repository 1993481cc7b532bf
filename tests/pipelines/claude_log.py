"""Claude Code log lines for tests, as the format's real files have them."""

import json
from pathlib import Path
from typing import Any


def line(session: str, uuid: str, minute: int, **fields: Any) -> dict[str, Any]:
    """What every record of a session carries."""
    return {
        "sessionId": session,
        "uuid": uuid,
        "parentUuid": None,
        "timestamp": f"2026-09-01T08:{minute:02d}:00.000Z",
        "cwd": "/home/ada/shop",
        "version": "2.1.0",
        "isSidechain": False,
        "userType": "external",
        **fields,
    }


def said(session: str, uuid: str, minute: int, text: str) -> dict[str, Any]:
    """A turn of the person."""
    message = {"role": "user", "content": text}
    return line(session, uuid, minute, type="user", message=message)


def answered(
    session: str, uuid: str, minute: int, text: str, *, tokens: int = 10
) -> dict[str, Any]:
    """An answer of the agent, one API call."""
    message = {
        "id": f"msg-{uuid}",
        "role": "assistant",
        "model": "claude-made-up",
        "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": tokens, "output_tokens": 5},
    }
    return line(session, uuid, minute, type="assistant", message=message)


def write_log(path: Path, *records: dict[str, Any] | str) -> Path:
    """A log file; a record given as text is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return path
