"""Tokens and cost of Pi's model calls."""

from collections.abc import Mapping
from typing import Any

from agent_core.session import Tokens
from pipelines.sources.fields import count_of, mapping_of

_COST_LIMIT = 1e9


def tokens_of(usage: Mapping[str, Any]) -> Tokens | None:
    """`input` excludes what was cached; `output` includes the reasoning.

    A call that failed states zeros only: nothing is known of it.
    """
    cached, written = count_of(usage, "cacheRead"), count_of(usage, "cacheWrite")
    whole, output = count_of(usage, "input") + cached + written, count_of(usage, "output")
    if not whole and not output:
        return None
    reasoning = count_of(usage, "reasoningTokens") or count_of(usage, "reasoning")
    hour = min(count_of(usage, "cacheWrite1h"), written)
    return Tokens(whole, cached, output, min(reasoning, output), written, hour)


def cost_of(usage: Mapping[str, Any]) -> float | None:
    """US dollars of a call, as the log states them; None for a call without tokens."""
    cost = mapping_of(usage, "cost").get("total")
    if isinstance(cost, bool) or not isinstance(cost, int | float) or tokens_of(usage) is None:
        return None
    return float(cost) if 0 <= cost < _COST_LIMIT else None
