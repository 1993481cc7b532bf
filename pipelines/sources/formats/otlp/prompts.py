"""What stands in the user's place: which of it is new, and which of it the person said."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.sources.formats.otlp.ancestry import Ancestry
from pipelines.sources.formats.otlp.messages import Message
from pipelines.sources.formats.otlp.spans import Span


class Prompt(NamedTuple):
    """A text in the user's place that was not there before."""

    text: str
    occurrence: int
    """1 where the session says it for the first time."""
    is_delegated: bool
    """Another agent or a tool speaks, not the person."""


@dataclass
class Prompts:
    """The texts that the inputs of one session have shown so far."""

    ancestry: Ancestry
    _said: Counter[str] = field(default_factory=Counter)
    _persons: set[str] = field(default_factory=set)
    _first_agents: dict[str, str] = field(default_factory=dict)
    """The agent of the first call of each trace."""
    _systems: set[str] = field(default_factory=set)

    def new_in(self, span: Span, inputs: Sequence[Message]) -> dict[int, Prompt]:
        """The new texts of a call's input, by their index in it.

        Every input repeats the history: new is what stands there more often than ever before.
        """
        is_delegated = self._is_delegated(span, inputs)
        base = self._said.copy() if self._says_only_new(span, inputs) else Counter[str]()
        self._first_agents.setdefault(span.trace_id, self.ancestry.agent_name(span))
        self._systems.add(_system_of(inputs))
        new: dict[int, Prompt] = {}
        for index, message in enumerate(inputs):
            text = message.text.strip()
            if message.role != "user" or not text:
                continue
            base[text] += 1
            if base[text] > self._said[text]:
                self._said[text] = base[text]
                new[index] = Prompt(message.text, base[text], is_delegated)
        if not is_delegated:
            self._persons.update(prompt.text.strip() for prompt in new.values())
        return new

    def _says_only_new(self, span: Span, inputs: Sequence[Message]) -> bool:
        """Whether a server keeps the history: what is said again is then said twice.

        So it is where a new trace begins without any answer before it, under instructions that
        are known: those of another task would show the same text only once more.
        """
        is_new_trace = bool(self._first_agents) and span.trace_id not in self._first_agents
        has_history = any(message.role == "assistant" for message in inputs)
        return is_new_trace and not has_history and _system_of(inputs) in self._systems

    def _is_delegated(self, span: Span, inputs: Sequence[Message]) -> bool:
        """Whether a later call of a trace belongs to a sub-agent or another agent.

        Not where its input repeats what the person said: what is new there is the person's too.
        """
        if not span.trace_id or span.trace_id not in self._first_agents:
            return False
        if any(m.role == "user" and m.text.strip() in self._persons for m in inputs):
            return False
        first, own = self._first_agents[span.trace_id], self.ancestry.agent_name(span)
        is_other = bool(first and own and first != own)
        is_nested = len(self.ancestry.agents_above(span)) > 1
        return is_other or is_nested or self.ancestry.is_below_tool(span)


def _system_of(inputs: Sequence[Message]) -> str:
    return next((m.text for m in inputs if m.role == "system" and m.text), "")
