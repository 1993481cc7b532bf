"""The real logs: every file has a status, every labelled turn is found, conversions agree."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from agent_core.session import Session, Step, Tokens, person_turns
from pipelines.sources import FileReading, LogFile, find_files, read_file

pytestmark = [pytest.mark.shared, pytest.mark.slow]

# Labelled as turns, but each is a message of another agent that the program delivered.
_MESSAGES_OF_AGENTS = {
    "118ec09c-ecfc-4cdd-94d4-a592e98a057d",
    "17f8cbbd-5862-4ddb-9ee9-304141346b4b",
    "07614cc1-dddc-46a3-966b-67d45ab967f2",
    "978c48a4-2f21-4cb5-8137-81926bf6bbe5",
}
# Conversions cannot know that a prompt came through the SDK, whose runs have no person.
_SDK_SESSIONS = {
    "21a97724-b1cd-4436-81e2-068b9323524c",
    "46ba4000-2fba-4a5c-ac10-d516e166fd7b",
    "f5b5a991-b4b0-4df2-8d30-864cbada97c2",
    "fc4e7260-e682-4a05-b825-35baf8ffbf88",
}
# Of this one the converter lost a result.
_LOSSY = {"4ec443d0-063b-4de3-8ede-e35160c2c1de": "results"}


@pytest.fixture(scope="module")
def readings(shared_dir: Path) -> list[FileReading]:
    """Every file of the shared logs, read."""
    return [read_file(file) for file in find_files([shared_dir / "logs"])]


def test_every_file_has_a_status(readings: list[FileReading], shared_dir: Path) -> None:
    folders = Counter(
        (r.path.relative_to(shared_dir / "logs").parts[0].split(".")[0], r.format or r.status)
        for r in readings
        if r.status != "metadata"
    )
    assert folders == {
        ("SOURCES", "unknown"): 1,
        ("atif", "atif"): 24,
        ("atif", "unknown"): 1,
        ("claude_code", "claude_code"): 33,
        ("claude_code_fixtures", "claude_code"): 32,
        ("claude_code_long", "claude_code"): 14,
        ("claude_code_more", "claude_code"): 62,
        ("codex", "codex"): 18,
        ("codex_more", "codex"): 8,
        ("copilot_cli", "copilot_cli"): 12,
        ("failure_attribution", "openai_chat"): 8,
        ("failure_attribution", "unknown"): 32,
        ("gemini_cli", "gemini_cli"): 8,
        ("inspect", "inspect"): 18,
        ("mini_swe_agent", "mini_swe_agent"): 42,
        ("openai_chat", "openai_chat"): 3,
        ("openhands", "openhands"): 7,
        ("otel_openinference", "otlp"): 15,
        ("otel_openinference", "unknown"): 1,
        ("outcomes", "unknown"): 1,
        ("pi", "pi"): 9,
        ("swe_agent", "swe_agent"): 22,
    }


def test_only_what_is_broken_is_quarantined(readings: list[FileReading]) -> None:
    broken = {r.path.name: [q.place for q in r.quarantined] for r in readings if r.quarantined}
    assert broken == {"edge_cases.jsonl": [f"line:{n}" for n in (10, 11, 13, 15, 16)]}


def test_every_labelled_turn_is_found_and_no_other(shared_dir: Path) -> None:
    labelled: dict[str, list[str]] = defaultdict(list)
    labels = shared_dir / "labels" / "coding_sessions" / "turns.jsonl"
    for line in labels.read_text().splitlines():
        row = json.loads(line)
        if row["source_ref"] not in _MESSAGES_OF_AGENTS:
            labelled[row["path"]].append(row["source_ref"])
    assert {path: _turns(shared_dir / path) for path in labelled} == labelled


def _turns(path: Path) -> list[str]:
    return [s.steps[i].source_ref for s in read_file(path).sessions for i in person_turns(s)]


def test_conversions_agree_with_their_natives(readings: list[FileReading]) -> None:
    sessions = [session for reading in readings for session in reading.sessions]
    natives = {(s.agent, s.session_id): s for s in sessions if s.format in ("claude_code", "codex")}
    pairs = {
        s.session_id: (_figures(s), _figures(natives[s.conversion_of]))
        for s in sessions
        if s.conversion_of in natives
    }
    differing = {
        session_id: {key for key in converted if converted[key] != native[key]}
        for session_id, (converted, native) in pairs.items()
        if converted != native
    }
    assert len(pairs) == 18
    assert differing == {
        **{session_id: {"turns"} for session_id in _SDK_SESSIONS},
        **{session_id: {what} for session_id, what in _LOSSY.items()},
    }


def _figures(session: Session) -> dict[str, object]:
    results = [seen for step in session.steps for seen in step.observations]
    return {
        "turns": len(person_turns(session)),
        "calls": sum(len(step.tool_calls) for step in session.steps),
        "results": len(results),
        "errors": sum(seen.is_error for seen in results),
        "rejections": sum(step.event == "rejection" for step in session.steps),
        "tokens": _tokens(session.steps),
        "project": session.project,
    }


def _tokens(steps: tuple[Step, ...]) -> tuple[int, int, int]:
    calls: dict[str, Tokens] = {}
    for step in steps:
        if step.tokens:
            name = step.api_call_id or step.source_ref
            before, now = calls.get(name, Tokens()), step.tokens
            calls[name] = Tokens(
                max(before.input, now.input),
                max(before.cached, now.cached),
                max(before.output, now.output),
            )
    spent = calls.values()
    return sum(t.input for t in spent), sum(t.cached for t in spent), sum(t.output for t in spent)


def test_tokens_of_codex_add_up_to_the_last_total(readings: list[FileReading]) -> None:
    differing = {}
    for reading in readings:
        if reading.format == "codex" and (total := _last_total(reading.path)):
            (session,) = reading.sessions
            tokens = [step.tokens for step in session.steps if step.tokens]
            got = (sum(t.input for t in tokens), sum(t.output for t in tokens))
            if got != total:
                differing[reading.path.name] = (got, total)
    assert differing == {}


def _last_total(path: Path) -> tuple[int, int] | None:
    total = None
    for record in LogFile(path).records:
        info = record.value["payload"].get("info") or {}
        if record.value["payload"].get("type") == "token_count" and info:
            usage = info["total_token_usage"]
            total = usage["input_tokens"], usage["output_tokens"]
    return total
