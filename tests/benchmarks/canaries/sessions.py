"""Canaries, and invented logs that hold one wherever a log can hold anything."""

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_core.redaction import visible

_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Canary:
    """One private thing, and the number of its case."""

    number: int
    kind: str
    script: str
    text: str

    @property
    def needles(self) -> tuple[str, ...]:
        """What gives it away: the whole, and each piece of at least 5 signs with no plain word."""
        whole = visible(self.text).casefold()
        pieces = [] if self.kind == "sentence" else whole.split()
        telling = [piece for piece in pieces if len(piece) > 4 and piece not in _PLAIN]
        return (whole, *telling)


_PLAIN = {"return", "rows[0]", "purple", "kettle", "velvet", "harbor", "freight", "select", "quick"}
_PLAIN |= {"bearer", "logistics", "project", "secret", "turnip"}


def canaries() -> list[Canary]:
    """All canaries of canaries.toml."""
    source = Path(__file__).with_name("canaries.toml").read_text(encoding="utf-8")
    listed = [
        (kind, script, text)
        for kind, scripts in tomllib.loads(source).items()
        for script, texts in scripts.items()
        for text in texts
    ]
    return [Canary(number, *entry) for number, entry in enumerate(listed)]


def write_logs(folder: Path, planted: list[Canary], *, each: bool = True) -> None:
    """Each canary in a Claude Code log, an ATIF document and a chat of the OpenAI form.

    Without `each` in one of the three, by turns.
    """
    for canary in planted:
        names = list(_FORMATS)
        if not each:
            names = [names[canary.number % len(names)]]
        for name in names:
            suffix, text = _FORMATS[name](canary)
            _write(folder / name / f"case-{canary.number:03d}.{suffix}", text)


def write_core_logs(folder: Path, planted: list[Canary]) -> None:
    """Two sessions of the bundled agent for each: an older release serves, a newer one fails."""
    for canary in planted:
        for release, day, failed in ((_OLD, 3, False), (_NEW, 9, True)):
            name = f"core-{day}-{canary.number:03d}"
            _write(folder / f"{name}.json", json.dumps(_core(canary, name, release, day, failed)))


def write_named_logs(folder: Path, planted: list[Canary]) -> None:
    """The canary says whose session it is: user, session, project, file; the text is harmless."""
    for canary in planted:
        harmless = Canary(canary.number, canary.kind, canary.script, "the report")
        x = canary.text
        extra = {"user": x, "project": f"/srv/{x}"}
        named = {"session_id": f"{canary.number} {x}", "extra": extra}
        told = {"name": "support agent", "version": "1.2.0"}
        document = _atif(harmless) | named | {"agent": told, "notes": ""}
        file = f"{canary.number} {x}".replace("/", " ").replace("\\", " ")
        _write(folder / f"{file}.json", json.dumps(document))


_OLD, _NEW = "0.1.0+aaaaaaaaaaa1", "0.1.0+bbbbbbbbbbb2"


def _core(canary: Canary, name: str, release: str, day: int, failed: bool) -> dict[str, Any]:
    x = canary.text
    call = {"tool_call_id": "c", "function_name": "run_command", "arguments": {"command": x}}
    content = f"timed out: the command took longer than 60 s: {x}" if failed else f"exit 0: {x}"
    result = {"source_call_id": "c", "content": content, "extra": {"is_error": failed}}
    steps: list[dict[str, Any]] = [
        {"source": "user", "message": f"Please run {x}."},
        *[{"source": "agent", "message": f"I run {x}.", "tool_calls": [call],
           "observation": {"results": [result]}}] * 3,
        {"source": "user", "message": f"It still fails, {x} is broken." if failed else "Now stop."},
    ]  # fmt: skip
    timed = [
        step | {"step_id": n, "timestamp": f"2026-09-{day:02d}T08:{n:02d}:00Z"}
        for n, step in enumerate(steps, start=1)
    ]
    return {
        "schema_version": "ATIF-v1.6", "session_id": name, "steps": timed,
        "agent": {"name": "signals-core", "version": "0.1.0"},
        "extra": {"release": release, "user": f"user {canary.number % 3}"},
    }  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _turns(canary: Canary) -> Iterator[tuple[str, str]]:
    """What the person says and what the agent answers."""
    x = canary.text
    yield f"Case {canary.number:03d}. Please look at {x} and make it faster.", f"I look at {x}."
    yield f"No, that is wrong, {x} still fails with the same error!", f"All tests pass now: {x}."
    yield f"It still fails, {x} is broken again. Undo it.", f"I have undone {x}."


