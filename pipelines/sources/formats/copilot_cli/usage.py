"""Tokens of Copilot's model calls: the output stands in each message, the rest in a shutdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent_core.session import Step, Tokens
from pipelines.sources.fields import count_of, mapping_of


@dataclass
class _Calls:
    """The calls of one model since the last shutdown: output tokens by position of the step."""

    outputs: dict[int, int] = field(default_factory=dict)

    @property
    def output(self) -> int:
        """Of all calls together."""
        return sum(self.outputs.values())


class RunUsage:
    """Shares out what a shutdown states of a run over the model calls of that run.

    A single call's input is not told: each is taken for an equal part, so that sums are right and
    no call looks larger than it can have been.
    """

    def __init__(self) -> None:
        self._run: dict[str, _Calls] = {}
        self._output_before: dict[str, int] = {}
        self._total_before: dict[str, Tokens] = {}
        self._tokens: dict[int, Tokens] = {}
        self._position_of: dict[str, int] = {}

    @property
    def is_partial(self) -> bool:
        """Whether calls remain of which no shutdown tells the input."""
        return any(calls.output for calls in self._run.values())

    def note_call(self, position: int, step: Step, output: int) -> None:
        """A message of the agent at `position`; messages of one call count as one."""
        position = self._position_of.setdefault(step.api_call_id or f"#{position}", position)
        calls = self._run.setdefault(step.model or "", _Calls())
        calls.outputs[position] = max(output, calls.outputs.get(position, 0))

    def close(self, ref: str, metrics: Mapping[str, Any]) -> Iterator[Step]:
        """A shutdown with the totals of each model; a step for a model that no message is of."""
        for index, (model, told) in enumerate(metrics.items()):
            total = _total(mapping_of(told, "usage"))
            calls = self._run.pop(model, _Calls())
            spent = self._spent(model, total, calls.output)
            if spent == Tokens():
                continue
            if calls.outputs:
                self._tokens.update(_shares(spent, calls.outputs))
            else:
                yield Step(f"{ref}/usage/{index}", "system", model=model, tokens=spent)

    def spread(self, steps: Sequence[Step]) -> list[Step]:
        """The steps with the tokens of their calls."""
        tokens = dict(self._tokens)
        for calls in self._run.values():
            tokens.update(
                (at, Tokens(output=count)) for at, count in calls.outputs.items() if count
            )
        return [
            replace(step, tokens=tokens[at]) if at in tokens else step
            for at, step in enumerate(steps)
        ]

    def _spent(self, model: str, total: Tokens, output: int) -> Tokens:
        """What the run spent: totals may go on from the run before or start anew.

        Which of them, the output of the messages tells.
        """
        before = self._total_before.get(model)
        whole_output = self._output_before.get(model, 0) + output
        self._total_before[model], self._output_before[model] = total, whole_output
        goes_on = abs(total.output - whole_output) < abs(total.output - output)
        return _difference(total, before) if before and goes_on else total


def _total(usage: Mapping[str, Any]) -> Tokens:
    """`inputTokens` includes what was read from a cache; a smaller number cannot."""
    cached, written = count_of(usage, "cacheReadTokens"), count_of(usage, "cacheWriteTokens")
    whole, output = count_of(usage, "inputTokens"), count_of(usage, "outputTokens")
    if whole < cached + written:
        whole += cached + written
    reasoning = min(count_of(usage, "reasoningTokens"), output)
    return Tokens(whole, cached, output, reasoning, written)


def _difference(total: Tokens, before: Tokens) -> Tokens:
    return Tokens(
        max(total.input - before.input, 0),
        max(total.cached - before.cached, 0),
        max(total.output - before.output, 0),
        max(total.reasoning - before.reasoning, 0),
        max(total.cache_write - before.cache_write, 0),
    )


def _shares(spent: Tokens, outputs: Mapping[int, int]) -> Iterator[tuple[int, Tokens]]:
    """Equal parts that add up to what was spent, but for the output that each call tells."""
    untold = max(spent.output - sum(outputs.values()), 0)
    parts = len(outputs)
    for index, (position, output) in enumerate(outputs.items()):
        share = Tokens(
            _part(spent.input, parts, index),
            _part(spent.cached, parts, index),
            output + _part(untold, parts, index),
            _part(spent.reasoning, parts, index),
            _part(spent.cache_write, parts, index),
        )
        yield position, share


def _part(whole: int, parts: int, index: int) -> int:
    """The part at `index` when `whole` is cut into equal ones, the larger first."""
    return whole // parts + (index < whole % parts)
