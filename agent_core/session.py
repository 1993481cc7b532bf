"""What a session is: the canonical form every log format is translated to.

The shape follows ATIF (Agent Trajectory Interchange Format, Harbor) with what it lacks:
errors on observations, interrupts, rejections, compactions, and a reference from each step to
the record it came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Source = Literal["system", "user", "agent"]
Event = Literal["interrupt", "rejection", "api_error", "compaction", "rollback", "branch_change"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the agent made."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Observation:
    """What came back from a call.

    `error_class` is from the closed vocabulary of `agent_core.signature`, `error_signature` the
    normalised text of the failure; both are None when `is_error` is false.
    """

    call_id: str | None
    content: str
    is_error: bool = False
    error_class: str | None = None
    error_signature: str | None = None
    source_ref: str | None = None
    """The record that carried the result, where it is not the step's own."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one model call; `input` includes `cached` and `cache_write`, `output` includes
    `reasoning`.
    """

    input: int = 0
    cached: int = 0
    """Read from a cache."""
    output: int = 0
    reasoning: int = 0
    cache_write: int = 0
    """Written to a cache, which some providers charge more for."""
    cache_write_hour: int = 0
    """Those of `cache_write` that are kept for an hour, which cost more still."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a session; its key is (session key, `source_ref`)."""

    source_ref: str
    """The record's uuid, else `line:N` (1-based), else a JSON pointer such as `#/messages/3`."""
    source: Source
    text: str = ""
    timestamp: datetime | None = None
    """With a zone, UTC; None where the log has none."""
    is_person: bool = False
    """A turn of the person; events (interrupts, rejections) are not turns."""
    event: Event | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    observations: tuple[Observation, ...] = ()
    model: str | None = None
    tokens: Tokens | None = None
    cost_usd: float | None = None
    """Only where the log states it."""
    api_call_id: str | None = None
    """Steps that share it are one model call, whose tokens count once (their maximum)."""
    content_id: str | None = None
    """Equal for copies of one record in forks and resumes; None: the step is never a copy."""
    is_copied_context: bool = False
    """Copied from another session; counted there. Set by the log or by the ownership rule."""
    source_path: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A session in canonical form; `steps` are in the order of the conversation."""

    key: str
    format: str
    session_id: str
    """The log's own id; `key` is `format:session_id` or what stands in for it."""
    source_path: str
    steps: tuple[Step, ...]
    agent: str = "unknown"
    agent_version: str | None = None
    release: str | None = None
    user: str | None = None
    project: str | None = None
    parent_key: str | None = None
    """The session that this one was forked, resumed or spawned from."""
    conversion_of: tuple[str, str] | None = None
    """(agent, session id) of the native log that this document may be a conversion of."""
    is_autonomous: bool = False
    """A run with a task prompt and no person (evaluation harnesses)."""
    is_simulated_user: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    """Stated by the log (`resolved`, `failed`, a reward), else None."""
    extra: Mapping[str, Any] = field(default_factory=dict)


def person_turns(session: Session) -> list[int]:
    """Positions in `session.steps` of the person's turns that are the session's own."""
    return [
        i for i, step in enumerate(session.steps) if step.is_person and not step.is_copied_context
    ]


@dataclass(frozen=True, slots=True)
class Segment:
    """The steps from the end of the previous turn up to and including a turn.

    `turn` is 1-based; `turn_ref` is the `source_ref` of the closing turn, None in the tail.
    """

    turn: int | None
    turn_ref: str | None
    steps: tuple[Step, ...]


def segments(session: Session) -> list[Segment]:
    """Cut a session at the person's own turns; steps copied from elsewhere are left out."""
    cut: list[Segment] = []
    pending: list[Step] = []
    for step in session.steps:
        if step.is_copied_context:
            continue
        pending.append(step)
        if step.is_person:
            cut.append(Segment(len(cut) + 1, step.source_ref, tuple(pending)))
            pending = []
    if pending:
        cut.append(Segment(None, None, tuple(pending)))
    return cut
