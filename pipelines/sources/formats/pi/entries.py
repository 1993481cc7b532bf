"""The entries of a Pi session, translated into steps.

Source: Pi's session manager and message types, those of Oh My Pi, and its files of version 3.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent_core.session import Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.fields import (
    content_text,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.formats.pi.usage import cost_of, tokens_of
from pipelines.sources.json_text import decode_object
from pipelines.sources.person import person_text
from pipelines.sources.tool_errors import is_rejection, observe, rejection_comment

_SKILL = re.compile(r"\s*<skill [^>]*>.*?</skill>\s*", re.DOTALL)
_INSERTED = frozenset(("custom", "hookMessage", "developer", "fileMention"))
_SHELLS = {"bashExecution": "command", "pythonExecution": "code"}


class PiEntries:
    """Follows the entries of one session: each new one goes on from the one that it names.

    The file keeps abandoned branches. Where an entry does not go on from the one before it, the
    person went back, and an event tells of it.
    """

    def __init__(self, *, is_subagents: bool) -> None:
        self.draft = SessionDraft()
        self._is_subagents = is_subagents
        self._model: str | None = None
        self._known: set[str] = set()
        self._leaf = ""

    def take(self, place: str, entry: Mapping[str, Any]) -> str | None:
        """Translate one entry; the reason when it should have been conversation and is not."""
        kind = text_of(entry, "type")
        if kind == "message" and not text_of(mapping_of(entry, "message"), "role"):
            return "a message without a role"
        if not kind:
            return "not an entry with a type"
        if kind == "title":
            return None
        if kind == "model_change":
            # Oh My Pi writes both names as one.
            named = id_of(entry, "modelId") or id_of(entry, "model").partition("/")[2]
            self._model = named or self._model
        ref = self.draft.claim(id_of(entry, "id") or place, place, entry)
        if ref is None:
            return None
        went_back = self._goes_back(entry)
        steps = list(self._steps(ref, kind, entry))
        if went_back and not any(step.event == "branch_change" for step in steps):
            steps.insert(0, Step(f"{ref}/branch", "user", event="branch_change"))
        time = time_of(entry) or time_of(mapping_of(entry, "message"))
        for step in steps:
            content_id = _content_id(entry) if step.source_ref == ref else None
            self.draft.add(replace(step, timestamp=time, content_id=content_id))
        return None

    def _goes_back(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry goes on from an earlier one than the last; now it is the last."""
        parent, leaf, own = id_of(entry, "parentId"), self._leaf, id_of(entry, "id")
        if own:
            self._known.add(own)
            self._leaf = own
        is_root = "parentId" in entry and entry["parentId"] is None
        return bool(leaf and own) and parent != leaf and (is_root or parent in self._known)

    def _steps(self, ref: str, kind: str, entry: Mapping[str, Any]) -> Iterator[Step]:
        if kind == "message":
            yield from self._message_steps(ref, mapping_of(entry, "message"))
        elif kind == "custom_message":
            yield Step(ref, "system", content_text(entry.get("content")))
        elif kind == "session_init":
            yield Step(ref, "system", content_text(entry.get("systemPrompt")))
        elif kind == "compaction":
            yield Step(ref, "system", text_of(entry, "summary"), event="compaction")
        elif kind == "branch_summary":
            yield Step(ref, "system", text_of(entry, "summary"), event="branch_change")
        elif kind == "model_usage":
            usage = mapping_of(entry, "usage")
            model = id_of(entry, "model") or None
            tokens, cost = tokens_of(usage), cost_of(usage)
            yield Step(ref, "system", model=model, tokens=tokens, cost_usd=cost)

    def _message_steps(self, ref: str, message: Mapping[str, Any]) -> Iterator[Step]:
        role, content = text_of(message, "role"), message.get("content")
        if role == "user":
            yield self._prompt(ref, message)
        elif role == "assistant":
            yield from self._answer(ref, message)
        elif role == "toolResult":
            yield _result(ref, message)
        elif role in _INSERTED:
            yield Step(ref, "system", content_text(content))
        elif role in _SHELLS:
            told = (text_of(message, _SHELLS[role]), text_of(message, "output"))
            yield Step(ref, "system", "\n".join(filter(None, told)))
        elif role == "compactionSummary":
            yield Step(ref, "system", text_of(message, "summary"), event="compaction")
        elif role == "branchSummary":
            yield Step(ref, "system", text_of(message, "summary"), event="branch_change")

    def _prompt(self, ref: str, message: Mapping[str, Any]) -> Step:
        """The person's turn, without the skill that a command put before it.

        The task of a subagent, and what an agent or the program says, is marked as not theirs.
        """
        text = content_text(message.get("content"))
        words = person_text(_SKILL.sub("", text, count=1) if _SKILL.match(text) else text)
        is_machines = (
            self._is_subagents
            or id_of(message, "attribution") not in ("", "user")
            or message.get("synthetic") is True
        )
        return Step(ref, "user", words or text, is_person=bool(words) and not is_machines)

    def _answer(self, ref: str, message: Mapping[str, Any]) -> Iterator[Step]:
        blocks = objects_of(message, "content")
        usage = mapping_of(message, "usage")
        step = Step(
            ref,
            "agent",
            content_text(message.get("content")),
            reasoning="\n".join(filter(None, (text_of(block, "thinking") for block in blocks))),
            tool_calls=tuple(_call(block) for block in blocks if block.get("type") == "toolCall"),
            model=id_of(message, "model") or self._model,
            tokens=tokens_of(usage),
            cost_usd=cost_of(usage),
            api_call_id=id_of(message, "responseId") or None,
        )
        reason = text_of(message, "stopReason")
        failed = reason in ("aborted", "error")
        if not failed or step.text or step.reasoning or step.tool_calls or step.tokens:
            yield step
        if failed:
            text = text_of(message, "errorMessage")
            if reason == "aborted":
                yield Step(f"{ref}/aborted", "user", text, event="interrupt")
            else:
                yield Step(f"{ref}/error", "system", text, event="api_error")


def _call(block: Mapping[str, Any]) -> ToolCall:
    arguments = decode_object(block.get("arguments"))
    return ToolCall(id_of(block, "id"), text_of(block, "name"), arguments)


def _result(ref: str, message: Mapping[str, Any]) -> Step:
    content = content_text(message.get("content"))
    exit_code = mapping_of(message, "details").get("exitCode")
    is_error = message.get("isError") is True or (type(exit_code) is int and exit_code != 0)
    call_id = id_of(message, "toolCallId") or None
    seen = observe(content, call_id=call_id, is_error=is_error, source_ref=ref)
    if is_error and is_rejection(content):
        return Step(
            ref, "user", rejection_comment(content), event="rejection", observations=(seen,)
        )
    return result_step(ref, (seen,))


def _content_id(entry: Mapping[str, Any]) -> str | None:
    """Equal in forks, which copy entries as they are; the id alone has only eight digits."""
    own, time = id_of(entry, "id"), id_of(entry, "timestamp")
    if not own or not time:
        return None
    told = "\0".join((own, time, text_of(entry, "type")))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
