"""What the calls of one model cost, by the price table."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from agent_core.session import Tokens
from pipelines.context import Context
from pipelines.prices import load_prices

_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """The prices of one model on one day; list prices, so that each cost is an estimate."""

    model: str
    rows: tuple[dict[str, Any], ...]
    """In PRICE_SCHEMA, those for the longest prompts first."""

    def cost(self, tokens: Tokens) -> float | None:
        """USD for one call; None where its usage was not reported or no price is for such one."""
        for price in self.rows:
            if tokens.input > price["over_input_tokens"]:
                return _cost(tokens, price) if _applies(tokens, price) else None
        return None


def price_of(context: Context, model: str) -> ModelPrice | None:
    """The price of `model` today; None where the table has none. Raises ConfigError."""
    file = context.config.prices.file
    table = load_prices(file and context.home.root / file.expanduser())
    today = context.clock().date()
    rows = [row for row in table.of_models([model]).to_dicts() if _holds(row, today)]
    rows.sort(key=lambda row: -row["over_input_tokens"])
    return ModelPrice(model, tuple(rows)) if rows else None


def _holds(row: dict[str, Any], today: date) -> bool:
    until = row["valid_until"]
    return bool(row["valid_from"] <= today and (until is None or today < until))


def _applies(tokens: Tokens, price: dict[str, Any]) -> bool:
    most = price["up_to_input_tokens"]
    return tokens.input > 0 and (most is None or tokens.input <= most)


def _cost(tokens: Tokens, price: dict[str, Any]) -> float:
    plain = max(0, tokens.input - tokens.cached)
    sent = plain * price["input"] + tokens.cached * price["cached"]
    return float((sent + tokens.output * price["output"]) / _MILLION)
