"""What the tasks of one `tasks run` may take together, in tokens and minutes; threads share it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from agent_core.errors import BudgetSpentError
from agent_core.model import ChatMessage, ChatModel, ModelReply, ResponseSchema, ToolSchema

_CHARS_PER_TOKEN = 3
"""Low for English and code: an estimate that is too high overdraws nothing."""
_ANSWER_TOKENS = 4_000
"""Set aside for an answer before it is known; what it took in the end is counted."""


@dataclass(slots=True)
class FleetBudget:
    """Tokens are set aside before each call of a model and settled after it.

    Calls beside each other have room for all of their estimates, so the budget is overdrawn by the
    error of estimates only. None is no limit.
    """

    clock: Callable[[], datetime]
    tokens: int | None = None
    minutes: float | None = None
    spent: int = 0
    _began: datetime | None = None
    _set_aside: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def check(self) -> None:
        """Raise BudgetSpentError where nothing more may be begun."""
        with self._lock:
            self._check_room(0)

    def reserve(self, estimate: int) -> None:
        """Set tokens aside. Raises BudgetSpentError without room for them."""
        with self._lock:
            self._check_room(estimate)
            self._set_aside += estimate

    def settle(self, estimate: int, used: int) -> None:
        """Count what a call took in the place of its estimate."""
        with self._lock:
            self._set_aside -= estimate
            self.spent += used

    def _check_room(self, wanted: int) -> None:
        taken = self.spent + self._set_aside + wanted
        if self.tokens is not None and (taken > self.tokens or self.spent >= self.tokens):
            raise BudgetSpentError(
                f"[agent] budget_tokens: {self.spent:,} of {self.tokens:,} tokens are used; "
                "the next run goes on"
            )
        if self.minutes is None or self._began is None:
            return
        if self.clock() - self._began >= timedelta(minutes=self.minutes):
            raise BudgetSpentError(
                f"[agent] budget_minutes: {self.minutes:g} minutes are over; the next run goes on"
            )


@dataclass(slots=True)
class BudgetedModel:
    """A model for one task whose calls are taken from the fleet's budget."""

    model: ChatModel
    budget: FleetBudget
    tokens: int = 0
    """Sent and received for the task so far."""

    @property
    def name(self) -> str:
        return self.model.name

    def __call__(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSchema] = (),
        response_schema: ResponseSchema | None = None,
    ) -> ModelReply:
        """One call. Raises BudgetSpentError before it, and what the model raises."""
        estimate = _estimate(messages, tools)
        self.budget.reserve(estimate)
        used = estimate  # a call that fails may have been billed all the same
        try:
            reply = self.model(messages, tools=tools, response_schema=response_schema)
            # An endpoint that reports no usage is taken at the estimate.
            used = (reply.tokens.input + reply.tokens.output) or estimate
            used += reply.lost_tries * estimate
            return reply
        finally:
            self.tokens += used
            self.budget.settle(estimate, used)


def _estimate(messages: Sequence[ChatMessage], tools: Sequence[ToolSchema]) -> int:
    said = sum(len(one.content) + sum(len(c.arguments) for c in one.tool_calls) for one in messages)
    offered = sum(len(tool.description) + len(str(tool.parameters)) for tool in tools)
    return (said + offered) // _CHARS_PER_TOKEN + _ANSWER_TOKENS
