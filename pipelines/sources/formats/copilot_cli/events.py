"""Copilot's events, translated into steps.

Source: the published schema of the session events, and files of versions 1.0.64 to 1.0.68.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent_core.session import Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.fields import (
    content_text,
    count_of,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.formats.copilot_cli.usage import RunUsage
from pipelines.sources.json_text import decode_object
from pipelines.sources.tool_errors import is_rejection, observe

_CONVERSATION = frozenset(
    (
        "user.message",
        "assistant.message",
        "system.message",
        "tool.execution_start",
        "tool.execution_complete",
    )
)
_UNIQUE_ID = re.compile(r"[0-9a-fA-F-]{36}")
_EXIT_CODE = re.compile(r"<(?:shellId: \S{1,40} )?(?:completed|exited) with exit code (-?\d+)>\s*$")
_TAIL_CHARS = 200
_REJECTED = re.compile(r"The user (?:rejected|denied|declined)", re.IGNORECASE)
_FEEDBACK = re.compile(r"user feedback:\s*", re.IGNORECASE)
_DENIED = "denied-interactively-by-user"


class Survey:
    """What the whole of a file decides about its single events."""

    def __init__(self) -> None:
        self.requested: set[str] = set()
        """Calls that a message of the agent asks for."""
        self.thoughts: set[str] = set()
        """Reasoning that stands in a message of the agent too."""
        self.session_id = self.folder = self.handed_over_from = ""

    def note(self, event: Any) -> None:
        """One event, of any shape."""
        data = mapping_of(event, "data")
        kind = text_of(event, "type")
        if kind == "assistant.message":
            self.requested.update(
                id_of(call, "toolCallId") for call in objects_of(data, "toolRequests")
            )
            self.thoughts.add(text_of(data, "reasoningText"))
        elif kind == "hook.start":
            told = mapping_of(data, "input")
            self.session_id = self.session_id or id_of(told, "sessionId")
            self.folder = self.folder or text_of(told, "cwd")
        elif kind == "session.resume":
            self.folder = self.folder or text_of(mapping_of(data, "context"), "cwd")
        elif kind == "session.handoff":
            self.handed_over_from = id_of(data, "remoteSessionId")


class CopilotEvents:
    """The steps of one session; a subagent's events stand among those of its caller."""

    def __init__(self, survey: Survey) -> None:
        self.usage = RunUsage()
        self._survey = survey
        self._draft = SessionDraft()
        self._model: str | None = None
        self._by_person: set[str] = set()
        """Calls that the person made by a command of the program."""
        self._rejected: set[str] = set()
        """Calls of which the person's refusal is told already."""

    def take(self, place: str, event: Mapping[str, Any]) -> str | None:
        """Translate one event; the reason when it should have been conversation and is not."""
        kind = text_of(event, "type")
        if not isinstance(event.get("data"), dict):
            return (
                "not an event with a type and data" if not kind or kind in _CONVERSATION else None
            )
        data = event["data"]
        self._note_model(kind, data)
        if kind == "session.shutdown":
            self._close_run(place, event, data)
            return None
        step = self._step(kind, data, is_subagents=bool(id_of(event, "agentId")))
        if step is None:
            return None
        ref = self._draft.claim(id_of(event, "id") or place, place, event)
        if ref is None:
            return None
        seen = tuple(replace(o, source_ref=ref) for o in step.observations)
        step = replace(step, source_ref=ref, observations=seen, timestamp=time_of(event))
        if kind == "assistant.message":
            self.usage.note_call(len(self._draft.steps), step, count_of(data, "outputTokens"))
        self._draft.add(replace(step, content_id=_content_id(event)))
        return None

    def finish(self) -> SessionDraft:
        """All steps, with the tokens of their calls."""
        self._draft.steps[:] = self.usage.spread(self._draft.steps)
        return self._draft

    def _note_model(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind in ("session.start", "session.resume"):
            self._model = id_of(data, "selectedModel") or self._model
        elif kind == "session.model_change":
            self._model = id_of(data, "newModel") or self._model

    def _step(self, kind: str, data: Mapping[str, Any], *, is_subagents: bool) -> Step | None:
        """The step of an event, without what its envelope tells."""
        if kind == "user.message":
            return _prompt(data, is_subagents=is_subagents)
        if kind == "assistant.message":
            return self._answer(data)
        if kind == "assistant.reasoning":
            thought = text_of(data, "content")
            is_told = not thought or thought in self._survey.thoughts
            return None if is_told else Step("", "agent", reasoning=thought, model=self._model)
        if kind in ("system.message", "system.notification"):
            return Step("", "system", text_of(data, "content"))
        if kind.startswith(("tool.", "permission.")):
            return self._tool_step(kind, data)
        return _happening(kind, data)

    def _answer(self, data: Mapping[str, Any]) -> Step:
        return Step(
            "",
            "agent",
            text_of(data, "content"),
            reasoning=text_of(data, "reasoningText"),
            tool_calls=tuple(
                _call(request, "name") for request in objects_of(data, "toolRequests")
            ),
            model=id_of(data, "model") or self._model,
            api_call_id=id_of(data, "apiCallId") or None,
        )

    def _tool_step(self, kind: str, data: Mapping[str, Any]) -> Step | None:
        call_id = id_of(data, "toolCallId")
        if kind == "tool.user_requested":
            self._by_person.add(call_id)
        elif kind == "tool.execution_start":
            if call_id not in self._survey.requested and call_id not in self._by_person:
                return Step("", "agent", tool_calls=(_call(data, "toolName"),), model=self._model)
        elif kind == "tool.execution_complete":
            return self._completion(call_id, data)
        elif kind == "permission.completed":
            result = mapping_of(data, "result")
            if text_of(result, "kind") == _DENIED and call_id not in self._rejected:
                self._rejected.add(call_id)
                return Step("", "user", text_of(result, "feedback"), event="rejection")
        return None

    def _completion(self, call_id: str, data: Mapping[str, Any]) -> Step:
        content, is_error = _result(data)
        if data.get("isUserRequested") is True or call_id in self._by_person:
            return Step("", "system", content)
        seen = observe(content, call_id=call_id or None, is_error=is_error, source_ref=None)
        is_refused = data.get("success") is False and _is_refusal(data, content)
        if not is_refused and call_id not in self._rejected:
            return result_step("", (seen,))
        seen = replace(seen, is_error=True, error_class="rejected")
        if call_id in self._rejected:
            return result_step("", (seen,))
        self._rejected.add(call_id)
        feedback = _FEEDBACK.split(content, 1)[1:]
        return Step("", "user", "".join(feedback), event="rejection", observations=(seen,))

    def _close_run(self, place: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        ref = self._draft.claim(id_of(event, "id") or place, place, event)
        if ref is None:
            return
        time = time_of(event)
        for step in self.usage.close(ref, mapping_of(data, "modelMetrics")):
            self._draft.add(replace(step, timestamp=time))
        if data.get("shutdownType") == "error":
            reason = text_of(data, "errorReason")
            content_id = _content_id(event)
            self._draft.add(
                Step(ref, "system", reason, time, event="api_error", content_id=content_id)
            )


def _prompt(data: Mapping[str, Any], *, is_subagents: bool) -> Step:
    """A message in the user's place: `source` tells which ones a skill or the program put there."""
    text = text_of(data, "content") or "[attachment]" * bool(objects_of(data, "attachments"))
    is_machines = (
        is_subagents
        or id_of(data, "source") not in ("", "user")
        or bool(id_of(data, "inputOrigin", "parentToolCallId"))
        or data.get("isAutopilotContinuation") is True
    )
    return Step("", "user", text, is_person=bool(text.strip()) and not is_machines)


def _call(request: Mapping[str, Any], name_key: str) -> ToolCall:
    arguments = decode_object(request.get("arguments"))
    return ToolCall(id_of(request, "toolCallId"), text_of(request, name_key), arguments)


def _result(data: Mapping[str, Any]) -> tuple[str, bool]:
    """Text of a result and whether it failed: a command that exits badly is a success here."""
    result = mapping_of(data, "result")
    content = text_of(result, "content") or content_text(result.get("contents"))
    if data.get("success") is False:
        return text_of(mapping_of(data, "error"), "message") or content, True
    codes = [block.get("exitCode") for block in objects_of(result, "contents")]
    if match := _EXIT_CODE.search(content[-_TAIL_CHARS:]):
        codes.append(int(match.group(1)))
    return content, any(type(code) is int and code != 0 for code in codes)


def _is_refusal(data: Mapping[str, Any], content: str) -> bool:
    code = text_of(mapping_of(data, "error"), "code")
    return code == "rejected" or bool(_REJECTED.match(content)) or is_rejection(content)


def _happening(kind: str, data: Mapping[str, Any]) -> Step | None:
    """What befalls a session beside its messages."""
    if kind == "abort":
        return Step("", "user", event="interrupt")
    if kind == "session.error":
        return Step("", "system", text_of(data, "message"), event="api_error")
    if kind == "session.compaction_complete":
        if data.get("success") is False:
            return Step("", "system", text_of(data, "error"), event="api_error")
        return Step("", "system", text_of(data, "summaryContent"), event="compaction")
    if kind == "session.truncation" and count_of(data, "messagesRemovedDuringTruncation"):
        return Step("", "system", event="compaction")
    if kind == "session.snapshot_rewind":
        removed = count_of(data, "eventsRemoved")
        return Step("", "user", f"{removed} events rolled back", event="rollback")
    if kind == "session.handoff":
        told = (text_of(data, "context"), text_of(data, "summary"))
        return Step("", "system", "\n".join(filter(None, told)))
    return None


def _content_id(event: Mapping[str, Any]) -> str | None:
    """The event's own id where it is unique over all sessions, as those of Copilot are."""
    own = text_of(event, "id")
    return own if _UNIQUE_ID.fullmatch(own) else None
