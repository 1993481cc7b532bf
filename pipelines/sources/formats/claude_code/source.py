"""Claude Code: `~/.claude/projects/<slug>/<sessionId>.jsonl` and its subagents' files."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, objects_of, text_of
from pipelines.sources.formats.claude_code.records import ClaudeRecords
from pipelines.sources.formats.claude_code.waiting import Deliveries
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
    version = 4
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether a record has the form of a Claude Code line."""
        return any(map(_is_claude_line, head.objects)) or bool(_loglines(head.document))

    def read(self, log: LogFile) -> Parsed:
        """One session for each session id, or for each subagent of a subagents' file."""
        exported = _loglines(log.head.document)
        records = _records(exported) if exported else log.records
        groups, odd = _group(log, records)
        # After a pass over the records the broken lines are known: asking earlier costs another.
        broken = [] if exported else log.broken_lines
        quarantined = [Quarantined(f"line:{line.line}", line.reason) for line in broken]
        holders = _holders(groups)
        sessions = (
            _session(log, records, name, index, _parent_id(holders, name, records))
            for index, (name, records) in enumerate(groups.items())
        )
        told = tuple(session for session in sessions if session is not None)
        return Parsed(told, tuple(quarantined + odd))


class _Name(NamedTuple):
    """Whose lines they are; `agent_id` is set for a subagent's own file."""

    session_id: str
    agent_id: str


class _Survey(NamedTuple):
    """What the whole of a file decides about its single lines."""

    of_parent: set[str]
    """Sessions of which lines stand here that are not a subagent's."""
    is_talk: bool
    """Whether anybody says anything."""
    deliveries: Deliveries

    def is_of_parent(self, session_id: str) -> bool:
        """Whether all lines of the session are one: a subagent's file has none of the parent's."""
        return not self.is_talk or session_id in self.of_parent


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


def _records(exported: list[dict[str, Any]]) -> list[Record]:
    return [Record(f"#/loglines/{index}", 0, line) for index, line in enumerate(exported)]


def _survey(records: Iterable[Record]) -> _Survey:
    of_parent: set[str] = set()
    is_talk = False
    deliveries = Deliveries()
    for _, _, record in records:
        if not isinstance(record, dict):
            continue
        kind = record.get("type")
        if kind == "user" or kind == "assistant":
            is_talk = True
            if record.get("isSidechain") is not True:
                of_parent.add(text_of(record, "sessionId"))
        if kind == "queue-operation" or deliveries.are_awaited:
            deliveries.note(kind, record)
    return _Survey(of_parent, is_talk, deliveries)


def _group(
    log: LogFile, records: Iterable[Record]
) -> tuple[dict[_Name, ClaudeRecords], list[Quarantined]]:
    """The lines by session; those without a session id belong to the session before them."""
    survey = _survey(records)
    stem = log.path.name.split(".")[0]
    of_file = stem.removeprefix("agent-") if stem.startswith("agent-") else ""
    groups: dict[_Name, ClaudeRecords] = {}
    quarantined: list[Quarantined] = []
    name = _Name("", "")
    group: ClaudeRecords | None = None
    is_settled = False
    for place, _, record in records:
        if not isinstance(record, dict):
            quarantined.append(Quarantined(place, "not a JSON object"))
            continue
        if group is None or not is_settled or record.get("sessionId") != name.session_id:
            name = _name(record, name, survey, of_file)
            is_settled = survey.is_of_parent(name.session_id)
            group = groups.get(name)
        if group is None:
            is_subagent = bool(name.agent_id)
            group = groups[name] = ClaudeRecords(survey.deliveries, is_subagent=is_subagent)
        if reason := group.take(place, record):
            quarantined.append(Quarantined(place, reason))
    return groups, quarantined


def _name(record: dict[str, Any], before: _Name, survey: _Survey, of_file: str) -> _Name:
    session_id = id_of(record, "sessionId") or before.session_id
    if survey.is_of_parent(session_id):
        return _Name(session_id, "")
    return _Name(session_id, id_of(record, "agentId") or before.agent_id or of_file)


def _session(
    log: LogFile, records: ClaudeRecords, name: _Name, index: int, parent_id: str | None
) -> Session | None:
    steps = records.finish()
    if not steps:
        return None
    session_id = "/".join(filter(None, name)) or f"{log.path}#{index}"
    session = Session(
        key=f"{ClaudeCode.name}:{session_id}",
        format=ClaudeCode.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=steps,
        agent="claude-code",
        agent_version=records.version,
        project=records.project,
        parent_key=f"{ClaudeCode.name}:{parent_id}" if parent_id else None,
        extra=records.extra,
    )
    return with_facts_of_steps(session)


def _holders(groups: Mapping[_Name, ClaudeRecords]) -> dict[str, list[_Name]]:
    """By uuid of a record that a session goes on from: the sessions that hold it, in file order."""
    wanted = {group.first_parent for group in groups.values()}
    holders: dict[str, list[_Name]] = {}
    for name, group in groups.items():
        for uuid in group.record_ids:
            if uuid in wanted:
                holders.setdefault(uuid, []).append(name)
    return holders


def _parent_id(
    holders: Mapping[str, list[_Name]], name: _Name, records: ClaudeRecords
) -> str | None:
    """The session that started a subagent, that a fork names or that a resumed one goes on from."""
    if name.agent_id:
        return name.session_id
    holding = holders.get(records.first_parent, ()) if records.first_parent else ()
    continued = (other.session_id for other in holding if other != name)
    return records.forked_from or next(continued, None)
