"""Tokens of Codex's model calls, from running totals that repeat and start anew."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent_core.session import Tokens
from pipelines.sources.fields import count_of, mapping_of


class CallUsage:
    """Turns `token_count` events into the tokens of single calls.

    Newer versions write the event after the call's steps, older ones before them. The steps of a
    call share one id, and one of them carries the tokens.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._total: Tokens | None = None
        self._uncounted: list[int] = []
        self._ahead: tuple[str, Tokens] | None = None
        self._open_call: str | None = None
        self._last_step: int | None = None
        self._tokens: dict[int, Tokens] = {}
        self._calls: dict[int, str] = {}

    def note_step(self, position: int) -> None:
        """An agent step stands at `position`."""
        self._last_step = position
        if self._ahead:
            self._open_call, self._tokens[position] = self._ahead
            self._ahead = None
        if self._open_call:
            self._calls[position] = self._open_call
        else:
            self._uncounted.append(position)

    def note_other_step(self) -> None:
        """A step that is not the agent's ends the call whose event came ahead."""
        self._open_call = None

    def count(self, place: str, info: Mapping[str, Any]) -> None:
        """A `token_count` event; without numbers, or a repetition, it changes nothing."""
        spent = self._spent(info)
        if spent == Tokens():
            return
        self._open_call = None
        if self._uncounted:
            self._tokens[self._uncounted[-1]] = spent
            self._calls.update(dict.fromkeys(self._uncounted, place))
            self._uncounted = []
        else:
            before = self._ahead[1] if self._ahead else Tokens()
            self._ahead = place, _combine(before, spent, 1)

    def spread(self, steps: int) -> Iterator[tuple[Tokens | None, str | None]]:
        """What the call of each step cost, and its id over all sessions; what no step claimed
        goes to the last one.
        """
        if self._ahead and self._last_step is not None:
            spent = self._tokens.get(self._last_step, Tokens())
            self._tokens[self._last_step] = _combine(spent, self._ahead[1], 1)
            self._ahead = None
        for position in range(steps):
            place = self._calls.get(position)
            yield self._tokens.get(position), f"{self._session_id} {place}" if place else None

    def _spent(self, info: Mapping[str, Any]) -> Tokens:
        last, total = (_tokens(mapping_of(info, f"{x}_token_usage")) for x in ("last", "total"))
        if total == Tokens():
            return last
        before, self._total = self._total, total
        if before is None:
            return total if last == Tokens() else last
        spent = _combine(total, before, -1)
        # Totals that fell, or that one call makes up, were started anew: a resumed session, or one
        # after a compaction. The same total again is a repetition.
        is_less = total.input < before.input or total.output < before.output
        is_anew = is_less or last == total != before
        return (total if last == Tokens() else last) if is_anew else spent


def _tokens(usage: Mapping[str, Any]) -> Tokens:
    return Tokens(
        count_of(usage, "input_tokens"),
        count_of(usage, "cached_input_tokens"),
        count_of(usage, "output_tokens"),
        count_of(usage, "reasoning_output_tokens"),
        count_of(usage, "cache_write_input_tokens"),
    )


def _combine(a: Tokens, b: Tokens, sign: int) -> Tokens:
    return Tokens(
        max(0, a.input + sign * b.input),
        max(0, a.cached + sign * b.cached),
        max(0, a.output + sign * b.output),
        max(0, a.reasoning + sign * b.reasoning),
        max(0, a.cache_write + sign * b.cache_write),
    )
