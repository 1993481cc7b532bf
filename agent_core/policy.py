"""What decides the next action: a model, or a playbook."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from agent_core.plan import Plan
from agent_core.session import Observation, Tokens, ToolCall
from agent_core.toolkit import Toolbox

Ending = Literal["done", "gave_up"]


@dataclass(frozen=True, slots=True)
class Action:
    """Calls to make, or, without any, the text that ends the agent's turn."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    ending: Ending = "done"
    """How the turn ended; counts only without calls."""
    plan: Plan | None = None
    """A plan that replaces the one at hand."""
    reasoning: str = ""
    model: str | None = None
    """None: no model was called."""
    tokens: Tokens | None = None
    unreadable: Mapping[str, str] | None = None
    """Call id → why its arguments could not be read; such a call fails without being made."""


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


@dataclass(frozen=True, slots=True)
class AgentState:
    """All that a policy decides from."""

    turns: tuple[UserTurn | AgentTurn, ...]
    plan: Plan
    toolbox: Toolbox


class Policy(Protocol):
    """One callable in effect: the state in, the next action out."""

    @property
    def name(self) -> str: ...

    def next_action(self, state: AgentState) -> Action: ...
