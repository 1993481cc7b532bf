"""What decides the next action: a model, or a playbook."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agent_core.plan import Plan
from agent_core.session import Observation, Tokens, ToolCall
from agent_core.toolkit import Toolbox

Ending = Literal["done", "gave_up", "asked", "budget"]


@dataclass(frozen=True, slots=True)
class Action:
    """Calls to make, or, without any, the text that ends the agent's turn."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    ending: Ending = "done"
    """How the turn ended; counts only without calls. `asked` ends it with them too: `text` is then
    the question. `budget`: the next call would cost more than the task may."""
    plan: Plan | None = None
    """A plan that replaces the one at hand."""
    reasoning: str = ""
    model: str | None = None
    """None: no model was called."""
    tokens: Tokens | None = None
    spent_tokens: int = 0
    """What the call counts for in a budget: estimated where the endpoint does not report it, with
    the tries that were lost."""
    settled: Mapping[str, Observation] = field(default_factory=dict)
    """Call id → what it came to, for calls that no tool is needed for: their arguments could not be
    read, or they are the policy's own."""
    compaction: "Compaction | None" = None
    """What was done to the conversation before the action was decided from it."""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What the user said."""

    text: str
    note: str = ""
    """Advice of who looks on, which no person gave; empty: none."""


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """An action and what came back, in the order of its calls."""

    action: Action
    observations: tuple[Observation, ...]
    note: str = ""
    """Advice of who looks on; empty: none."""


Turns = tuple[UserTurn | AgentTurn, ...]


@dataclass(frozen=True, slots=True)
class Compaction:
    """A conversation made shorter; the turns of the user stand in it unchanged."""

    turns: Turns
    note: str
    """One line for the log: what was shortened, and by how much."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """All that a policy decides from."""

    turns: Turns
    plan: Plan
    toolbox: Toolbox
    has_person: bool = True
    """False: a program gave the task, and nobody can be asked."""


class Policy(Protocol):
    """One callable in effect: the state in, the next action out."""

    @property
    def name(self) -> str: ...

    def next_action(self, state: AgentState) -> Action: ...
