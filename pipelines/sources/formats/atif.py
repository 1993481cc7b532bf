"""ATIF, the Agent Trajectory Interchange Format: v1.0 to v1.8, and what the bundled agent adds.

Format: Harbor's `ATIF-v1.8` JSON schema. The bundled agent's additions stand under `extra`:
observation results {is_error, error_class, error_signature}, steps {event}, the document
{release, user, project}.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from agent_core.session import Event, Observation, Session, Source, Step, Tokens, ToolCall
from agent_core.signature import ERROR_CLASSES
from pipelines.sources.drafting import SessionDraft, with_facts_of_steps
from pipelines.sources.fields import (
    content_text,
    count_of,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.json_text import decode_object
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.person import is_interrupt, person_text
from pipelines.sources.reading import Evidence, Parsed, Quarantined
from pipelines.sources.tool_errors import (
    is_rejection,
    looks_failed,
    observe,
    rejection_comment,
)

_EVENTS = frozenset(get_args(Event))
_SOURCES: tuple[Source, ...] = get_args(Source)
_OWN_AGENT = "signals-core"


class Atif:
    """Reads ATIF documents, one a file or one a line, with their embedded subagents."""

    name = "atif"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document, or a record, states an ATIF schema version."""
        return any(map(_is_trajectory, [head.document, *head.records]))

    def read(self, log: LogFile) -> Parsed:
        """One session for each trajectory and for each subagent embedded in it."""
        if _is_trajectory(log.head.document):
            return Parsed(tuple(_sessions(log, log.head.document, "#")))
        broken = [Quarantined(f"line:{line.line}", line.reason) for line in log.broken_lines]
        odd = [r.place for r in log.records if not _is_trajectory(r.value)]
        sessions = (
            session
            for record in log.records
            if _is_trajectory(record.value)
            for session in _sessions(log, record.value, f"{record.place}#")
        )
        broken += [Quarantined(place, "not an ATIF trajectory") for place in odd]
        return Parsed(tuple(sessions), tuple(broken))


def _is_trajectory(value: Any) -> bool:
    is_versioned = text_of(value, "schema_version").startswith("ATIF-")
    return is_versioned and isinstance(value.get("steps"), list)


def _sessions(log: LogFile, document: dict[str, Any], pointer: str) -> Iterator[Session]:
    """The trajectory's session, then those of its subagents, however deep they stand."""
    pending: list[tuple[dict[str, Any], str, str | None]] = [(document, pointer, None)]
    while pending:
        trajectory, at, parent_id = pending.pop(0)
        session_id = _session_id(log, trajectory, at, parent_id)
        session = _session(log, trajectory, at, session_id, parent_id)
        if session.steps:
            yield session
        pending += [
            (child, f"{at}/subagent_trajectories/{index}", session_id)
            for index, child in enumerate(objects_of(trajectory, "subagent_trajectories"))
        ]


def _session_id(log: LogFile, trajectory: dict[str, Any], at: str, parent_id: str | None) -> str:
    if parent_id is None:
        return id_of(trajectory, "session_id", "trajectory_id") or f"{log.path}{at}"
    # A subagent may carry the run's session id; only its trajectory id is its own.
    own = id_of(trajectory, "trajectory_id") or at.rpartition("/")[2]
    return f"{parent_id}/{own}"


def _session(
    log: LogFile, trajectory: dict[str, Any], at: str, session_id: str, parent_id: str | None
) -> Session:
    agent, extra = mapping_of(trajectory, "agent"), mapping_of(trajectory, "extra")
    name = text_of(agent, "name") or "unknown"
    run_id = id_of(trajectory, "session_id")
    is_conversion = bool(run_id) and parent_id is None and name != _OWN_AGENT
    session = Session(
        key=f"{Atif.name}:{session_id}",
        format=Atif.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=_steps(log, trajectory, at, is_subagent=parent_id is not None),
        agent=name,
        agent_version=id_of(agent, "version") or None,
        release=text_of(extra, "release") or None,
        user=id_of(extra, "user") or None,
        project=text_of(extra, "project") or _folder(mapping_of(agent, "extra")) or None,
        parent_key=f"{Atif.name}:{parent_id}" if parent_id else None,
        conversion_of=(name, run_id) if is_conversion else None,
    )
    return with_facts_of_steps(session)


def _folder(extra: Mapping[str, Any]) -> str:
    folders = extra.get("cwds")
    first = folders[0] if isinstance(folders, list) and folders else ""
    return text_of(extra, "cwd") or (first if isinstance(first, str) else "")


