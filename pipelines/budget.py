"""The budget of one run: tokens and money, set aside before each call and settled after it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from agent_core.errors import ConfigError
from agent_core.model import ModelReply
from agent_core.session import Tokens
from judges.llm import Answer, ModelRequest
from pipelines.model_price import ModelPrice
from pipelines.token_rates import TokenRates

_CAUTION = 2.0
"""Calls stand beside each other only while there is room if each takes this times its estimate."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, sent and received, and what they cost in USD (0 where that is unknown)."""

    tokens: float = 0.0
    usd: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.usd + other.usd)

    def __mul__(self, times: float) -> "Amount":
        return Amount(self.tokens * times, self.usd * times)

    def less(self, other: "Amount") -> "Amount":
        """What is left of it, at least nothing."""
        return Amount(max(0.0, self.tokens - other.tokens), max(0.0, self.usd - other.usd))


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """What is set aside for one call."""

    request: ModelRequest
    estimate: Amount


@dataclass(slots=True)
class Budget:
    """What a run may still spend; without limits it only counts. Used by one thread.

    A session is begun only if there is room for its first round and as much again for its
    verification. A call is made beside others only while all of them could take twice their
    estimate, so the last ones go alone: the budget is overdrawn by the error of one estimate at
    most, which `[judge] max_output_tokens` bounds. Raises ConfigError where money is limited and
    the model has no price.
    """

    tokens: float = inf
    usd: float = inf
    price: ModelPrice | None = None
    spent: Amount = Amount()
    rates: TokenRates = field(default_factory=TokenRates)
    too_long: set[str] = field(default_factory=set)
    """Sessions that the whole of it has no room for."""
    _in_flight: set[Reservation] = field(default_factory=set)
    _held: dict[str, Amount] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.usd < inf and self.price is None:
            raise ConfigError(
                "[judge] budget_usd: the price table has no price for the model; limit "
                "budget_tokens instead, or name a table that has its price with [prices] file"
            )

    def hold(self, session_key: str, requests: Iterable[ModelRequest]) -> bool:
        """Set aside what a session may take that begins with `requests`; False without room.

        Where nothing less than another budget makes room, the session is one of `too_long`.
        """
        wanted = _sum(self._estimate(request) for request in requests) * 2.0
        held = _sum(self._held.values()) + _sum(each.estimate for each in self._in_flight)
        if not self._has_room(held + wanted):
            if not self._covers(wanted):
                self.too_long.add(session_key)
            return False
        self._held[session_key] = wanted
        return True

    def reserve(self, session_key: str, request: ModelRequest) -> Reservation | None:
        """Set aside what a call may take, out of what its session holds; None without room."""
        made = Reservation(request, self._estimate(request))
        others = _sum(amount for key, amount in self._held.items() if key != session_key)
        beside = _sum(each.estimate for each in self._in_flight) + made.estimate
        if not self._has_room(others + beside * (_CAUTION if self._in_flight else 1.0)):
            return None
        self._held[session_key] = self._held.get(session_key, Amount()).less(made.estimate)
        self._in_flight.add(made)
        return made

    def settle(self, made: Reservation, answer: Answer | None) -> None:
        """Count what a call took: its estimate where the endpoint reports no usage, and for each
        try that failed and may have been billed. None: nobody knows what came of it.
        """
        self._in_flight.remove(made)
        if not isinstance(answer, ModelReply):
            self.spent += made.estimate * (1 if answer is None else answer.tries)
            return
        self.spent += made.estimate * answer.lost_tries
        if answer.tokens.input == 0:
            self.spent += made.estimate
            return
        self.spent += self._amount(answer.tokens)
        self.rates.learn(made.request, answer)

    def release(self, session_key: str) -> None:
        """Give back what a session that has ended still holds."""
        self._held.pop(session_key, None)

    def _estimate(self, request: ModelRequest) -> Amount:
        return self._amount(self.rates.expected(request))

    def _amount(self, tokens: Tokens) -> Amount:
        cost = self.price.cost(tokens) if self.price else None
        if cost is None:  # a limit of money has no room for what has no price
            cost = inf if self.usd < inf else 0.0
        return Amount(tokens.input + tokens.output, cost)

    def _has_room(self, wanted: Amount) -> bool:
        return self._covers(self.spent + wanted)

    def _covers(self, wanted: Amount) -> bool:
        return wanted.tokens <= self.tokens and wanted.usd <= self.usd


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = Amount()
    for amount in amounts:
        total += amount
    return total
