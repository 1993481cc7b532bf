"""What ATIF's steps cost, and what only the document's totals tell of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_core.session import Step, Tokens
from pipelines.sources.fields import count_of, mapping_of

_COST_LIMIT = 1e12
_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens")
_REASONING = ("reasoning_output_tokens", "reasoning_tokens", "thoughts_tokens")
_WRITTEN = ("cache_creation_input_tokens", "cache_write_input_tokens")


def tokens_of(metrics: Mapping[str, Any]) -> Tokens | None:
    """ATIF's `prompt_tokens` include what a cache served or took, as `Tokens.input` does.

    The rest stands under `metrics.extra` in the words of the provider.
    """
    if not any(count_of(metrics, key) for key in _COUNTS):
        return None
    extra = mapping_of(metrics, "extra")
    details = extra.get("output_tokens_details")
    reasoning = _first(extra, _REASONING) or count_of(details, "thinking_tokens")
    return Tokens(
        count_of(metrics, "prompt_tokens"),
        count_of(metrics, "cached_tokens"),
        count_of(metrics, "completion_tokens"),
        reasoning,
        _first(extra, _WRITTEN),
        count_of(extra.get("cache_creation"), "ephemeral_1h_input_tokens"),
    )


def cost_of(metrics: Mapping[str, Any], key: str = "cost_usd") -> float | None:
    """Dollars, where the document states them."""
    cost = metrics.get(key)
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return float(cost) if 0 <= cost < _COST_LIMIT else None


def with_totals(steps: Sequence[Step], totals: Mapping[str, Any]) -> list[Step]:
    """The steps, with what the totals hold beyond them in the last call that states nothing.

    A converter leaves out what it cannot give to a step: totals that came before theirs.
    """
    found = list(steps)
    open_calls = [i for i, s in enumerate(found) if s.source == "agent" and s.tokens is None]
    if not open_calls or any(step.is_copied_context for step in found):
        return found
    stated = [step.tokens for step in found if step.tokens]
    rest = Tokens(
        count_of(totals, "total_prompt_tokens") - sum(t.input for t in stated),
        count_of(totals, "total_cached_tokens") - sum(t.cached for t in stated),
        count_of(totals, "total_completion_tokens") - sum(t.output for t in stated),
        max(0, _total_reasoning(totals) - sum(t.reasoning for t in stated)),
    )
    is_more = min(rest.input, rest.cached, rest.output) >= 0 and rest.input + rest.output > 0
    if is_more:
        position = open_calls[-1]
        cost = _rest_of_cost(found, totals)
        found[position] = replace(found[position], tokens=rest, cost_usd=cost)
    return found


def _rest_of_cost(steps: Sequence[Step], totals: Mapping[str, Any]) -> float | None:
    total = cost_of(totals, "total_cost_usd")
    rest = (total or 0.0) - sum(step.cost_usd or 0.0 for step in steps)
    return rest if rest > 0 else None


def _total_reasoning(totals: Mapping[str, Any]) -> int:
    return _first(mapping_of(totals, "extra"), _REASONING)


def _first(extra: Mapping[str, Any], keys: Sequence[str]) -> int:
    return next((count for key in keys if (count := count_of(extra, key))), 0)
