"""OTLP: which files are traces, and which spans of a file belong to which session."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.formats.otlp.ancestry import Ancestry
from pipelines.sources.formats.otlp.attributes import first_text
from pipelines.sources.formats.otlp.conversation import steps_of
from pipelines.sources.formats.otlp.facts import session_id_of, user_of
from pipelines.sources.formats.otlp.spans import Span, is_telemetry, spans_in
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined

_NAME = "otlp"


class Otlp:
    """Reads traces of models and tools: one export a document or a line, or lists of spans."""

    name = _NAME
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document, or a record, is an export, a span, or the attributes of one."""
        return any(map(is_telemetry, [head.document, *head.records]))

    def read(self, log: LogFile) -> Parsed:
        """One session for each conversation that the spans name, else for each trace."""
        found, quarantined = _found(log)
        ancestry = Ancestry(_merged(found))
        sessions = []
        for session_id, spans in _by_session(ancestry).items():
            session = _session(log, ancestry, session_id, spans)
            if session.steps:
                sessions.append(session)
        notes = ("spans, but no call of a model or tool",) if found and not sessions else ()
        return Parsed(tuple(sessions), tuple(quarantined), notes)


def _found(log: LogFile) -> tuple[list[Span], list[Quarantined]]:
    found: list[Span] = []
    quarantined: list[Quarantined] = []
    for item in _items(log):
        if isinstance(item, Span):
            found.append(item)
        else:
            quarantined.append(item)
    return found, quarantined


def _items(log: LogFile) -> Iterator[Span | Quarantined]:
    if is_telemetry(log.head.document):
        yield from spans_in(log.head.document, "#")
        return
    for place, _, value in log.records:
        if isinstance(value, dict | list):
            yield from spans_in(value, f"{place}#")
        else:
            yield Quarantined(place, "not a JSON object")
    for line in log.broken_lines:
        yield Quarantined(f"line:{line.line}", line.reason)


def _merged(found: Iterable[Span]) -> list[Span]:
    """Each span once: of repeats the one that ended last; log records join what they tell of."""
    spans: dict[tuple[str, str], Span] = {}
    logged: list[Span] = []
    for span in found:
        key = (span.trace_id, span.span_id or span.place)
        known = spans.get(key)
        if span.is_of_logs:
            logged.append(span)
        elif known is None or _fullness(span) > _fullness(known):
            spans[key] = span
    for record in sorted(logged, key=lambda record: record.start):
        key = (record.trace_id, record.span_id or record.place)
        known = spans.get(key)
        spans[key] = _with_record(known, record) if known else record
    return list(spans.values())


def _fullness(span: Span) -> tuple[int, int]:
    return span.end, len(span.attributes)


def _with_record(span: Span, record: Span) -> Span:
    return replace(
        span,
        events=span.events + record.events,
        end=max(span.end, record.end) if span.is_of_logs else span.end,
        attributes={**record.attributes, **span.attributes},
    )


def _by_session(ancestry: Ancestry) -> dict[str, list[Span]]:
    """The spans that make steps, by session id; by place where they have not even a trace."""
    named: dict[str, set[str]] = {}
    for span in ancestry.spans:
        if own := session_id_of(span):
            named.setdefault(span.trace_id, set()).add(own)
    sessions: dict[str, list[Span]] = {}
    for span in ancestry.conversation:
        of_trace = named.get(span.trace_id, set()) if span.trace_id else set()
        only = next(iter(of_trace)) if len(of_trace) == 1 else ""
        above = (session_id_of(s) for s in (span, *ancestry.above(span)))
        session_id = next(filter(None, above), only or span.trace_id or span.place)
        sessions.setdefault(session_id, []).append(span)
    return sessions


def _session(log: LogFile, ancestry: Ancestry, session_id: str, spans: Sequence[Span]) -> Session:
    has_id = session_id not in {span.place for span in spans}
    own_id = session_id if has_id else f"{log.path}{session_id}"
    about = [s for span in spans for s in (span, *ancestry.above(span))]
    about.sort(key=lambda span: span.start)
    session = Session(
        key=f"{_NAME}:{own_id}",
        format=_NAME,
        session_id=own_id,
        source_path=str(log.path),
        steps=steps_of(spans, ancestry, own_id, is_elsewhere_too=has_id),
        agent=_agent(about, ancestry),
        agent_version=_first(about, "gen_ai.agent.version", "service.version"),
        user=next(filter(None, map(user_of, about)), None),
        project=_first(about, "openinference.project.name"),
    )
    return with_facts_of_steps(session)


def _agent(about: Sequence[Span], ancestry: Ancestry) -> str:
    named = next(filter(None, map(ancestry.agent_name, about)), "")
    service = _first(about, "service.name") or ""
    # What the SDKs write where nobody gave the service a name.
    return named or ("" if service.startswith("unknown_service") else service) or "unknown"


def _first(about: Sequence[Span], *keys: str) -> str | None:
    """The first of the keys that a span, or what it belongs to, states."""
    for key in keys:
        for span in about:
            if told := first_text(span.attributes, key) or first_text(span.resource, key):
                return told
    return None


SOURCE = Otlp()
