"""What the whole of a Codex rollout decides about its single records, found in a first pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipelines.sources.fields import id_of, mapping_of, text_of


class CodexRecord(NamedTuple):
    """One record out of its envelope; bare items are `response_item`."""

    place: str
    kind: str
    body: Mapping[str, Any]
    line: Mapping[str, Any]
    """The record as it stands in the file, with its `timestamp`."""


@dataclass
class Rollout:
    """Codex writes most of what is said twice, as an event and as an item."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    """The first `session_meta`, else empty."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """The first `turn_context`, else empty."""
    user_texts: set[str] = field(default_factory=set)
    """Texts of the user's events; empty where only items tell of the user."""
    kinds: set[str] = field(default_factory=set)
    """`type` of all records and of their bodies, and `role` of the messages among the items."""
    call_ids: set[str] = field(default_factory=set)
    """Of all items that make or answer a call."""
    failed_calls: set[str] = field(default_factory=set)
    """Calls whose failure only an event tells of."""

    @property
    def is_subagent(self) -> bool:
        """Whether another agent, not a person, gives the prompts."""
        source, kind = self.meta.get("source"), text_of(self.meta, "thread_source")
        is_spawned = isinstance(source, dict) and "subagent" in source
        return is_spawned or "subagent" in (source, kind)


def survey(records: Iterable[CodexRecord]) -> Rollout:
    """Look at all records once."""
    rollout = Rollout()
    for _, kind, body, _ in records:
        body_kind = text_of(body, "type")
        rollout.kinds.add(kind)
        rollout.kinds.add(body_kind)
        if kind == "response_item":
            rollout.kinds.add(text_of(body, "role"))
            rollout.call_ids.add(id_of(body, "call_id"))
        elif body_kind == "user_message":
            rollout.user_texts.add(text_of(body, "message").strip())
        elif kind == "session_meta":
            rollout.meta = rollout.meta or body
        elif kind == "turn_context":
            rollout.context = rollout.context or body
        elif has_failed(body_kind, body):
            rollout.failed_calls.add(id_of(body, "call_id"))
    return rollout


def has_failed(kind: str, body: Mapping[str, Any]) -> bool:
    """Whether an event tells of a call that failed."""
    if kind == "patch_apply_end":
        return body.get("success") is False
    if kind == "exec_command_end":
        return body.get("exit_code") not in (0, None)
    if kind != "mcp_tool_call_end":
        return False
    result = mapping_of(body, "result")
    return "Err" in result or mapping_of(result, "Ok").get("isError") is True
