"""Claude Code's records, translated one by one into steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent_core.session import Event, Observation, Step, Tokens, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.fields import (
    content_text,
    content_texts,
    count_of,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.json_text import decode_object
from pipelines.sources.person import is_interrupt, person_text
from pipelines.sources.tool_errors import is_rejection, observe, rejection_comment

_TELLING_SYSTEM = ("local_command", "informational", "away_summary", "model_refusal_fallback")
_MACHINE_PROMPTS = ("system", "sdk")
_ERROR_MARK = "<tool_use_error>"


class ClaudeRecords:
    """Takes the records of one session in file order and gives its steps.

    `version`, `project`, `forked_from` and `extra` are what the records say about the session.
    """

    def __init__(self, *, is_subagent: bool) -> None:
        self._draft = SessionDraft()
        self._is_subagent = is_subagent
        self._after_boundary = False
        self._branches: list[str] = []
        self._branch_changed = False
        self.version: str | None = None
        self.project: str | None = None
        self.forked_from: str | None = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """Facts without a place of their own: the git branches in the order of their use."""
        return {"branches": tuple(self._branches)} if self._branches else {}

    def take(self, place: str, record: dict[str, Any]) -> None:
        """Translate one record; kinds that are no part of the conversation are passed over."""
        self._note_facts(record)
        kind = record.get("type")
        if kind not in ("user", "assistant", "system", "attachment"):
            return
        content = (kind, record.get("message"), record.get("attachment"), record.get("content"))
        ref = self._draft.claim(text_of(record, "uuid") or place, place, content)
        if ref is None:
            return
        step = self._step(kind, ref, record)
        if step is not None:
            self._draft.add(self._dated(step, record))

    def finish(self, source_path: str) -> tuple[Step, ...]:
        """The steps of the session."""
        return self._draft.finish(source_path)

    def _step(self, kind: str, ref: str, record: dict[str, Any]) -> Step | None:
        if kind == "assistant":
            return _agent_step(ref, record)
        if kind == "user":
            return self._user_step(ref, record)
        if kind == "system":
            return self._system_step(ref, record)
        return self._queued_step(ref, record)

    def _user_step(self, ref: str, record: dict[str, Any]) -> Step | None:
        content = mapping_of(record, "message").get("content")
        blocks = objects_of(record.get("message"), "content")
        results = [b for b in blocks if b.get("type") == "tool_result"]
        observations = tuple(_observation(ref, block) for block in results)
        texts = list(content_texts(content))
        step = self._spoken_step(ref, record, texts)
        if not results:
            return step
        refused = next((o for o in observations if o.error_class == "rejected"), None)
        if refused and not (step and step.is_person):
            comment = rejection_comment(refused.content)
            return Step(ref, "user", comment, event="rejection", observations=observations)
        return replace(step, observations=observations) if step else result_step(ref, observations)

    def _spoken_step(self, ref: str, record: dict[str, Any], texts: list[str]) -> Step | None:
        text = "\n".join(text for text in texts if text.strip())
        if not text:
            return None
        if record.get("isCompactSummary") is True:
            return self._compaction_summary(ref, text)
        if record.get("isMeta") is True:
            return Step(ref, "system", text)
        event: Event | None = "interrupt" if any(map(is_interrupt, texts)) else None
        words = "\n".join(filter(None, map(person_text, texts)))
        if words and self._is_from_person(record):
            return Step(ref, "user", words, is_person=True, event=event)
        return Step(ref, "user", words if event else text, event=event)

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

    def _compaction_summary(self, ref: str, text: str) -> Step:
        # Newer versions write a boundary before the summary: one compaction, not two.
        event: Event | None = None if self._after_boundary else "compaction"
        self._after_boundary = False
        return Step(ref, "system", text, event=event)

    def _system_step(self, ref: str, record: dict[str, Any]) -> Step | None:
        subtype = text_of(record, "subtype")
        text = content_text(record.get("content"))
        if subtype in ("compact_boundary", "microcompact_boundary"):
            self._after_boundary = subtype == "compact_boundary"
            return Step(ref, "system", text, event="compaction")
        if subtype == "api_error":
            return Step(ref, "system", _api_error_text(record), event="api_error")
        return Step(ref, "system", text) if subtype in _TELLING_SYSTEM and text else None

    def _queued_step(self, ref: str, record: dict[str, Any]) -> Step | None:
        """A message that was typed while the agent ran, at the line that delivers it."""
        attachment = mapping_of(record, "attachment")
        if attachment.get("type") != "queued_command":
            return None
        texts = list(content_texts(attachment.get("prompt")))
        is_prompt = text_of(attachment, "commandMode") in ("", "prompt")
        told = {**record, "origin": attachment.get("origin") or record.get("origin")}
        step = self._spoken_step(ref, told, texts)
        return step if is_prompt or step is None else replace(step, is_person=False)

    def _note_facts(self, record: dict[str, Any]) -> None:
        self.version = self.version or text_of(record, "version") or None
        self.project = self.project or text_of(record, "cwd") or None
        fork = mapping_of(record, "forkedFrom")
        self.forked_from = self.forked_from or text_of(fork, "sessionId") or None
        branch = text_of(record, "gitBranch")
        if branch and branch not in self._branches[-1:]:
            self._branch_changed = bool(self._branches)
            self._branches.append(branch)

    def _dated(self, step: Step, record: dict[str, Any]) -> Step:
        original = text_of(mapping_of(record, "forkedFrom"), "messageUuid")
        event = step.event
        if self._branch_changed and not event and step.source == "agent":
            event, self._branch_changed = "branch_change", False
        return replace(
            step,
            timestamp=time_of(record),
            event=event,
            content_id=original or text_of(record, "uuid") or None,
        )


def _agent_step(ref: str, record: dict[str, Any]) -> Step:
    message = mapping_of(record, "message")
    blocks = objects_of(message, "content")
    model = text_of(message, "model")
    return Step(
        ref,
        "agent",
        content_text(message.get("content")),
        event="api_error" if record.get("isApiErrorMessage") is True else None,
        reasoning="\n".join(t for b in blocks if (t := text_of(b, "thinking"))),
        tool_calls=tuple(_call(block) for block in blocks if block.get("type") == "tool_use"),
        model=model if model and model != "<synthetic>" else None,
        tokens=_tokens(mapping_of(message, "usage")),
        api_call_id=text_of(message, "id") or text_of(record, "requestId") or None,
    )


def _call(block: dict[str, Any]) -> ToolCall:
    return ToolCall(id_of(block, "id"), text_of(block, "name"), decode_object(block.get("input")))


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """Claude's `input_tokens` are those that no cache served; here `input` includes all."""
    if not usage:
        return None
    cached = count_of(usage, "cache_read_input_tokens")
    fresh = count_of(usage, "input_tokens") + count_of(usage, "cache_creation_input_tokens")
    return Tokens(fresh + cached, cached, count_of(usage, "output_tokens"))


def _observation(ref: str, block: dict[str, Any]) -> Observation:
    content = content_text(block.get("content"))
    flag = block.get("is_error")
    failed = flag is True or (flag is None and content.lstrip().startswith(_ERROR_MARK))
    return observe(
        content,
        call_id=id_of(block, "tool_use_id") or None,
        is_error=failed or is_rejection(content),
        source_ref=ref,
    )


def _api_error_text(record: dict[str, Any]) -> str:
    error = mapping_of(record, "error")
    inner = mapping_of(mapping_of(error, "error"), "error") or mapping_of(error, "error")
    parts = ("API error", id_of(error, "status"), text_of(inner, "message"))
    return " ".join(filter(None, parts))
