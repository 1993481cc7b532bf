"""ATIF documents: v1.0 to v1.8, one a file or one a line, and their embedded subagents.

Format: Harbor's `ATIF-v1.8` JSON schema. The bundled agent's additions stand under `extra`:
observation results {is_error, error_class, error_signature}, steps {event}, the document
{release, user, project}.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from agent_core.session import Session, Step
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, mapping_of, objects_of, text_of
from pipelines.sources.formats.atif.steps import steps_of
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records

_OWN_AGENT = "signals-core"
_LONGEST = 6
"""Digits in the number of a continuation; an id with more only looks like one."""


class Atif:
    """Reads ATIF documents, one a file or one a line, with their embedded subagents."""

    name = "atif"
    version = 2
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document, or a record, states an ATIF schema version."""
        return any(map(_is_trajectory, [head.document, *head.records]))

    def read(self, log: LogFile) -> Parsed:
        """One session for each trajectory and for each subagent embedded in it."""
        quarantined: list[Quarantined] = []
        if _is_trajectory(log.head.document):
            sessions = list(_sessions(log, log.head.document, "#", quarantined))
            return Parsed(tuple(sessions), tuple(quarantined))
        sessions = []
        for place, _, value in log.records:
            if _is_trajectory(value):
                sessions += _sessions(log, value, f"{place}#", quarantined)
            else:
                quarantined.append(Quarantined(place, "not an ATIF trajectory"))
        quarantined += broken_records(log)
        return Parsed(tuple(sessions), tuple(quarantined))


class _Place(NamedTuple):
    """A trajectory within a document."""

    pointer: str
    parent_id: str | None
    """The session id of the trajectory that holds it; None for the document's own."""


class _Identity(NamedTuple):
    """A session's id and that of the session it was started by or goes on from."""

    session_id: str
    parent_id: str | None


def _is_trajectory(value: Any) -> bool:
    is_versioned = text_of(value, "schema_version").startswith("ATIF-")
    return is_versioned and isinstance(value.get("steps"), list)


def _sessions(
    log: LogFile, document: dict[str, Any], pointer: str, quarantined: list[Quarantined]
) -> Iterator[Session]:
    """The trajectory's session, then those of its subagents, however deep they stand."""
    pending = [(document, _Place(pointer, None))]
    while pending:
        trajectory, place = pending.pop(0)
        steps, odd = steps_of(trajectory, place.pointer, is_subagent=place.parent_id is not None)
        quarantined += odd
        own = _identity(log, trajectory, place, steps)
        if steps:
            yield _session(log, trajectory, own, steps, is_embedded=place.parent_id is not None)
        pending += [
            (child, _Place(f"{place.pointer}/subagent_trajectories/{index}", own.session_id))
            for index, child in enumerate(objects_of(trajectory, "subagent_trajectories"))
        ]


def _identity(
    log: LogFile, trajectory: dict[str, Any], place: _Place, steps: tuple[Step, ...]
) -> _Identity:
    """Who the trajectory is.

    Several documents of one run share its `session_id`: only the `trajectory_id` is their own.
    """
    run_id, own_id = id_of(trajectory, "session_id"), id_of(trajectory, "trajectory_id")
    if place.parent_id is not None:
        own = own_id or place.pointer.rpartition("/")[2]
        return _Identity(f"{place.parent_id}/{own}", place.parent_id)
    if not run_id or own_id in ("", run_id):
        return _Identity(run_id or own_id or f"{log.path}{place.pointer}", _before(run_id))
    goes_on = any(step.is_copied_context for step in steps)
    return _Identity(f"{run_id}/{own_id}", _before(run_id) or (run_id if goes_on else None))


def _before(run_id: str) -> str | None:
    """The run that Harbor's `<id>-cont-<n>` goes on from, after a summary."""
    first, mark, number = run_id.rpartition("-cont-")
    if not (mark and first and number.isascii() and number.isdigit()) or len(number) > _LONGEST:
        return None
    return f"{first}-cont-{int(number) - 1}" if int(number) > 1 else first


def _session(
    log: LogFile,
    trajectory: dict[str, Any],
    own: _Identity,
    steps: tuple[Step, ...],
    *,
    is_embedded: bool,
) -> Session:
    agent, extra = mapping_of(trajectory, "agent"), mapping_of(trajectory, "extra")
    name, run_id = text_of(agent, "name") or "unknown", id_of(trajectory, "session_id")
    is_conversion = bool(run_id) and not is_embedded and name != _OWN_AGENT
    session = Session(
        key=f"{Atif.name}:{own.session_id}",
        format=Atif.name,
        session_id=own.session_id,
        source_path=str(log.path),
        steps=steps,
        agent=name,
        agent_version=id_of(agent, "version") or None,
        release=text_of(extra, "release") or None,
        user=id_of(extra, "user") or None,
        project=text_of(extra, "project") or _folder(mapping_of(agent, "extra")) or None,
        parent_key=f"{Atif.name}:{own.parent_id}" if own.parent_id else None,
        conversion_of=(name, run_id) if is_conversion else None,
    )
    return with_facts_of_steps(session)


def _folder(extra: Mapping[str, Any]) -> str:
    folders = extra.get("cwds")
    first = folders[0] if isinstance(folders, list) and folders else ""
    return text_of(extra, "cwd") or (first if isinstance(first, str) else "")
