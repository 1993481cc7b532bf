"""Codex's records, translated into steps."""

from collections.abc import Callable, Mapping
from typing import Any

from agent_core.session import Step, ToolCall
from pipelines.sources.drafting import SessionDraft
from pipelines.sources.fields import content_text, count_of, id_of, mapping_of, text_of, time_of
from pipelines.sources.formats.codex.lineage import Lineage
from pipelines.sources.formats.codex.pending import PendingStep
from pipelines.sources.formats.codex.rollout import CodexRecord, Rollout, has_failed
from pipelines.sources.formats.codex.usage import CallUsage
from pipelines.sources.json_text import decode_object
from pipelines.sources.person import person_text
from pipelines.sources.tool_errors import codex_result, is_rejection, observe, rejection_comment

_CALLS = (
    "function_call",
    "custom_tool_call",
    "local_shell_call",
    "web_search_call",
    "tool_search_call",
    "image_generation_call",
)
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "tool_search_output")
_COMPACTIONS = ("compaction", "compaction_summary", "context_compaction")
_ENDED_BY_ITSELF = ("review_ended", "budget_limited")
"""Reasons of an aborted turn that are no interrupt by the person."""

_Translator = Callable[[str, Mapping[str, Any]], PendingStep | None]


class CodexSteps:
    """Takes the records of one rollout in file order and gives its steps."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self._steps: list[PendingStep] = []
        self._lineage = Lineage()
        self._usage = CallUsage(id_of(rollout.meta, "id", "session_id"))
        self._model: str | None = None
        self._items: dict[str, _Translator] = {
            "message": self._message_step,
            "": self._message_step,
            "reasoning": _reasoning_step,
            "agent_message": _agents_message_step,
            **dict.fromkeys(_CALLS, _call_step),
            **dict.fromkeys(_OUTPUTS, self._output_step),
            **dict.fromkeys(_COMPACTIONS, self._compaction_step),
        }
        self._events: dict[str, _Translator] = {
            "user_message": self._users_message_step,
            "agent_message": self._said_step,
            "agent_reasoning": self._thought_step,
            "mcp_tool_call_end": self._mcp_step,
            "turn_aborted": _aborted_step,
            "thread_rolled_back": _rollback_step,
            "context_compacted": self._compaction_step,
            "error": _api_error_step,
            "stream_error": _api_error_step,
        }

    @property
    def parent_id(self) -> str | None:
        """The session that this one was forked or spawned from, where the log says so."""
        return self._lineage.parent_id(self._rollout.meta)

    def take(self, record: CodexRecord) -> None:
        """Translate one record; kinds that are no part of the conversation are passed over."""
        place, kind, body, line = record
        body_kind = text_of(body, "type")
        self._lineage.take(kind, body_kind, body)
        step: PendingStep | None = None
        if kind == "response_item":
            translate = self._items.get(body_kind)
            step = translate(place, body) if translate else None
        elif kind == "event_msg":
            if body_kind == "token_count":
                self._usage.count(place, mapping_of(body, "info"))
                return
            translate = self._events.get(body_kind)
            step = translate(place, body) if translate else None
        elif kind == "turn_context":
            self._model = text_of(body, "model") or self._model
        elif kind == "compacted":
            # `replacement_history` is what the model goes on with: none of it happened anew.
            step = PendingStep(place, "system", text_of(body, "message"), "compaction")
        if step is not None:
            step.timestamp = time_of(line)
            self._add(step)

    def finish(self) -> tuple[Step, ...]:
        """The steps, with tokens and what identifies copies of them."""
        draft = SessionDraft()
        ids = self._lineage.content_ids(self._steps)
        costs = self._usage.spread(len(self._steps))
        for step, content_id, (tokens, call_id) in zip(self._steps, ids, costs, strict=True):
            draft.add(step.whole(tokens, call_id, content_id))
        return draft.finish()

    def _add(self, step: PendingStep) -> None:
        if step.source == "agent":
            step.model = self._model
            self._usage.note_step(len(self._steps))
        else:
            self._usage.note_other_step()
        self._steps.append(step)
        self._lineage.note_step()

    def _message_step(self, place: str, body: Mapping[str, Any]) -> PendingStep | None:
        text = content_text(body.get("content"))
        role = text_of(body, "role")
        if not text:
            return None
        if role == "assistant":
            return PendingStep(place, "agent", text)
        if role != "user":
            return PendingStep(place, "system", text)
        if text.strip() in self._rollout.user_texts:
            return None
        # Beside the user's events, further items of that role are what the program put in.
        return self._user_step(place, text, "user_message" not in self._rollout.kinds)

    def _user_step(self, place: str, text: str, is_telling: bool) -> PendingStep:
        words = person_text(text) if is_telling and not self._rollout.is_subagent else ""
        if words:
            return PendingStep(place, "user", words, is_person=True)
        return PendingStep(place, "system", text)

    def _output_step(self, place: str, body: Mapping[str, Any]) -> PendingStep:
        call_id = id_of(body, "call_id") or None
        content, failed = codex_result(body.get("output", body.get("tools")))
        failed = failed or call_id in self._rollout.failed_calls
        seen = (observe(content, call_id=call_id, is_error=failed, source_ref=place),)
        if failed and is_rejection(content):
            comment = rejection_comment(content)
            return PendingStep(place, "user", comment, "rejection", observations=seen)
        return PendingStep(place, "system", observations=seen)

    def _users_message_step(self, place: str, body: Mapping[str, Any]) -> PendingStep:
        text = text_of(body, "message") or "[image]" * bool(body.get("images"))
        return self._user_step(place, text, is_telling=True)

    def _said_step(self, place: str, body: Mapping[str, Any]) -> PendingStep | None:
        is_told = "assistant" in self._rollout.kinds
        return None if is_told else PendingStep(place, "agent", text_of(body, "message"))

    def _thought_step(self, place: str, body: Mapping[str, Any]) -> PendingStep | None:
        is_told = "reasoning" in self._rollout.kinds
        return None if is_told else PendingStep(place, "agent", reasoning=text_of(body, "text"))

    def _compaction_step(self, place: str, body: Mapping[str, Any]) -> PendingStep | None:
        is_told = "compacted" in self._rollout.kinds
        return None if is_told else PendingStep(place, "system", event="compaction")

    def _mcp_step(self, place: str, body: Mapping[str, Any]) -> PendingStep | None:
        """A call through an MCP server that no response item tells of."""
        call_id = id_of(body, "call_id")
        if call_id in self._rollout.call_ids:
            return None
        invocation, result = mapping_of(body, "invocation"), mapping_of(body, "result")
        name = "__".join(("mcp", text_of(invocation, "server"), text_of(invocation, "tool")))
        call = ToolCall(call_id, name, decode_object(invocation.get("arguments")))
        content = text_of(result, "Err") or content_text(mapping_of(result, "Ok").get("content"))
        failed = has_failed("mcp_tool_call_end", body)
        seen = observe(content, call_id=call_id, is_error=failed, source_ref=place)
        return PendingStep(place, "agent", tool_calls=(call,), observations=(seen,))


def _call_step(place: str, body: Mapping[str, Any]) -> PendingStep:
    arguments = next((body[k] for k in ("arguments", "input", "action") if k in body), None)
    name = text_of(body, "name") or text_of(body, "type").removesuffix("_call")
    call = ToolCall(id_of(body, "call_id", "id"), name, decode_object(arguments))
    return PendingStep(place, "agent", tool_calls=(call,))


def _reasoning_step(place: str, body: Mapping[str, Any]) -> PendingStep | None:
    thought = content_text(body.get("summary")) or content_text(body.get("content"))
    return PendingStep(place, "agent", reasoning=thought) if thought else None


def _agents_message_step(place: str, body: Mapping[str, Any]) -> PendingStep | None:
    """What another agent of the same run tells this one."""
    text = content_text(body.get("content"))
    return PendingStep(place, "system", text) if text else None


def _aborted_step(place: str, body: Mapping[str, Any]) -> PendingStep | None:
    is_by_person = body.get("reason") not in _ENDED_BY_ITSELF
    return PendingStep(place, "user", event="interrupt") if is_by_person else None


def _rollback_step(place: str, body: Mapping[str, Any]) -> PendingStep:
    turns = count_of(body, "num_turns")
    return PendingStep(place, "user", f"{turns} turns rolled back", "rollback")


def _api_error_step(place: str, body: Mapping[str, Any]) -> PendingStep:
    return PendingStep(place, "system", text_of(body, "message"), "api_error")
