"""Events of the SDK (V1), translated one by one into steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from agent_core.session import Step, ToolCall
from pipelines.sources.drafting import result_step
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of, time_of
from pipelines.sources.formats.openhands.conversation import Conversation, failure_step
from pipelines.sources.formats.openhands.first_events import classed_by_code
from pipelines.sources.formats.openhands.usage import stats_model, stats_total
from pipelines.sources.json_text import decode_object
from pipelines.sources.tool_errors import looks_failed, observe

_ROOT = "root"
_REFUSED = "User rejected the action"
_ASKED = "User requested interrupt"
_ENDED = ("completed", "failed")


@dataclass
class SdkEvents:
    """Takes the events of a conversation in order."""

    talk: Conversation
    _acp_calls: set[str] = field(default_factory=set)
    _acp_ended: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _last: str = ""

    def take(self, ref: str, event: dict[str, Any]) -> None:
        """Translate one event; kinds that are no part of the conversation are passed over."""
        self._note_branch(ref, event)
        translate = _TRANSLATORS.get(text_of(event, "kind"))
        step = translate(self, ref, event) if translate else None
        if step is not None:
            self._add(step, event)

    def _add(self, step: Step, event: dict[str, Any]) -> None:
        content_id = step.content_id or _global_id(event)
        self.talk.draft.add(replace(step, timestamp=time_of(event), content_id=content_id))

    def _note_branch(self, ref: str, event: dict[str, Any]) -> None:
        """An event whose parent is an earlier one than the last undoes what lies between."""
        parent, own = text_of(event, "parent_id"), id_of(event, "id")
        is_known = parent in self._seen or parent == _ROOT
        if self._last and is_known and parent != self._last:
            step = Step(f"{ref}/rollback", "system", timestamp=time_of(event), event="rollback")
            self.talk.draft.add(step)
        self._last = own
        self._seen.add(own)

    def _system_prompt(self, ref: str, event: dict[str, Any]) -> Step:
        return Step(ref, "system", _text(event.get("system_prompt")))

    def _message(self, ref: str, event: dict[str, Any]) -> Step | None:
        message = mapping_of(event, "llm_message")
        text = _text(message.get("content"))
        source = text_of(event, "source")
        if source == "user":
            return self.talk.user_step(ref, text)
        if source != "agent":
            return Step(ref, "system", text) if text else None
        return self._agent_step(ref, event, text, message)

    def _action(self, ref: str, event: dict[str, Any]) -> Step:
        action = mapping_of(event, "action")
        texts = [_text(event.get("thought"))]
        if text_of(action, "kind") == "FinishAction":
            texts.append(text_of(action, "message"))
        step = self._agent_step(ref, event, "\n".join(filter(None, texts)), event)
        return replace(step, tool_calls=(_call(event, action),))

    def _agent_step(
        self, ref: str, event: dict[str, Any], text: str, thinking: Mapping[str, Any]
    ) -> Step:
        answer_id = text_of(event, "llm_response_id")
        self.talk.meter.note_answer(ref, answer_id, None)
        blocks = objects_of(thinking, "thinking_blocks")
        reasoning = text_of(thinking, "reasoning_content") or "\n".join(
            filter(None, (text_of(block, "thinking") for block in blocks))
        )
        # Some models write their thoughts into the text too.
        if reasoning and text.startswith("<think>"):
            text = text.partition("</think>")[2].strip()
        return Step(ref, "agent", text, reasoning=reasoning, api_call_id=answer_id or None)

    def _observation(self, ref: str, event: dict[str, Any]) -> Step:
        seen = mapping_of(event, "observation")
        metadata = mapping_of(seen, "metadata")
        self.talk.note_folder(metadata)
        content = _text(seen.get("content")) or _text(seen.get("output"))
        content = content or _text(seen.get("error"))
        code = seen.get("exit_code", metadata.get("exit_code"))
        # Without a code of its own, the metadata's -1 says that there was no command.
        code = code if "exit_code" in seen or code != -1 else None
        failed = _failed(seen, code, content)
        if failed:
            content += text_of(metadata, "suffix")
        result = observe(content, call_id=_call_id(event), is_error=failed, source_ref=ref)
        return result_step(ref, (classed_by_code(result, code),))

    def _agent_error(self, ref: str, event: dict[str, Any]) -> Step:
        text = text_of(event, "error")
        return result_step(
            ref, (observe(text, call_id=_call_id(event), is_error=True, source_ref=ref),)
        )

    def _rejection(self, ref: str, event: dict[str, Any]) -> Step:
        reason = text_of(event, "rejection_reason")
        seen = observe(reason, call_id=_call_id(event), is_error=True, source_ref=ref)
        if text_of(event, "rejection_source") == "hook":
            return result_step(ref, (seen,))
        refused = replace(seen, error_class="rejected")
        comment = "" if reason == _REFUSED else reason
        return Step(ref, "user", comment, event="rejection", observations=(refused,))

    def _interrupt(self, ref: str, event: dict[str, Any]) -> Step:
        reason = text_of(event, "reason")
        return Step(ref, "user", "" if reason == _ASKED else reason, event="interrupt")

    def _condensation(self, ref: str, event: dict[str, Any]) -> Step:
        return Step(ref, "system", text_of(event, "summary"), event="compaction")

    def _failure(self, ref: str, event: dict[str, Any]) -> Step:
        told = (text_of(event, "code"), text_of(event, "detail"))
        return failure_step(ref, ": ".join(filter(None, told)))

    def _state_update(self, _ref: str, event: dict[str, Any]) -> None:
        value = mapping_of(event, "value")
        if text_of(event, "key") == "stats":
            self.talk.model = self.talk.model or stats_model(value) or None
            self.talk.meter.note_total(stats_total(value))
        elif text_of(event, "key") == "full_state":
            self.talk.note_state(value)

    def _acp_call(self, ref: str, event: dict[str, Any]) -> Step | None:
        """The calls of an agent that is driven from outside, told anew with each progress."""
        call_id = id_of(event, "tool_call_id")
        if call_id not in self._acp_calls:
            self._acp_calls.add(call_id)
            name = text_of(event, "tool_kind") or "tool"
            call = ToolCall(call_id, name, decode_object(event.get("raw_input")))
            self.talk.meter.note_answer(ref, "", None)
            self._add(Step(ref, "agent", text_of(event, "title"), tool_calls=(call,)), event)
            ref = f"{ref}/result"
        if text_of(event, "status") not in _ENDED or call_id in self._acp_ended:
            return None
        self._acp_ended.add(call_id)
        content = _text(event.get("raw_output")) or _text(event.get("content"))
        failed = event.get("is_error") is True or text_of(event, "status") == "failed"
        seen = observe(content, call_id=call_id or None, is_error=failed, source_ref=ref)
        return result_step(ref, (seen,))


def _text(content: Any) -> str:
    """The text of a content: a string, a block, or blocks, among them nested ones."""
    blocks = content if isinstance(content, list) else [content]
    inner = [b.get("content") if text_of(b, "type") == "content" else b for b in blocks]
    return content_text([block for block in inner if isinstance(block, str | dict)])


def _call(event: dict[str, Any], action: Mapping[str, Any]) -> ToolCall:
    asked = mapping_of(event, "tool_call")
    function = mapping_of(asked, "function") or asked
    call_id = id_of(event, "tool_call_id") or id_of(asked, "id") or id_of(event, "id")
    name = text_of(event, "tool_name") or text_of(function, "name")
    given = {key: value for key, value in action.items() if key != "kind" and value is not None}
    return ToolCall(call_id, name, given if action else decode_object(function.get("arguments")))


def _call_id(event: dict[str, Any]) -> str | None:
    return id_of(event, "tool_call_id", "action_id") or None


def _failed(seen: Mapping[str, Any], code: Any, content: str) -> bool:
    if seen.get("is_error") is True or bool(text_of(seen, "error")):
        return True
    if isinstance(code, int) and not isinstance(code, bool):
        return code != 0
    return "is_error" not in seen and looks_failed(content)


def _global_id(event: dict[str, Any]) -> str | None:
    """The event's id where it is one that no other event has."""
    try:
        return str(UUID(text_of(event, "id")))
    except ValueError:
        return None


_TRANSLATORS: dict[str, Callable[[SdkEvents, str, dict[str, Any]], Step | None]] = {
    "SystemPromptEvent": SdkEvents._system_prompt,
    "MessageEvent": SdkEvents._message,
    "ActionEvent": SdkEvents._action,
    "ObservationEvent": SdkEvents._observation,
    "AgentErrorEvent": SdkEvents._agent_error,
    "UserRejectObservation": SdkEvents._rejection,
    "PauseEvent": SdkEvents._interrupt,
    "InterruptEvent": SdkEvents._interrupt,
    "Condensation": SdkEvents._condensation,
    "ConversationErrorEvent": SdkEvents._failure,
    "ConversationStateUpdateEvent": SdkEvents._state_update,
    "ACPToolCallEvent": SdkEvents._acp_call,
}
