"""GitHub Copilot CLI: `~/.copilot/session-state/<session id>/events.jsonl`."""

from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, mapping_of, text_of, time_of
from pipelines.sources.formats.copilot_cli.events import CopilotEvents, Survey
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records

_ENVELOPE = frozenset(("type", "data", "id", "timestamp"))
_GROUPS = ("session", "user", "assistant", "tool", "hook", "system", "permission", "subagent")


class CopilotCli:
    """Reads the events of one session, which a resumed session goes on with in the same file."""

    name = "copilot_cli"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether a record has the envelope and the kind of a Copilot event."""
        return any(map(_is_event, head.objects))

    def read(self, log: LogFile) -> Parsed:
        """One session."""
        survey = Survey()
        for record in log.records:
            survey.note(record.value)
        events = CopilotEvents(survey)
        quarantined = broken_records(log)
        facts: dict[str, Any] = {}
        for place, _, event in log.records:
            if not isinstance(event, dict):
                quarantined.append(Quarantined(place, "not a JSON object"))
                continue
            facts = facts or _start(event)
            if reason := events.take(place, event):
                quarantined.append(Quarantined(place, reason))
        session = _session(log, events, survey, facts)
        notes = (_NO_INPUT,) if events.usage.is_partial else ()
        return Parsed((session,) if session.steps else (), tuple(quarantined), notes)


_NO_INPUT = "input tokens are unknown where no shutdown tells them"


def _is_event(record: dict[str, Any]) -> bool:
    kind = record.get("type")
    if not isinstance(kind, str) or not isinstance(record.get("data"), dict):
        return False
    is_of_group = "." in kind and kind.split(".", 1)[0] in _GROUPS
    return (is_of_group or kind == "abort") and record.keys() >= _ENVELOPE and "parentId" in record


def _start(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    return data if event.get("type") == "session.start" and isinstance(data, dict) else {}


def _session(log: LogFile, events: CopilotEvents, survey: Survey, facts: dict[str, Any]) -> Session:
    session_id = id_of(facts, "sessionId") or survey.session_id or f"{log.path}#0"
    draft = events.finish()
    parent_id = survey.handed_over_from
    session = Session(
        key=f"{CopilotCli.name}:{session_id}",
        format=CopilotCli.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=draft.finish(),
        agent="copilot-cli",
        agent_version=id_of(facts, "copilotVersion") or None,
        project=text_of(mapping_of(facts, "context"), "cwd") or survey.folder or None,
        parent_key=f"{CopilotCli.name}:{parent_id}" if parent_id else None,
        started_at=time_of(facts, "startTime"),
        extra={"clashes": draft.clashes} if draft.clashes else {},
    )
    return with_facts_of_steps(session)