def _steps(
    log: LogFile, trajectory: dict[str, Any], at: str, *, is_subagent: bool
) -> tuple[Step, ...]:
    draft = SessionDraft()
    model = text_of(mapping_of(trajectory, "agent"), "model_name") or None
    for index, record in enumerate(trajectory["steps"]):
        if isinstance(record, dict):
            ref = f"{at}/steps/{index}"
            step = _step(ref, record, model, is_subagent=is_subagent)
            draft.add(step)
            for refusal in _refusals(step):
                draft.add(refusal)
    return draft.finish(str(log.path))


def _step(ref: str, record: dict[str, Any], model: str | None, *, is_subagent: bool) -> Step:
    extra, metrics = mapping_of(record, "extra"), mapping_of(record, "metrics")
    source: Source = next((s for s in _SOURCES if s == record.get("source")), "system")
    text = content_text(record.get("message"))
    event = _event(extra, source, text)
    words = person_text(text) if source == "user" else ""
    is_copy = record.get("is_copied_context") is True
    nobody = is_copy or is_subagent or extra.get("is_sidechain") is True or "event" in extra
    cost = metrics.get("cost_usd")
    return Step(
        ref,
        source,
        words or text,
        timestamp=time_of(record),
        is_person=bool(words) and not nobody,
        event=event,
        reasoning=text_of(record, "reasoning_content"),
        tool_calls=tuple(_call(call) for call in objects_of(record, "tool_calls")),
        observations=tuple(_observations(ref, record)),
        model=text_of(record, "model_name") or (model if source == "agent" else None),
        tokens=_tokens(metrics),
        cost_usd=float(cost) if isinstance(cost, int | float) else None,
        api_call_id=id_of(extra, "api_call_id") or None,
        is_copied_context=is_copy,
    )


def _event(extra: Mapping[str, Any], source: str, text: str) -> Event | None:
    stated = next((event for event in _EVENTS if event == extra.get("event")), None)
    return stated or ("interrupt" if source == "user" and is_interrupt(text) else None)


def _call(call: dict[str, Any]) -> ToolCall:
    arguments = decode_object(call.get("arguments"))
    return ToolCall(id_of(call, "tool_call_id"), text_of(call, "function_name"), arguments)


def _observations(ref: str, record: dict[str, Any]) -> Iterator[Observation]:
    for index, result in enumerate(objects_of(record.get("observation"), "results")):
        extra = mapping_of(result, "extra")
        content = content_text(result.get("content"))
        place = f"{ref}/observation/results/{index}"
        call_id = id_of(result, "source_call_id") or None
        flags = (extra.get("is_error"), extra.get("tool_result_is_error"))
        stated = next((flag for flag in flags if isinstance(flag, bool)), None)
        failed = looks_failed(content) if stated is None else stated
        seen = observe(content, call_id=call_id, is_error=failed, source_ref=place)
        yield _as_stated(seen, extra) if failed else seen


def _as_stated(seen: Observation, extra: Mapping[str, Any]) -> Observation:
    """The observation with the class and signature that the log itself gives."""
    error_class, signature = text_of(extra, "error_class"), text_of(extra, "error_signature")
    return Observation(
        seen.call_id,
        seen.content,
        True,
        error_class if error_class in ERROR_CLASSES else seen.error_class,
        signature or seen.error_signature,
        seen.source_ref,
    )


def _refusals(step: Step) -> Iterator[Step]:
    """An event for each call that the person refused, at the result that tells of it."""
    for seen in step.observations:
        if seen.is_error and is_rejection(seen.content):
            comment = rejection_comment(seen.content)
            yield Step(
                seen.source_ref or step.source_ref,
                "user",
                comment,
                timestamp=step.timestamp,
                event="rejection",
                is_copied_context=step.is_copied_context,
            )


def _tokens(metrics: Mapping[str, Any]) -> Tokens | None:
    """ATIF's `prompt_tokens` include the cached ones, as `Tokens.input` does."""
    if not metrics:
        return None
    extra = mapping_of(metrics, "extra")
    reasoning = count_of(extra, "reasoning_output_tokens") or count_of(extra, "reasoning_tokens")
    return Tokens(
        count_of(metrics, "prompt_tokens"),
        count_of(metrics, "cached_tokens"),
        count_of(metrics, "completion_tokens"),
        reasoning,
    )


SOURCE = Atif()