def _claude_code(canary: Canary) -> Iterator[dict[str, Any]]:
    x, minute, session = canary.text, 0, f"cc-{canary.number:03d}"

    def record(kind: str, content: Any, **message: Any) -> dict[str, Any]:
        nonlocal minute
        minute += 1
        return {
            "sessionId": session, "uuid": f"{session}-{minute}", "parentUuid": None,
            "timestamp": f"2026-09-01T08:{minute % _MINUTES:02d}:00.000Z", "cwd": f"/srv/{x}",
            "gitBranch": x, "version": f"2.1.0-{x}", "isSidechain": False, "userType": "external",
            "type": kind, "message": {"role": kind, "content": content, **message},
        }  # fmt: skip

    for said, answered in _turns(canary):
        yield record("user", said)
        for failed in (True, True, True, False):
            call = f"call-{minute}"
            used = {"type": "tool_use", "id": call, "name": f"mcp__{x}__run", "input": {x: x}}
            yield record("assistant", [used], id=f"msg-{session}-{minute}", model=f"model {x}")
            result = {
                "type": "tool_result", "tool_use_id": call, "is_error": failed,
                "content": f"{x}: command timed out" if failed else f"{x} is fine",
            }  # fmt: skip
            yield record("user", [result])
        text = {"type": "text", "text": answered}
        yield record("assistant", [text], id=f"end-{session}-{minute}", model=f"model {x}")


def _atif(canary: Canary) -> dict[str, Any]:
    x, steps = canary.text, list[dict[str, Any]]()
    for said, answered in _turns(canary):
        steps.append({"source": "user", "message": said})
        for n in range(3):
            call = {"tool_call_id": f"c{len(steps)}", "function_name": x, "arguments": {"path": x}}
            seen = {"source_call_id": f"c{len(steps)}", "content": f"Error: {x} not found {n}"}
            steps.append({
                "source": "agent", "message": answered, "reasoning_content": x, "model_name": x,
                "tool_calls": [call], "observation": {"results": [seen]},
            })  # fmt: skip
    for number, step in enumerate(steps, start=1):
        step |= {"step_id": number, "timestamp": f"2026-09-02T08:{number:02d}:00Z"}
    return {
        "schema_version": "ATIF-v1.4", "session_id": f"atif-{canary.number:03d}", "steps": steps,
        "agent": {"name": f"agent {x}", "version": x, "model_name": x}, "notes": x,
    }  # fmt: skip


def _chat(canary: Canary) -> dict[str, Any]:
    x, messages = canary.text, list[dict[str, Any]]()
    for said, answered in _turns(canary):
        call: dict[str, Any] = {"id": f"k{len(messages)}", "type": "function"}
        call |= {"function": {"name": x, "arguments": json.dumps({"query": x})}}
        messages += [
            {"role": "user", "content": said},
            {"role": "assistant", "content": answered, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": f"Error: {x} not found"},
            {"role": "assistant", "content": answered},
        ]
    return {"id": f"chat-{canary.number:03d}", "model": x, "messages": messages}


def _claude_code_text(canary: Canary) -> tuple[str, str]:
    return "jsonl", "".join(f"{json.dumps(record)}\n" for record in _claude_code(canary))


_FORMATS: dict[str, Callable[[Canary], tuple[str, str]]] = {
    "claude": _claude_code_text,
    "atif": lambda canary: ("json", json.dumps(_atif(canary))),
    "chat": lambda canary: ("json", json.dumps(_chat(canary))),
}
