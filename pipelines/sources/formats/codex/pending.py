"""Steps of a Codex rollout before its end tells what they cost and which of them are copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent_core.session import Event, Observation, Source, Step, Tokens, ToolCall


@dataclass(slots=True)
class PendingStep:
    """A step as its own record tells of it."""

    source_ref: str
    source: Source
    text: str = ""
    event: Event | None = None
    reasoning: str = ""
    tool_calls: Sequence[ToolCall] = ()
    observations: Sequence[Observation] = ()
    is_person: bool = False
    model: str | None = None
    timestamp: datetime | None = None

    def whole(self, tokens: Tokens | None, call_id: str | None, content_id: str | None) -> Step:
        """The step with what only the whole rollout tells."""
        return Step(
            self.source_ref,
            self.source,
            self.text,
            self.timestamp,
            self.is_person,
            self.event,
            self.reasoning,
            tuple(self.tool_calls),
            tuple(self.observations),
            self.model,
            tokens,
            api_call_id=call_id,
            content_id=content_id,
        )
