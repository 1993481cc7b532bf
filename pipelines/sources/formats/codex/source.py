"""Codex CLI: `~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl`, with and without envelopes."""

from collections.abc import Mapping
from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, mapping_of, text_of, time_of
from pipelines.sources.formats.codex.records import CodexRecord, CodexSteps
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined

_ENVELOPES = frozenset(
    ("session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state")
)
_BARE_ITEMS = frozenset(
    (
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "local_shell_call",
        "custom_tool_call",
        "custom_tool_call_output",
    )
)


class Codex:
    """Reads rollouts: envelopes `{timestamp, type, payload}`, or the bare items of before."""

    name = "codex"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether a record is an envelope, or the first line opens a bare rollout."""
        if any(_is_envelope(record) for record in head.objects):
            return True
        first, *rest = head.objects or [{}]
        opens = "type" not in first and {"id", "timestamp"} <= first.keys()
        is_bare_opening = opens and bool({"instructions", "git"} & first.keys())
        return is_bare_opening and all(_is_bare(record) for record in rest)

    def read(self, log: LogFile) -> Parsed:
        """The one session of a rollout."""
        quarantined = [Quarantined(f"line:{line.line}", line.reason) for line in log.broken_lines]
        records: list[CodexRecord] = []
        for place, _, value in log.records:
            if not isinstance(value, dict):
                quarantined.append(Quarantined(place, "not a JSON object"))
            elif record := _unwrap(place, value, is_first=not records):
                records.append(record)
        session = _session(log, records)
        return Parsed((session,) if session else (), tuple(quarantined))


def _unwrap(place: str, value: dict[str, Any], *, is_first: bool) -> CodexRecord | None:
    """The record in its envelope, a bare item, or the bare first line that names the session."""
    timestamp = time_of(value)
    if _is_envelope(value):
        return CodexRecord(place, value["type"], value["payload"], timestamp)
    if text_of(value, "type") in _BARE_ITEMS:
        return CodexRecord(place, "response_item", value, timestamp)
    if is_first and "type" not in value and "id" in value:
        return CodexRecord(place, "session_meta", value, timestamp)
    return None


def _is_envelope(record: dict[str, Any]) -> bool:
    return text_of(record, "type") in _ENVELOPES and isinstance(record.get("payload"), dict)


def _is_bare(record: dict[str, Any]) -> bool:
    return text_of(record, "type") in _BARE_ITEMS or "record_type" in record


def _session(log: LogFile, records: list[CodexRecord]) -> Session | None:
    meta = next((r.body for r in records if r.kind == "session_meta"), {})
    context = next((r.body for r in records if r.kind == "turn_context"), {})
    translated = CodexSteps(records, meta)
    steps = translated.finish(str(log.path))
    if not steps:
        return None
    session_id = id_of(meta, "id", "session_id") or f"{log.path}#0"
    parent_id = translated.parent_id
    session = Session(
        key=f"{Codex.name}:{session_id}",
        format=Codex.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=steps,
        agent="codex",
        agent_version=text_of(meta, "cli_version") or None,
        project=text_of(meta, "cwd") or text_of(context, "cwd") or None,
        parent_key=f"{Codex.name}:{parent_id}" if parent_id else None,
        extra=_extra(meta),
    )
    return with_facts_of_steps(session)


def _extra(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    branch = text_of(mapping_of(meta, "git"), "branch")
    facts = {"originator": text_of(meta, "originator"), "branches": (branch,) if branch else ()}
    return {key: value for key, value in facts.items() if value}
