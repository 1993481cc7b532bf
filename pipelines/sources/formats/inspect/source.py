"""Inspect's evaluation logs: `.eval` archives, `.json` logs, samples and events by themselves.

Format: Inspect's `log`, `event` and `model` modules. A sample is a session; nobody speaks in it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent_core.session import Session
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import id_of, mapping_of, objects_of, text_of, time_of
from pipelines.sources.formats.inspect.messages import call_time
from pipelines.sources.formats.inspect.samples import Sample, Samples, is_event_list, is_sample
from pipelines.sources.formats.inspect.steps import SampleSteps, read_steps
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined

_MEMBER = re.compile(r"_journal/start\.json|samples/.+_epoch_\d+(?:/sample)?\.json")
_SAMPLE_KEYS = frozenset(("target", "scores", "model_usage", "attachments", "store"))
_SHOWN_SCORE = 200


class Inspect:
    """Reads the samples of evaluations."""

    name = "inspect"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the archive or the document has an evaluation's parts."""
        if any(map(_MEMBER.fullmatch, head.members)):
            return True
        document = head.document
        if is_sample(document):
            return len(_SAMPLE_KEYS & document.keys()) > 1
        return _is_log(document) or is_event_list(document)

    def read(self, log: LogFile) -> Parsed:
        """One session for each sample."""
        samples = Samples(log)
        sessions: list[Session] = []
        quarantined: list[Quarantined] = []
        graders = 0
        for number, sample in enumerate(samples):
            steps = read_steps(sample)
            quarantined += steps.quarantined
            graders += steps.graders
            if steps.steps:
                own = _session_id(sample, mapping_of(samples.header, "eval"))
                session_id = own or f"{log.path}#{number}"
                sessions.append(_session(log, session_id, sample, steps, samples.header))
        notes = ["an evaluation that has not ended"] if samples.is_unfinished else []
        notes += [f"{graders} model calls of graders are left out"] if graders else []
        return Parsed(tuple(sessions), (*samples.quarantined, *quarantined), tuple(notes))


def _is_log(document: Any) -> bool:
    about = mapping_of(document, "eval")
    is_eval = "task" in about and bool({"run_id", "task_id", "eval_id"} & about.keys())
    return is_eval and ("samples" in document or "status" in document)


def _session(
    log: LogFile, session_id: str, sample: Sample, steps: SampleSteps, header: Mapping[str, Any]
) -> Session:
    about = mapping_of(header, "eval")
    events = objects_of(sample.value, "events")
    begun = filter(None, map(time_of, events))
    ended = filter(None, map(call_time, events))
    session = Session(
        key=f"{Inspect.name}:{session_id}",
        format=Inspect.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=steps.steps,
        agent=text_of(about, "solver") or "inspect",
        agent_version=text_of(mapping_of(about, "packages"), "inspect_ai") or None,
        project=text_of(about, "task") or None,
        is_autonomous=True,
        started_at=time_of(sample.value, "started_at") or min(begun, default=None),
        ended_at=time_of(sample.value, "completed_at") or max(ended, default=None),
        outcome=_outcome(sample.value),
        extra=_extra(sample.value),
    )
    return with_facts_of_steps(session)


def _session_id(sample: Sample, about: Mapping[str, Any]) -> str:
    """The sample's own id, which its copies in retried evaluations keep.

    Before samples had one: the task's id, which a retry keeps too, with sample and epoch.
    """
    if own := id_of(sample.value, "uuid"):
        return own
    task = id_of(about, "task_id", "eval_id", "run_id")
    number = id_of(sample.value, "id")
    return f"{task}-{number}-epoch{id_of(sample.value, 'epoch')}" if task and number else ""


def _outcome(sample: Mapping[str, Any]) -> str | None:
    """The score as it stands, of several each with its scorer's name."""
    scores = mapping_of(sample, "scores")
    values = {name: _score(score) for name, score in scores.items() if isinstance(score, dict)}
    stated = {name: value for name, value in values.items() if value}
    if len(stated) == 1:
        return next(iter(stated.values()))
    return "; ".join(f"{name}={value}" for name, value in stated.items())[:_SHOWN_SCORE] or None


def _score(score: Mapping[str, Any]) -> str:
    value = score.get("value")
    if isinstance(value, str) or value is None:
        return (value or "")[:_SHOWN_SCORE]
    return json.dumps(value, sort_keys=True)[:_SHOWN_SCORE]


def _extra(sample: Mapping[str, Any]) -> dict[str, Any]:
    limit = text_of(mapping_of(sample, "limit"), "type")
    facts = {"sample": id_of(sample, "id"), "epoch": id_of(sample, "epoch"), "limit": limit}
    return {name: fact for name, fact in facts.items() if fact}


SOURCE = Inspect()
