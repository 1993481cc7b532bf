"""Tokens and costs of a conversation, which OpenHands writes as totals that grow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from agent_core.session import Step, Tokens
from pipelines.sources.fields import count_of, mapping_of, objects_of, text_of


class Usage(NamedTuple):
    """Tokens and US dollars, of one call or of all so far; `prompt` includes the cached."""

    prompt: float = 0
    cached: float = 0
    written: float = 0
    output: float = 0
    reasoning: float = 0
    cost: float = 0

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def since(self, before: "Usage") -> "Usage":
        """What a total has grown by; all of it where it has begun anew."""
        grown = [mine - theirs for mine, theirs in zip(self, before, strict=True)]
        return self if min(grown) < -1e-9 else Usage(*(max(part, 0) for part in grown))

    def beyond(self, counted: "Usage") -> "Usage":
        """What a total holds that was not counted."""
        return Usage(*(max(mine - theirs, 0) for mine, theirs in zip(self, counted, strict=True)))


NOTHING = Usage()


def metrics_total(metrics: Any) -> Usage:
    """The total of a `metrics` object."""
    return _usage(mapping_of(metrics, "accumulated_token_usage"))._replace(
        cost=_cost(metrics, "accumulated_cost")
    )


def stats_total(stats: Any) -> Usage:
    """The total of the SDK's `stats`, over all that it called models for."""
    total = Usage()
    for metrics in mapping_of(stats, "usage_to_metrics").values():
        total = total.plus(metrics_total(metrics))
    return total


def stats_model(stats: Any) -> str:
    """The model of the first of the `stats` that names one."""
    metrics = mapping_of(stats, "usage_to_metrics").values()
    return next((name for m in metrics if (name := text_of(m, "model_name"))), "")


def calls_of(metrics: Any) -> dict[str, Usage]:
    """The usage of each answer of a model by the answer's id, where `metrics` lists them."""
    usages, costs = objects_of(metrics, "token_usages"), objects_of(metrics, "costs")
    prices = [_cost(cost, "cost") for cost in costs] if len(costs) == len(usages) else []
    calls: dict[str, Usage] = {}
    for index, usage in enumerate(usages):
        if answer_id := text_of(usage, "response_id"):
            price = prices[index] if prices else 0.0
            calls[answer_id] = _usage(usage)._replace(cost=price)
    return calls


def answer_usage(answer: Mapping[str, Any]) -> Usage | None:
    """The usage that a model's answer states itself; None where it states none."""
    usage = mapping_of(answer, "usage")
    if not usage:
        return None
    cached = mapping_of(usage, "prompt_tokens_details")
    details = mapping_of(usage, "completion_tokens_details")
    return Usage(
        count_of(usage, "prompt_tokens"),
        count_of(usage, "cache_read_input_tokens") or count_of(cached, "cached_tokens"),
        count_of(usage, "cache_creation_input_tokens"),
        count_of(usage, "completion_tokens"),
        count_of(details, "reasoning_tokens"),
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    return Usage(
        count_of(usage, "prompt_tokens"),
        count_of(usage, "cache_read_tokens"),
        count_of(usage, "cache_write_tokens"),
        count_of(usage, "completion_tokens"),
        count_of(usage, "reasoning_tokens"),
    )


def _cost(record: Any, key: str) -> float:
    value = record.get(key) if isinstance(record, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < 1e9 else 0.0


@dataclass
class Meter:
    """Collects what a conversation says of its usage while it is read, then shares it out.

    The agent's steps are known by their references.
    """

    total: Usage = NOTHING
    """What the log states for the whole conversation."""
    calls: dict[str, Usage] = field(default_factory=dict)
    """The usage of each answer by the answer's id, where the log lists them."""
    costs: Sequence[float] = ()
    """The cost of each step of the agent, where an old log lists those alone."""
    _answers: list[tuple[str, str, Usage | None]] = field(default_factory=list)
    _timeline: list[tuple[str, Usage | None]] = field(default_factory=list)
    """Steps of the agent and totals, in the order of the log."""
    _has_totals: bool = False
    _has_step_totals: bool = False

    def note_answer(self, ref: str, answer_id: str, usage: Usage | None) -> None:
        """The step `ref` of the agent came with this answer of a model."""
        self._answers.append((ref, answer_id or ref, usage))
        self._timeline.append((ref, None))

    def note_step_total(self, ref: str, total: Usage) -> None:
        """The total stood at the step `ref`, whose call it includes."""
        self._timeline.append((ref, total))
        self._has_totals = self._has_step_totals = True

    def note_total(self, total: Usage) -> None:
        """The total stood between the steps, before the one whose call it includes."""
        self._timeline.append(("", total))
        self._has_totals = True

    def apply(self, steps: Iterable[Step]) -> list[Step]:
        """The steps with their tokens and costs: each call's once, and what is left on the last."""
        known = list(steps)
        agents = [step.source_ref for step in known if step.source == "agent"]
        shares = self._shares(agents)
        counted = Usage()
        for usage in shares.values():
            counted = counted.plus(usage)
        rest = self.total.beyond(counted)
        if agents and any(rest):
            shares[agents[-1]] = shares.get(agents[-1], Usage()).plus(rest)
        return [_with_usage(step, shares.get(step.source_ref)) for step in known]

    def _shares(self, agents: Sequence[str]) -> dict[str, Usage]:
        if self._has_step_totals or (self._has_totals and not self.calls):
            return self._differences(agents)
        if self._answers and (self.calls or any(usage for _, _, usage in self._answers)):
            return self._answered()
        if len(self.costs) == len(agents):
            return {
                ref: Usage(cost=cost) for ref, cost in zip(agents, self.costs, strict=True) if cost
            }
        return {}

    def _differences(self, agents: Sequence[str]) -> dict[str, Usage]:
        """Each growth of the total on the step at which it is seen, or on the next of the agent."""
        own = frozenset(agents)
        shares: dict[str, Usage] = {}
        before = pending = Usage()
        for ref, total in self._timeline:
            if total is not None:
                pending, before = pending.plus(total.since(before)), total
            if ref in own and any(pending):
                shares[ref] = shares.get(ref, Usage()).plus(pending)
                pending = Usage()
        if agents and any(pending):
            shares[agents[-1]] = shares.get(agents[-1], Usage()).plus(pending)
        return shares

    def _answered(self) -> dict[str, Usage]:
        """The usage of each answer on the first step that came with it."""
        shares: dict[str, Usage] = {}
        seen: set[str] = set()
        for ref, answer_id, own in self._answers:
            usage = self.calls.get(answer_id, own)
            if usage and any(usage) and answer_id not in seen:
                shares[ref] = usage
            seen.add(answer_id)
        return shares


def _with_usage(step: Step, usage: Usage | None) -> Step:
    if usage is None or not any(usage):
        return step
    prompt, cached, written, output, reasoning = map(int, usage[:5])
    tokens = Tokens(prompt, cached, output, reasoning, written)
    return replace(step, tokens=tokens if any(usage[:5]) else None, cost_usd=usage.cost or None)
