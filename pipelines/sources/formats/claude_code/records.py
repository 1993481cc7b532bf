"""Claude Code's records, translated one by one into steps."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from agent_core.session import Event, Step
from pipelines.sources.drafting import SessionDraft
from pipelines.sources.fields import (
    content_text,
    content_texts,
    id_of,
    is_odd_content,
    mapping_of,
    text_of,
    time_of,
)
from pipelines.sources.formats.claude_code.answers import agent_step
from pipelines.sources.formats.claude_code.results import observations_of
from pipelines.sources.formats.claude_code.waiting import Deliveries, Waiting
from pipelines.sources.person import is_interrupt, person_text
from pipelines.sources.tool_errors import rejection_comment

_TELLING_SYSTEM = ("local_command", "informational", "away_summary", "model_refusal_fallback")
_MACHINE_PROMPTS = ("system", "sdk")
_BOUNDARIES = ("compact_boundary", "microcompact_boundary")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_Marks = dict[str, Any]
"""Fields of a step that follow from its record alone, whatever its kind."""


class ClaudeRecords:
    """Takes the records of one session in file order and gives its steps.

    `version`, `project`, `forked_from`, `first_parent` (a record's uuid) and `extra` are what the
    records say about the session.
    """

    def __init__(self, deliveries: Deliveries, *, is_subagent: bool) -> None:
        self._draft = SessionDraft()
        self._taken: dict[str, tuple[int, Step]] = {}
        self._waiting = Waiting(deliveries)
        self._is_subagent = is_subagent
        self._after_boundary = False
        self._branch: Any = None
        self._branches: list[str] = []
        self._branch_event: Event | None = None
        self._is_begun = False
        self._translators: dict[Any, Callable[[str, dict[str, Any], _Marks], Step | None]] = {
            "assistant": self._agent_step,
            "user": self._user_step,
            "system": self._system_step,
            "attachment": self._attached_step,
            "queue-operation": self._queued_step,
        }
        self.version: str | None = None
        self.project: str | None = None
        self.forked_from: str | None = None
        self.first_parent: str | None = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """Facts without a place of their own: the git branches in the order of their use, and how
        many records have the id of another one and other content.
        """
        facts = {"branches": tuple(self._branches), "clashes": self._draft.clashes}
        return {name: fact for name, fact in facts.items() if fact}

    @property
    def record_ids(self) -> Iterable[str]:
        """The uuid, else the place, of each record that a step of the session was made from."""
        return self._taken.keys()

    def take(self, place: str, record: dict[str, Any]) -> str | None:
        """Translate one record; kinds that are no part of the conversation are passed over.

        Gives the reason why a record that should be a part of it is none.
        """
        if (branch := record.get("gitBranch")) != self._branch:
            self._note_branch(branch)
        kind = record.get("type")
        translate = self._translators.get(kind) if isinstance(kind, str) else None
        if translate is None:
            return None
        if kind in ("user", "assistant") and not _has_message(record):
            return f"a record of type {kind} without a message"
        self._note_facts(record)
        uuid = text_of(record, "uuid")
        marks = {"timestamp": time_of(record), "content_id": _content_id(uuid, record)}
        step = translate(uuid or place, record, marks)
        if step is not None:
            self._add(step, place)
        elif kind in ("user", "assistant") and is_odd_content(record["message"]["content"]):
            return f"a record of type {kind} with content of no known form"
        return None

    def finish(self) -> tuple[Step, ...]:
        """The steps of the session."""
        return self._draft.finish()

    def _add(self, step: Step, place: str) -> None:
        """Add a step, unless it repeats one; another under its reference is known by its place."""
        earlier = self._taken.get(step.source_ref)
        if earlier is not None:
            if _said(earlier[1]) == _said(step):
                self._count_again(earlier[0], step)
                return
            self._draft.clashes += 1
            seen = tuple(replace(found, source_ref=place) for found in step.observations)
            step = replace(step, source_ref=place, observations=seen)
        self._taken[step.source_ref] = (len(self._draft.steps), step)
        if step.event == "branch_change":
            self._branch_event = None
        self._draft.add(step)

    def _count_again(self, position: int, step: Step) -> None:
        """A record that is written again may tell of more tokens than at first."""
        before = self._draft.steps[position]
        if before.tokens and step.tokens and before.tokens.output < step.tokens.output:
            self._draft.steps[position] = replace(before, tokens=step.tokens)

    def _note_facts(self, record: dict[str, Any]) -> None:
        if not self._is_begun:
            self._is_begun = True
            self.first_parent = id_of(record, "parentUuid", "logicalParentUuid") or None
        if self.version is None:
            self.version = text_of(record, "version") or None
        if self.project is None:
            self.project = text_of(record, "cwd") or None
        if self.forked_from is None and "forkedFrom" in record:
            self.forked_from = text_of(record["forkedFrom"], "sessionId") or None

    def _note_branch(self, branch: Any) -> None:
        if isinstance(branch, str) and branch:
            self._branch = branch
            self._branch_event = "branch_change" if self._branches else None
            self._branches.append(branch)

    def _agent_step(self, ref: str, record: dict[str, Any], marks: _Marks) -> Step | None:
        # The agent's next step tells of a new branch: a turn or an event keeps what it is.
        return agent_step(ref, record, self._branch_event, marks)

    def _user_step(self, ref: str, record: dict[str, Any], marks: _Marks) -> Step | None:
        content = record["message"].get("content")
        seen = observations_of(ref, record, content) if isinstance(content, list) else []
        if seen:
            marks["observations"] = tuple(seen)
        step = self._spoken_step(ref, record, list(content_texts(content)), marks)
        if not seen:
            return step
        refused = next((found for found in seen if found.error_class == "rejected"), None)
        if refused and not (step and step.is_person):
            return Step(ref, "user", rejection_comment(refused.content), event="rejection", **marks)
        return step or Step(ref, "system", **marks)

    def _spoken_step(
        self, ref: str, record: dict[str, Any], texts: list[str], marks: _Marks
    ) -> Step | None:
        text = "\n".join(text for text in texts if text.strip())
        if not text:
            return None
        if record.get("isCompactSummary") is True:
            return self._compaction_summary(ref, text, marks)
        if record.get("isMeta") is True:
            return Step(ref, "system", text, **marks)
        event: Event | None = "interrupt" if any(map(is_interrupt, texts)) else None
        words = "\n".join(filter(None, map(person_text, texts)))
        if words and self._is_from_person(record):
            return Step(ref, "user", words, is_person=True, event=event, **marks)
        return Step(ref, "user", words if event else text, event=event, **marks)

    def _is_from_person(self, record: dict[str, Any]) -> bool:
        origin = text_of(record.get("origin"), "kind")
        return not (
            self._is_subagent
            or record.get("isSidechain") is True
            or record.get("isVisibleInTranscriptOnly") is True
            or origin not in ("", "human")
            or text_of(record, "promptSource") in _MACHINE_PROMPTS
            or text_of(record, "entrypoint").startswith("sdk-")
        )

    def _compaction_summary(self, ref: str, text: str, marks: _Marks) -> Step:
        # Newer versions write a boundary before the summary: one compaction, not two.
        event: Event | None = None if self._after_boundary else "compaction"
        self._after_boundary = False
        return Step(ref, "system", text, event=event, **marks)

    def _system_step(self, ref: str, record: dict[str, Any], marks: _Marks) -> Step | None:
        subtype = text_of(record, "subtype")
        if subtype in _BOUNDARIES:
            self._after_boundary = subtype == "compact_boundary"
            return Step(
                ref, "system", content_text(record.get("content")), event="compaction", **marks
            )
        if subtype == "api_error":
            return Step(ref, "system", _api_error_text(record), event="api_error", **marks)
        text = content_text(record.get("content")) if subtype in _TELLING_SYSTEM else ""
        return Step(ref, "system", text, **marks) if text else None

    def _attached_step(self, ref: str, record: dict[str, Any], marks: _Marks) -> Step | None:
        """A message that was typed while the agent ran, at the line that delivers it."""
        attachment = mapping_of(record, "attachment")
        if attachment.get("type") != "queued_command":
            return None
        texts = list(content_texts(attachment.get("prompt")))
        is_prompt = text_of(attachment, "commandMode") in ("", "prompt")
        told = {**record, "origin": attachment.get("origin") or record.get("origin")}
        step = self._spoken_step(ref, told, texts, marks)
        return step if is_prompt or step is None else replace(step, is_person=False)

    def _queued_step(self, ref: str, record: dict[str, Any], marks: _Marks) -> Step | None:
        """Words that reached the agent from the queue and stand nowhere else.

        No turn: nothing says where in the conversation they came.
        """
        message = self._waiting.take(record)
        return Step(ref, "user", message, **marks) if message else None


def _has_message(record: dict[str, Any]) -> bool:
    message = record.get("message")
    return isinstance(message, dict) and isinstance(message.get("content"), str | list)


def _said(step: Step) -> tuple[Any, ...]:
    """What must be the same in a record that repeats another."""
    seen = [(found.call_id, found.content) for found in step.observations]
    return step.source, step.text, step.reasoning, step.tool_calls, seen


def _content_id(uuid: str, record: dict[str, Any]) -> str | None:
    """The uuid of the record, or of that which it copies, with what else a copy leaves alone.

    A uuid alone would let a log that repeats another's take its turns away. Resumed sessions of
    Claude Code 1.0 write answers again at a new time: the API's id tells those. Ids that other
    programs gave (`msg-1`) are no uuids: only with the time and the content they tell a record
    from others.
    """
    fork = record.get("forkedFrom")
    original = (text_of(fork, "messageUuid") if fork else "") or uuid
    if not original:
        return None
    if _UUID.fullmatch(original):
        said = id_of(record.get("message"), "id") if record.get("type") == "assistant" else ""
        return f"{original}:{said or id_of(record, 'timestamp')}"
    content = [record.get(key) for key in ("timestamp", "message", "attachment", "content")]
    told = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return f"{original}:{hashlib.blake2b(told, digest_size=12).hexdigest()}"


def _api_error_text(record: dict[str, Any]) -> str:
    error = mapping_of(record, "error")
    inner = mapping_of(mapping_of(error, "error"), "error") or mapping_of(error, "error")
    message = text_of(inner, "message") or text_of(error, "message")
    return " ".join(filter(None, ("API error", id_of(error, "status"), message)))
