"""Codex's records, translated into steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from agent_core.session import Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.fields import content_text, count_of, id_of, mapping_of, text_of
from pipelines.sources.formats.codex.lineage import Lineage
from pipelines.sources.formats.codex.usage import CallUsage
from pipelines.sources.json_text import decode_object
from pipelines.sources.person import person_text
from pipelines.sources.tool_errors import codex_result, is_rejection, observe, rejection_comment

_CALLS = frozenset(
    (
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "web_search_call",
        "tool_search_call",
    )
)
_OUTPUTS = frozenset(("function_call_output", "custom_tool_call_output", "tool_search_output"))
_API_ERRORS = frozenset(("error", "stream_error"))


class CodexRecord(NamedTuple):
    """One record out of its envelope; bare items are `response_item`."""

    place: str
    kind: str
    body: Mapping[str, Any]
    timestamp: datetime | None


@dataclass(frozen=True)
class Rollout:
    """What the whole of a rollout decides about its single records.

    Codex writes most of what is said twice, as an event and as an item.
    """

    user_texts: frozenset[str]
    """Texts of the user's events; empty where only items tell of the user."""
    kinds: frozenset[str]
    """`type` of all records, and `role` of the messages among the items."""
    call_ids: frozenset[str]
    failed_calls: frozenset[str]
    is_subagent: bool


class CodexSteps:
    """The steps of one rollout; `parent_id` is the session it was forked or spawned from."""

    def __init__(self, records: Sequence[CodexRecord], meta: Mapping[str, Any]) -> None:
        self._rollout = _survey(records, meta)
        self._draft = SessionDraft()
        self._lineage = Lineage()
        self._usage = CallUsage()
        self._model: str | None = None
        for record in records:
            self._take(record)
        self.parent_id = self._lineage.parent_id(meta)

    def finish(self, source_path: str) -> tuple[Step, ...]:
        """The steps, with tokens and what identifies copies of them."""
        steps = self._draft.steps
        ids = self._lineage.content_ids(self._draft.whole_steps())
        priced = self._usage.spread(steps)
        steps[:] = [replace(s, content_id=i) for s, i in zip(priced, ids, strict=True)]
        return self._draft.finish(source_path)

    def _take(self, record: CodexRecord) -> None:
        self._lineage.take(record.kind, record.body)
        if record.kind == "turn_context":
            self._model = text_of(record.body, "model") or self._model
        elif record.kind == "event_msg" and record.body.get("type") == "token_count":
            self._usage.count(record.place, mapping_of(record.body, "info"))
        elif step := self._step(record.place, record.kind, record.body):
            if step.source == "agent":
                self._usage.note_step(len(self._draft.steps))
                step = replace(step, model=self._model)
            else:
                self._usage.note_other_step()
            self._draft.add(replace(step, timestamp=record.timestamp))
            self._lineage.note_step()

    def _step(self, place: str, kind: str, body: Mapping[str, Any]) -> Step | None:
        if kind == "response_item":
            return self._item_step(place, body)
        if kind == "event_msg":
            return self._event_step(place, body)
        if kind == "compacted":
            return Step(place, "system", text_of(body, "message"), event="compaction")
        return None

    def _item_step(self, place: str, body: Mapping[str, Any]) -> Step | None:
        kind = text_of(body, "type")
        if kind in _CALLS:
            return Step(place, "agent", tool_calls=(_call(kind, body),))
        if kind in _OUTPUTS:
            return self._output_step(place, body)
        if kind == "reasoning":
            thought = content_text(body.get("summary")) or content_text(body.get("content"))
            return Step(place, "agent", reasoning=thought) if thought else None
        return self._message_step(place, body) if kind in ("message", "") else None

    def _message_step(self, place: str, body: Mapping[str, Any]) -> Step | None:
        text = content_text(body.get("content"))
        role = text_of(body, "role")
        if not text:
            return None
        if role == "assistant":
            return Step(place, "agent", text)
        if role != "user":
            return Step(place, "system", text)
        if text.strip() in self._rollout.user_texts:
            return None
        # Beside the user's events, further items of that role are what the program put in.
        is_telling = "user_message" not in self._rollout.kinds
        return self._user_step(place, text, is_telling)

    def _user_step(self, place: str, text: str, is_telling: bool) -> Step:
        words = person_text(text) if is_telling and not self._rollout.is_subagent else ""
        if words:
            return Step(place, "user", words, is_person=True)
        return Step(place, "system", text)

    def _output_step(self, place: str, body: Mapping[str, Any]) -> Step:
        call_id = id_of(body, "call_id") or None
        content, failed = codex_result(body.get("output", body.get("tools")))
        failed = failed or call_id in self._rollout.failed_calls
        seen = observe(content, call_id=call_id, is_error=failed, source_ref=place)
        if is_rejection(content):
            comment = rejection_comment(content)
            return Step(place, "user", comment, event="rejection", observations=(seen,))
        return result_step(place, (seen,))

    def _event_step(self, place: str, body: Mapping[str, Any]) -> Step | None:
        kind = text_of(body, "type")
        if kind == "user_message":
            text = text_of(body, "message") or "[image]" * bool(body.get("images"))
            return self._user_step(place, text, is_telling=True)
        if kind == "agent_message" and "assistant" not in self._rollout.kinds:
            return Step(place, "agent", text_of(body, "message"))
        if kind == "agent_reasoning" and "reasoning" not in self._rollout.kinds:
            return Step(place, "agent", reasoning=text_of(body, "text"))
        if kind == "mcp_tool_call_end":
            return self._mcp_step(place, body)
        return self._happening_step(place, kind, body)

    def _happening_step(self, place: str, kind: str, body: Mapping[str, Any]) -> Step | None:
        if kind == "turn_aborted":
            return Step(place, "user", event="interrupt")
        if kind == "thread_rolled_back":
            turns = count_of(body, "num_turns")
            return Step(place, "user", f"{turns} turns rolled back", event="rollback")
        if kind in _API_ERRORS:
            return Step(place, "system", text_of(body, "message"), event="api_error")
        if kind == "context_compacted" and "compacted" not in self._rollout.kinds:
            return Step(place, "system", event="compaction")
        return None

    def _mcp_step(self, place: str, body: Mapping[str, Any]) -> Step | None:
        """A call through an MCP server that no response item tells of."""
        call_id = id_of(body, "call_id")
        if call_id in self._rollout.call_ids:
            return None
        invocation, result = mapping_of(body, "invocation"), mapping_of(body, "result")
        name = "__".join(("mcp", text_of(invocation, "server"), text_of(invocation, "tool")))
        call = ToolCall(call_id, name, decode_object(invocation.get("arguments")))
        content = text_of(result, "Err") or content_text(mapping_of(result, "Ok").get("content"))
        failed = _has_failed("mcp_tool_call_end", body)
        seen = observe(content, call_id=call_id, is_error=failed, source_ref=place)
        return Step(place, "agent", tool_calls=(call,), observations=(seen,))


