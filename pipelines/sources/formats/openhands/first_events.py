"""Events of the first generation (V0), translated one by one into steps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent_core.session import Observation, Step, ToolCall
from pipelines.sources.drafting import result_step
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of, time_of
from pipelines.sources.formats.openhands.conversation import (
    Conversation,
    failure_step,
    is_api_error,
)
from pipelines.sources.formats.openhands.usage import answer_usage, metrics_total
from pipelines.sources.json_text import decode_object
from pipelines.sources.tool_errors import looks_failed, observe

_TOOL_NAMES = """
run run_ipython read write edit browse browse_interactive delegate call_tool_mcp mcp task_tracking
push send_pr search
"""
_TOOLS = frozenset(_TOOL_NAMES.split())
_CONDENSED = ("condensation", "condense", "summarize")
_STOPPED = ("paused", "stopped")
# What OpenHands adds to the arguments that the model gave.
_ADDED_NAMES = """
thought action is_confirmed confirmation_state security_risk action_risk keep_prompt hidden
blocking is_static translated_ipython_code impl_source kernel_init_code timeout
id timestamp source message tool_call_metadata llm_metrics
"""
_ADDED = frozenset(_ADDED_NAMES.split())
_NO_OBSERVATION = ("null", "recall", "microagent", "workspace_context", "knowledge")
# What a cell prints when it, or the editing function in it, fails.
_CELL_FAILURE = re.compile(
    r"Traceback \(most recent call last\)|^Cell In\[\d+\].*^\w*(?:Error|Exception): "
    r"|\A\s*\[(?:Your proposed edit has introduced|No exact match found|Error)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_CELL_CHARS = 20_000
_REFUSED = "User rejected the action"


@dataclass
class FirstEvents:
    """Takes the events of a conversation in order."""

    talk: Conversation
    _calls: dict[str, str] = field(default_factory=dict)
    """The id of each call by the id of the event that made it."""
    _last_call: str = ""
    _hidden: set[str] = field(default_factory=set)
    """Events that the runtime made for itself."""
    _answers: set[str] = field(default_factory=set)
    _has_user: bool = False

    def take(self, ref: str, event: dict[str, Any]) -> None:
        """Translate one event; kinds that are no part of the conversation are passed over."""
        action = text_of(event, "action")
        step = self._acted(ref, event, action) if action else self._observed(ref, event)
        if step is not None:
            self.talk.draft.add(replace(step, timestamp=time_of(event)))

    def _acted(self, ref: str, event: dict[str, Any], action: str) -> Step | None:
        args = mapping_of(event, "args") or event
        source = text_of(event, "source")
        if action == "message":
            return self._said(ref, event, args)
        if action == "system":
            self.talk.version = text_of(args, "openhands_version") or self.talk.version
            return Step(ref, "system", text_of(args, "content"))
        if action in _CONDENSED:
            return Step(ref, "system", text_of(args, "summary"), event="compaction")
        if action in ("change_agent_state", "pause", "stop"):
            is_stop = action != "change_agent_state" or text_of(args, "agent_state") in _STOPPED
            return Step(ref, "user", event="interrupt") if is_stop and source == "user" else None
        if source not in ("agent", ""):
            self._hidden.add(id_of(event, "id"))
            return None
        metadata = mapping_of(event, "tool_call_metadata")
        if metadata or action in _TOOLS:
            return self._agent_step(ref, event, _spoken(args), self._call(ref, event, args))
        text = _spoken(args)
        is_told = action in ("finish", "reject", "think") and text
        return self._agent_step(ref, event, text) if is_told else None

    def _said(self, ref: str, event: dict[str, Any], args: Mapping[str, Any]) -> Step | None:
        text = text_of(args, "content")
        if not text and (args.get("image_urls") or args.get("images_urls")):
            text = "[image]"
        # Old outputs name no source: the task comes first.
        source = text_of(event, "source") or ("agent" if self._has_user else "user")
        if source == "user":
            self._has_user = True
            return self.talk.user_step(ref, text)
        if source == "agent":
            return self._agent_step(ref, event, text)
        return Step(ref, "system", text) if text else None

    def _agent_step(
        self, ref: str, event: dict[str, Any], text: str, call: ToolCall | None = None
    ) -> Step:
        answer = mapping_of(mapping_of(event, "tool_call_metadata"), "model_response")
        answer_id = text_of(answer, "id")
        metrics = mapping_of(event, "llm_metrics")
        self.talk.meter.note_answer(ref, answer_id, answer_usage(answer))
        if metrics:
            self.talk.meter.note_step_total(ref, metrics_total(metrics))
        # Each call of one answer repeats the answer.
        is_first = not answer_id or answer_id not in self._answers
        self._answers.add(answer_id)
        return Step(
            ref,
            "agent",
            text,
            reasoning=text_of(_message(answer), "reasoning_content") if is_first else "",
            tool_calls=(call,) if call else (),
            model=text_of(answer, "model") or None,
            api_call_id=answer_id or None,
        )

    def _call(self, ref: str, event: dict[str, Any], args: Mapping[str, Any]) -> ToolCall:
        metadata = mapping_of(event, "tool_call_metadata")
        call_id = id_of(metadata, "tool_call_id") or id_of(event, "id") or ref
        self._calls[id_of(event, "id")] = self._last_call = call_id
        name = text_of(metadata, "function_name") or text_of(event, "action")
        asked = _asked(mapping_of(metadata, "model_response"), call_id)
        given = {key: value for key, value in args.items() if key not in _ADDED}
        return ToolCall(call_id, name, given if asked is None else decode_object(asked))

    def _observed(self, ref: str, event: dict[str, Any]) -> Step | None:
        kind, cause = text_of(event, "observation"), id_of(event, "cause")
        if not kind or kind in _NO_OBSERVATION or cause in self._hidden - {""}:
            return None
        if kind == "agent_state_changed":
            return _state_changed(ref, event)
        if kind in _CONDENSED:
            return Step(ref, "system", text_of(event, "content"), event="compaction")
        metadata = mapping_of(event, "tool_call_metadata")
        call_id = id_of(metadata, "tool_call_id") or self._calls.get(cause, cause)
        if not call_id and "source" not in event:
            call_id = self._last_call
        text = content_text(event.get("content"))
        if kind == "error" and not call_id and is_api_error(text):
            return Step(ref, "system", text, event="api_error")
        return self._result(ref, event, kind, call_id)

    def _result(self, ref: str, event: dict[str, Any], kind: str, call_id: str) -> Step:
        content = content_text(event.get("content"))
        extras = mapping_of(event, "extras") or event
        self.talk.note_folder(mapping_of(extras, "metadata"))
        if kind == "user_rejected":
            seen = replace(observe(content, call_id=call_id or None, is_error=True, source_ref=ref),
                           error_class="rejected")  # fmt: skip
            comment = "" if content.startswith(_REFUSED) else content
            return Step(ref, "user", comment, event="rejection", observations=(seen,))
        failed = _failed(kind, event, content)
        if failed:
            content += text_of(mapping_of(extras, "metadata"), "suffix")
        seen = observe(content, call_id=call_id or None, is_error=failed, source_ref=ref)
        return result_step(ref, (classed_by_code(seen, _exit_code(event)),))


def classed_by_code(seen: Observation, code: Any) -> Observation:
    """The failure of a command, whose code says what it is where its text does not.

    Without a code (-1) it was still running when its time was over.
    """
    if seen.error_class != "other" or not isinstance(code, int):
        return seen
    return replace(seen, error_class="timeout" if code == -1 else "command_failed")


def _spoken(args: Mapping[str, Any]) -> str:
    texts = [text_of(args, "thought"), text_of(args, "final_thought")]
    return "\n".join(dict.fromkeys(filter(None, texts)))


def _message(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((mapping_of(c, "message") for c in objects_of(answer, "choices")), {})


def _asked(answer: Mapping[str, Any], call_id: str) -> Any:
    """The arguments as the model gave them; None where its answer is not there."""
    for call in objects_of(_message(answer), "tool_calls"):
        if id_of(call, "id") == call_id:
            return mapping_of(call, "function").get("arguments")
    return None


def _state_changed(ref: str, event: dict[str, Any]) -> Step | None:
    extras = mapping_of(event, "extras")
    state = text_of(extras, "agent_state")
    reason = text_of(extras, "reason") or text_of(event, "content")
    if state == "rate_limited":
        return Step(ref, "system", reason, event="api_error")
    return failure_step(ref, reason) if state == "error" and reason else None


def _exit_code(event: dict[str, Any]) -> int | None:
    extras = mapping_of(event, "extras")
    for place in (mapping_of(extras, "metadata"), extras, event):
        code = place.get("exit_code")
        if isinstance(code, int) and not isinstance(code, bool):
            return code
    return None


def _failed(kind: str, event: dict[str, Any], content: str) -> bool:
    extras = mapping_of(event, "extras")
    flag = event.get("success")
    if isinstance(flag, bool):
        return not flag
    code = _exit_code(event)
    if code is not None:
        return code != 0
    if kind == "run_ipython" and _CELL_FAILURE.search(content[:_CELL_CHARS]):
        return True
    return kind == "error" or extras.get("error") is True or looks_failed(content)
