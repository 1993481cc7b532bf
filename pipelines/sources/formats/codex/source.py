"""Codex CLI: `~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl`, with and without envelopes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, is_odd_content, mapping_of, text_of, time_of
from pipelines.sources.formats.codex.records import CodexSteps
from pipelines.sources.formats.codex.rollout import CodexRecord, Rollout, survey
from pipelines.sources.json_lines import Record
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records

_ENVELOPES = frozenset(
    ("session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state")
)
_SPOKEN = ("response_item", "event_msg", "compacted")
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
    version = 3
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
        odd: list[Quarantined] = []
        rollout = survey(_unwrapped(log.records, odd))
        # After a pass over the records the broken lines are known: asking earlier costs another.
        quarantined = broken_records(log)
        steps = CodexSteps(rollout)
        for record in _unwrapped(log.records, []):
            steps.take(record)
        session = _session(log, rollout, steps)
        return Parsed((session,) if session else (), tuple(quarantined + odd))


def _unwrapped(records: Iterable[Record], odd: list[Quarantined]) -> Iterator[CodexRecord]:
    """The records in their envelopes, the bare items, the bare first line with the session's id.

    Those that should be conversation and are none are added to `odd`.
    """
    is_first = True
    for place, _, value in records:
        if not isinstance(value, dict):
            odd.append(Quarantined(place, "not a JSON object"))
            continue
        kind, payload = value.get("type"), value.get("payload")
        kind = kind if isinstance(kind, str) else ""
        if _lacks_content(payload if kind == "response_item" else value):
            odd.append(Quarantined(place, "a message without content"))
            continue
        if isinstance(payload, dict) and kind in _ENVELOPES:
            yield CodexRecord(place, kind, payload, value)
        elif kind in _BARE_ITEMS:
            yield CodexRecord(place, "response_item", value, value)
        elif is_first and "type" not in value and "id" in value:
            yield CodexRecord(place, "session_meta", value, value)
        else:
            if kind in _SPOKEN:
                odd.append(Quarantined(place, f"a record of type {kind} without a payload"))
            continue
        is_first = False


def _lacks_content(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type") != "message":
        return False
    content = item.get("content")
    return content is None or is_odd_content(content)


def _is_envelope(record: dict[str, Any]) -> bool:
    return text_of(record, "type") in _ENVELOPES and isinstance(record.get("payload"), dict)


def _is_bare(record: dict[str, Any]) -> bool:
    return text_of(record, "type") in _BARE_ITEMS or "record_type" in record


def _session(log: LogFile, rollout: Rollout, translated: CodexSteps) -> Session | None:
    meta = rollout.meta
    steps = translated.finish()
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
        project=text_of(meta, "cwd") or text_of(rollout.context, "cwd") or None,
        parent_key=f"{Codex.name}:{parent_id}" if parent_id else None,
        # The bare form dates nothing but its first line.
        started_at=None if any(step.timestamp for step in steps) else time_of(meta),
        extra=_extra(meta),
    )
    return with_facts_of_steps(session)


def _extra(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    branch = text_of(mapping_of(meta, "git"), "branch")
    facts = {"originator": text_of(meta, "originator"), "branches": (branch,) if branch else ()}
    return {key: value for key, value in facts.items() if value}
