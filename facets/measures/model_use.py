"""Measures of the model's work: which model, how many tokens."""

from collections.abc import Callable
from itertools import pairwise

from agent_core.session import Tokens
from facets.measures.view import LogView

_MADE_UP = "<synthetic>"
"""What a log names as the model of an answer that no model gave."""


def model_switches(view: LogView) -> int | None:
    """Times that another model answered than before; unknown where the log names none."""
    models = [step.model for step in view.steps if step.model and step.model != _MADE_UP]
    if not models:
        return None
    return sum(model != after for model, after in pairwise(models))


def output_tokens_per_call(view: LogView) -> float | None:
    """Tokens that the model wrote in one answer, on average; unknown where they are not logged."""
    written = _of_each_answer(view, lambda tokens: tokens.output)
    return sum(written) / len(written) if any(written) else None


def reasoning_percent(view: LogView) -> float | None:
    """Share of the model's tokens that were reasoning, in percent; unknown where none is logged."""
    reasoned = sum(_of_each_answer(view, lambda tokens: tokens.reasoning))
    written = sum(_of_each_answer(view, lambda tokens: tokens.output))
    # Most logs count no reasoning apart: none of it in sight does not say that there was none.
    return min(100.0, 100 * reasoned / written) if reasoned and written else None


def cached_percent(view: LogView) -> float | None:
    """Share of what the model read that came from a cache, in percent; unknown where not logged."""
    cached = sum(_of_each_answer(view, lambda tokens: tokens.cached))
    read = sum(_of_each_answer(view, lambda tokens: tokens.input))
    return min(100.0, 100 * cached / read) if cached and read else None


def peak_context_tokens(view: LogView) -> float | None:
    """Most tokens that the model was given at once; unknown where they are not logged."""
    return max(_of_each_answer(view, lambda tokens: tokens.input), default=0) or None


def _of_each_answer(view: LogView, count: Callable[[Tokens], int]) -> list[int]:
    """A number of each answer; what several records of one answer say counts once, at its most."""
    most: dict[str, int] = {}
    for step in view.steps:
        if step.tokens is not None:
            answer = step.api_call_id or step.source_ref
            most[answer] = max(most.get(answer, 0), count(step.tokens))
    return list(most.values())
