"""Lines of the output of evaluations and of the resolver: a task, its history, its result."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent_core.session import Session
from pipelines.sources.fields import id_of, mapping_of, text_of
from pipelines.sources.formats.openhands.conversation import Conversation
from pipelines.sources.formats.openhands.first_events import FirstEvents
from pipelines.sources.formats.openhands.sdk_events import SdkEvents
from pipelines.sources.formats.openhands.usage import calls_of, metrics_total
from pipelines.sources.reading import Quarantined


class Events:
    """Takes events of either generation into one conversation."""

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self._first, self._sdk = FirstEvents(talk), SdkEvents(talk)

    def take(self, ref: str, place: str, event: dict[str, Any]) -> None:
        """Translate the event that calls itself `ref` and stands at `place`."""
        claimed = self.talk.draft.claim(ref or place, place, event)
        if claimed is not None:
            (self._sdk if "kind" in event else self._first).take(claimed, event)


def read_record(
    record: dict[str, Any], pointer: str, fallback_id: str, source_path: str
) -> tuple[Session, list[Quarantined]]:
    """The session of one line; events are known by their place, as ids repeat from line to line."""
    talk = Conversation(is_task=True)
    metadata, metrics = mapping_of(record, "metadata"), mapping_of(record, "metrics")
    talk.model = text_of(mapping_of(metadata, "llm_config"), "model") or None
    talk.meter.total, talk.meter.calls = metrics_total(metrics), calls_of(metrics)
    talk.meter.costs = _costs(metrics)
    events, quarantined, started = Events(talk), [], ""
    for place, event in _history(record["history"], f"{pointer}/history"):
        if isinstance(event, dict):
            started = started or text_of(event, "timestamp")
            events.take(place, place, event)
        elif event is not None:
            quarantined.append(Quarantined(place, "not an event"))
    talk.project = talk.project or _repository(record) or None
    session = talk.session(_session_id(record, talk, started) or fallback_id, source_path)
    return replace(session, outcome=_outcome(record)), quarantined


def _history(history: list[Any], pointer: str) -> Iterator[tuple[str, Any]]:
    """The events with their places; old outputs hold pairs of an action and its observation."""
    for index, entry in enumerate(history):
        if isinstance(entry, list):
            for second, event in enumerate(entry):
                yield f"{pointer}/{index}/{second}", event
        else:
            yield f"{pointer}/{index}", entry


def _costs(metrics: Mapping[str, Any]) -> list[float]:
    costs = metrics.get("costs")
    listed = costs if isinstance(costs, list) else []
    return [float(cost) for cost in listed if type(cost) in (int, float) and 0 <= cost < 1e9]


def _session_id(record: dict[str, Any], talk: Conversation, started: str) -> str:
    """The task, its attempt, and a hash of when it began and of what was said first."""
    issue = mapping_of(record, "issue")
    numbered = "#".join(filter(None, (_repository(record), id_of(issue, "number"))))
    task = id_of(record, "instance_id") or (numbered if issue else "")
    if not task:
        return ""
    # The same task is run many times with the same words.
    told = f"{started}\n{talk.first_text}"
    digest = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:12]
    return "-".join(filter(None, (task, id_of(record, "attempt"), digest)))


def _repository(record: dict[str, Any]) -> str:
    issue = mapping_of(record, "issue")
    return "/".join(filter(None, (text_of(issue, "owner"), text_of(issue, "repo"))))


def _outcome(record: dict[str, Any]) -> str | None:
    """Whether the task was solved, where the line says so."""
    result = mapping_of(record, "test_result")
    reports = (mapping_of(record, "report"), mapping_of(result, "report"), result)
    for flag in (*(report.get("resolved") for report in reports), record.get("success")):
        if isinstance(flag, bool):
            return "resolved" if flag else "failed"
    return "failed" if text_of(record, "error") else None
