"""Claude Code: `~/.claude/projects/<slug>/<sessionId>.jsonl` and its subagents' files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, objects_of, text_of
from pipelines.sources.formats.claude_code.records import ClaudeRecords
from pipelines.sources.json_lines import Record
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined

_CONVERSATION = ("user", "assistant", "system", "attachment", "progress")
_BOOKKEEPING = (
    "file-history-snapshot",
    "queue-operation",
    "summary",
    "last-prompt",
    "ai-title",
    "custom-title",
    "permission-mode",
)


class ClaudeCode:
    """Reads Claude Code's own session files and its exported `loglines` documents."""

    name = "claude_code"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether a record has the form of a Claude Code line."""
        return any(map(_is_claude_line, head.objects)) or bool(_loglines(head.document))

    def read(self, log: LogFile) -> Parsed:
        """One session for each session id, or for each subagent of a subagents' file."""
        records, quarantined = _records(log)
        groups = _group(records, log)
        sessions = (_session(log, group, index) for index, group in enumerate(groups))
        return Parsed(tuple(s for s in sessions if s is not None), tuple(quarantined))


@dataclass
class _Group:
    """The lines of one session; `agent_id` is set for a subagent's own file."""

    session_id: str
    agent_id: str = ""
    records: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def _is_claude_line(record: dict[str, Any]) -> bool:
    kind = record.get("type")
    if not isinstance(kind, str) or "payload" in record:
        return False
    if kind in _CONVERSATION and "sessionId" in record and "parentUuid" in record:
        return True
    if kind in ("user", "assistant") and isinstance(record.get("message"), dict):
        return "sessionId" in record or {"uuid", "timestamp"} <= record.keys()
    return kind in _BOOKKEEPING and bool({"sessionId", "snapshot", "leafUuid"} & record.keys())


def _loglines(document: Any) -> list[dict[str, Any]]:
    lines = objects_of(document, "loglines")
    return lines if all("message" in line and text_of(line, "type") for line in lines) else []


def _records(log: LogFile) -> tuple[list[Record], list[Quarantined]]:
    exported = _loglines(log.head.document)
    if exported:
        return [Record(f"#/loglines/{index}", 0, line) for index, line in enumerate(exported)], []
    broken = [Quarantined(f"line:{line.line}", line.reason) for line in log.broken_lines]
    odd = [r for r in log.records if not isinstance(r.value, dict)]
    broken += [Quarantined(record.place, "not a JSON object") for record in odd]
    return [r for r in log.records if isinstance(r.value, dict)], broken


def _group(records: Sequence[Record], log: LogFile) -> list[_Group]:
    """Lines by session; those without a session id belong to the session before them."""
    talking = [r.value for r in records if r.value.get("type") in ("user", "assistant")]
    of_parent = {text_of(r, "sessionId") for r in talking if r.get("isSidechain") is not True}
    groups: dict[tuple[str, str], _Group] = {}
    current = ("", "")
    for record in records:
        session_id = id_of(record.value, "sessionId") or current[0]
        # A subagent's file has no line of the parent; where there are some, the sidechain is
        # part of the parent's file.
        is_own_file = bool(talking) and session_id not in of_parent
        agent_id = (id_of(record.value, "agentId") or current[1]) if is_own_file else ""
        current = (session_id, agent_id or _agent_id_of(log, is_own_file))
        group = groups.setdefault(current, _Group(*current))
        group.records.append((record.place, record.value))
    return list(groups.values())


def _agent_id_of(log: LogFile, is_own_file: bool) -> str:
    stem = log.path.name.split(".")[0]
    return stem.removeprefix("agent-") if is_own_file and stem.startswith("agent-") else ""


def _session(log: LogFile, group: _Group, index: int) -> Session | None:
    records = ClaudeRecords(is_subagent=bool(group.agent_id))
    for place, record in group.records:
        records.take(place, record)
    steps = records.finish(str(log.path))
    if not steps:
        return None
    parent_id = group.session_id if group.agent_id else records.forked_from
    session_id = "/".join(filter(None, (group.session_id, group.agent_id)))
    session = Session(
        key=f"{ClaudeCode.name}:{session_id or f'{log.path}#{index}'}",
        format=ClaudeCode.name,
        session_id=session_id or f"{log.path}#{index}",
        source_path=str(log.path),
        steps=steps,
        agent="claude-code",
        agent_version=records.version,
        project=records.project,
        parent_key=f"{ClaudeCode.name}:{parent_id}" if parent_id else None,
        extra=records.extra,
    )
    return with_facts_of_steps(session)
