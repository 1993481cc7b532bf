"""What a run may spend: set aside before each call, settled after it."""

from dataclasses import replace
from datetime import date
from math import inf
from typing import Any

import pytest

from agent_core.errors import ModelReplyError
from agent_core.model import ChatMessage, ModelReply, ResponseSchema
from agent_core.session import Tokens
from judges.llm import Answer, ModelRequest
from pipelines.budget import Budget
from pipelines.model_price import ModelPrice
from pipelines.token_rates import RECEIVED_A_CALL, TokenRates, request_bytes

SCHEMA = ResponseSchema("s", {})
USED = ModelReply("", tokens=Tokens(input=1_000, output=600))


def request(content: str = "x" * 3_998) -> ModelRequest:
    """4,000 bytes with its schema unless told: 1,000 tokens, and 600 for the answer."""
    return ModelRequest("m", (ChatMessage("user", content),), SCHEMA)


@pytest.mark.parametrize(
    ("content", "size"), [("", 2), ("abc", 5), ("日本", 8), ("\ud83d", 3)], ids=str
)
def test_bytes_of_a_request(content: str, size: int) -> None:
    assert request_bytes(request(content)) == size


def test_rates_learn_from_the_usage() -> None:
    rates = TokenRates()
    assert rates.expected(request()) == Tokens(input=1_000, output=RECEIVED_A_CALL)
    for _ in range(1_000):
        rates.learn(request(), ModelReply("", tokens=Tokens(input=2_000, output=60)))
    assert rates.expected(request()) == Tokens(input=1_976, output=61)


def test_an_endpoint_that_reports_no_usage_teaches_nothing() -> None:
    rates = TokenRates()
    rates.learn(request(), ModelReply(""))
    assert rates == TokenRates()


def test_calls_are_counted_by_their_usage_or_their_estimate() -> None:
    budget = Budget()
    spent = []
    for reply in (USED, ModelReply("", tokens=Tokens(input=2_000, output=1)), ModelReply(""), None):
        made = budget.reserve("s", request())
        assert made is not None
        budget.settle(made, reply)
        spent.append(budget.spent.tokens)
    # The third reports no usage and the fourth failed: both may have been billed as estimated.
    assert spent == [1_600, 3_601, 3_601 + 1_487, 3_601 + 2 * 1_487]


@pytest.mark.parametrize(
    ("answer", "spent"),
    [
        (replace(USED, lost_tries=2), 4_800),
        (ModelReply("", lost_tries=2), 4_800),
        (ModelReplyError("cut"), 1_600),
        (ModelReplyError("cut", tries=5), 8_000),
        (ModelReplyError("refused", tries=0), 0),
    ],
    ids=["after two lost", "without usage", "lost", "five lost", "refused"],
)
def test_every_try_that_may_be_billed_counts(answer: Answer, spent: float) -> None:
    budget = Budget()
    made = budget.reserve("s", request())
    assert made is not None
    budget.settle(made, answer)
    assert budget.spent.tokens == spent


def test_a_session_is_too_long_where_nothing_but_another_budget_helps() -> None:
    budget = Budget(tokens=4_000)
    held = [budget.hold(key, [request()] * n) for key, n in (("a", 1), ("b", 1), ("c", 2))]
    assert (held, budget.too_long) == ([True, False, False], {"c"})


@pytest.mark.parametrize(
    ("limit", "first", "beside", "alone"),
    [
        (1_599, False, False, False),
        (1_600, True, False, False),
        (3_200, True, False, True),
        (6_399, True, False, True),
        (6_400, True, True, True),
    ],
    ids=str,
)
def test_calls_stand_beside_each_other_while_twice_their_estimates_fit(
    limit: float, first: bool, beside: bool, alone: bool
) -> None:
    """A call is 1,600 tokens; `alone`: the second one after the first has come."""
    budget = Budget(tokens=limit)
    one = budget.reserve("a", request())
    assert (one is not None, budget.reserve("b", request()) is not None) == (first, beside)
    if one is not None and not beside:
        budget.settle(one, USED)
        assert (budget.reserve("b", request()) is not None) is alone


def test_no_order_of_calls_overdraws_by_more_than_one_error() -> None:
    """Each call takes twice its estimate, as many at a time as the budget lets through."""
    budget = Budget(tokens=50_000)
    twice = ModelReply("", tokens=Tokens(input=2_000, output=1_200))
    worst = []
    while (made := budget.reserve("s", request())) is not None:
        flying = [made]
        while (another := budget.reserve("s", request())) is not None:
            flying.append(another)
        for one in flying:
            worst.append(twice.tokens.input + twice.tokens.output - one.estimate.tokens)
            budget.settle(one, twice)
    assert 45_000 < budget.spent.tokens <= 50_000 + max(worst)


def test_a_session_begins_only_with_room_for_its_verification() -> None:
    budget = Budget(tokens=7_000)
    assert budget.hold("a", [request()])  # 3,200
    assert budget.hold("b", [request()])
    assert not budget.hold("c", [request()])
    budget.release("b")
    assert budget.hold("c", [request()])
    made = budget.reserve("a", request())  # out of what it holds
    assert made is not None
    budget.settle(made, USED)
    assert not budget.hold("d", [request()])


PRICE: dict[str, Any] = {
    "model": "m", "valid_from": date(2026, 1, 1), "valid_until": None, "over_input_tokens": -1,
    "up_to_input_tokens": None, "input": 2.0, "cached": 0.5, "cache_write": 2.0,
    "cache_write_hour": 2.0, "output": 10.0,
}  # fmt: skip
LONG = PRICE | {"over_input_tokens": 200_000, "up_to_input_tokens": 500_000, "input": 4.0}


@pytest.mark.parametrize(
    ("tokens", "usd"),
    [
        (Tokens(input=1_000_000 // 10, output=10_000), 0.3),
        (Tokens(input=100_000, cached=100_000), 0.05),
        (Tokens(input=300_000), 1.2),
        (Tokens(input=500_001), None),
        (Tokens(), None),
    ],
    ids=["plain", "cached", "long", "too long", "no usage"],
)
def test_the_price_of_a_call(tokens: Tokens, usd: float | None) -> None:
    assert ModelPrice("m", (LONG, PRICE)).cost(tokens) == pytest.approx(usd)


def test_money_is_limited_as_tokens_are() -> None:
    budget = Budget(usd=0.010, price=ModelPrice("m", (PRICE,)))  # 0.008 a call
    made = budget.reserve("s", request())
    assert made is not None
    assert made.estimate.tokens == 1_600
    assert made.estimate.usd == pytest.approx(0.008)
    budget.settle(made, ModelReply("", tokens=Tokens(input=1_000, cached=1_000, output=0)))
    assert budget.spent.tokens == 1_000
    assert budget.spent.usd == pytest.approx(0.0005)
    assert budget.reserve("s", request()) is not None


def test_a_call_without_a_price_has_no_room_in_a_limit_of_money() -> None:
    budget = Budget(usd=1_000, price=ModelPrice("m", (PRICE | {"up_to_input_tokens": 10},)))
    assert budget.reserve("s", request()) is None
    assert Budget(usd=inf, price=budget.price).reserve("s", request()) is not None
