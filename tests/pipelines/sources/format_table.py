"""How the test table of a format is written: files in, sessions out, each step as one line.

A test module of a format has `CASES: dict[str, Case]`. Its own test compares them; the contract
and the fuzz tests of all formats take their files from there too.
"""

import json
from pathlib import Path
from typing import NamedTuple

from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from pipelines.sources import FileReading, read_file


class Case(NamedTuple):
    """Files of one folder and what must come out of them."""

    files: dict[str, bytes]
    """Content by path within the folder."""
    sessions: dict[str, list[str]]
    """By session key (with `{folder}` for the folder): `about` of it, then `told` of each step."""
    broken: dict[str, str] = {}  # noqa: RUF012 - a default that nobody changes
    """Reason by `path:place` of what was quarantined."""


def read_case(case: Case, folder: Path) -> list[FileReading]:
    """Write the files and read each of them."""
    for name, content in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return [read_file(folder / name) for name in sorted(case.files)]


def check_case(case: Case, folder: Path) -> None:
    """Assert that the files give exactly the sessions and broken records of the case."""
    readings = read_case(case, folder)
    sessions = [session for reading in readings for session in reading.sessions]
    assert {s.key.replace(str(folder), "{folder}"): told(s) for s in sessions} == case.sessions
    assert {
        f"{reading.path.relative_to(folder)}:{broken.place}": broken.reason
        for reading in readings
        for broken in reading.quarantined
    } == case.broken


def told(session: Session) -> list[str]:
    """The session as a table of one line each: `about`, then every step."""
    return [about(session), *map(step_line, session.steps)]


def about(session: Session) -> str:
    """What is known of the session as a whole; what is unknown is left out."""
    facts = {
        "agent": session.agent,
        "version": session.agent_version,
        "user": session.user,
        "project": session.project,
        "parent": session.parent_key,
        "autonomous": session.is_autonomous or None,
        "simulated": session.is_simulated_user or None,
        "outcome": session.outcome,
        "start": session.started_at and f"{session.started_at:%Y-%m-%dT%H:%M:%S}",
        "end": session.ended_at and f"{session.ended_at:%Y-%m-%dT%H:%M:%S}",
    }
    return " ".join(f"{name}={fact}" for name, fact in facts.items() if fact is not None)


def step_line(step: Step) -> str:
    """`ref source [turn] [event] [copied] [model] [tokens] [cost]: text`, calls and results."""
    marks = [
        step.source_ref,
        step.source,
        "turn" if step.is_person else "",
        step.event or "",
        "copied" if step.is_copied_context else "",
        step.model or "",
        _tokens(step.tokens),
        f"${step.cost_usd:g}" if step.cost_usd is not None else "",
    ]
    head = " ".join(filter(None, marks))
    thought = f" ({step.reasoning})" if step.reasoning else ""
    calls, results = map(_call, step.tool_calls), map(_result, step.observations)
    return f"{head}:{thought} {step.text}".rstrip() + "".join([*calls, *results])


def _tokens(tokens: Tokens | None) -> str:
    """`in 10 (cached 4, written 2) out 3 (thought 1)`; zeros are left out."""
    if tokens is None:
        return ""
    inner = [("cached", tokens.cached), ("written", tokens.cache_write)]
    inner += [("hour", tokens.cache_write_hour)]
    kept = ", ".join(f"{name} {count}" for name, count in inner if count)
    thought = f" (thought {tokens.reasoning})" if tokens.reasoning else ""
    return f"in {tokens.input}" + (f" ({kept})" if kept else "") + f" out {tokens.output}{thought}"


def _call(call: ToolCall) -> str:
    arguments = json.dumps(dict(call.arguments), sort_keys=True)
    return f" | {call.name}{arguments} #{call.call_id}"


def _result(seen: Observation) -> str:
    failure = f" {seen.error_class}!" if seen.is_error else ""
    return f" ->{failure} {seen.content} #{seen.call_id}"