def _survey(records: Sequence[CodexRecord], meta: Mapping[str, Any]) -> Rollout:
    bodies = [r.body for r in records]
    kinds = {r.kind for r in records} | {text_of(body, "type") for body in bodies}
    items = [r.body for r in records if r.kind == "response_item"]
    failed = (id_of(b, "call_id") for b in bodies if _has_failed(text_of(b, "type"), b))
    said = (text_of(b, "message").strip() for b in bodies if b.get("type") == "user_message")
    return Rollout(
        user_texts=frozenset(said),
        kinds=frozenset(kinds | {text_of(item, "role") for item in items}),
        call_ids=frozenset(id_of(item, "call_id") for item in items),
        failed_calls=frozenset(failed),
        is_subagent="subagent" in mapping_of(meta, "source"),
    )


def _has_failed(kind: str, body: Mapping[str, Any]) -> bool:
    """Whether an event tells of a call that failed."""
    if kind == "patch_apply_end":
        return body.get("success") is False
    if kind == "exec_command_end":
        return body.get("exit_code") not in (0, None)
    result = mapping_of(body, "result")
    has_error = "Err" in result or mapping_of(result, "Ok").get("isError") is True
    return kind == "mcp_tool_call_end" and has_error


def _call(kind: str, body: Mapping[str, Any]) -> ToolCall:
    arguments = next((body[k] for k in ("arguments", "input", "action") if k in body), None)
    name = text_of(body, "name") or kind.removesuffix("_call")
    return ToolCall(id_of(body, "call_id", "id"), name, decode_object(arguments))
