"""The end of a running session in bounded memory, seen as the rules see a whole one."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from agent_core.session import Observation, Session, Step, ToolCall
from judges.rules.prose import MAX_TURN_CHARS
from judges.rules.view import MAX_EARLIER_TURNS, SegmentView, segment_views

MAX_SEGMENT_STEPS = 2_000
"""Of a longer segment the newest steps are kept; each keeps a few kilobytes at most."""

_HEAD_CHARS, _TAIL_CHARS = 1_000, 3_000
_ARGUMENT_CHARS = 200
_UNSEEN_TURN = Step("", "user", is_person=True)


class Window:
    """The segment at hand and the one before it, and the person's words of the 50 before.

    `begins` is false where the session's start was not seen: its first turn here is then not
    taken for the opening one.
    """

    def __init__(self, *, begins: bool = True) -> None:
        self._words: deque[tuple[Step, ...]] = deque(maxlen=MAX_EARLIER_TURNS)
        self._last: tuple[Step, ...] = ()
        self._open: deque[Step] = deque(maxlen=MAX_SEGMENT_STEPS)
        if not begins:
            self._words.append((_UNSEEN_TURN,))

    def take(self, step: Step) -> bool:
        """Add a step; whether it is a turn that closes the segment at hand."""
        self._open.append(_slim(step))
        if not step.is_person:
            return False
        if self._last:
            self._words.append(tuple(filter(_has_words, self._last)))
        self._last = tuple(self._open)
        self._open.clear()
        return True

    def revise(self, step: Step) -> bool:
        """Put a step in the place of the one with its reference; whether it is in the open one."""
        for position in range(len(self._open) - 1, -1, -1):
            if self._open[position].source_ref == step.source_ref:
                self._open[position] = _slim(step)
                return True
        return False

    @property
    def open_steps(self) -> int:
        """How many steps came since the last turn."""
        return len(self._open)

    @property
    def has_turn(self) -> bool:
        """Whether a turn of the person was seen."""
        return bool(self._last)

    def open_view(self) -> SegmentView | None:
        """The segment at hand, in which the person has not spoken yet; None while it is empty."""
        return segment_views(_session(self._open))[0] if self._open else None

    def last_view(self) -> SegmentView | None:
        """The last closed segment with the words before it and what the agent said after it."""
        if not self._last:
            return None
        before = [step for words in self._words for step in words]
        views = segment_views(_session([*before, *self._last, *self._open]))
        return views[len(self._words)]


def _slim(step: Step) -> Step:
    """What the rules look at: no results, long texts by their beginning and end."""
    return replace(
        step,
        text=step.text[:MAX_TURN_CHARS] if step.source == "user" else _ends(step.text),
        reasoning=step.reasoning[:_HEAD_CHARS],
        tool_calls=tuple(map(_slim_call, step.tool_calls)),
        observations=tuple(map(_slim_result, step.observations)),
    )


def _ends(text: str) -> str:
    kept = _HEAD_CHARS + _TAIL_CHARS
    return text if len(text) <= kept else f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"


def _slim_call(call: ToolCall) -> ToolCall:
    short = {key[:_ARGUMENT_CHARS]: str(v)[:_ARGUMENT_CHARS] for key, v in call.arguments.items()}
    return replace(call, arguments=short)


def _slim_result(observation: Observation) -> Observation:
    signature = observation.error_signature
    return replace(observation, content="", error_signature=signature and signature[:500])


def _has_words(step: Step) -> bool:
    return step.is_person or step.event == "rejection"


def _session(steps: Iterable[Step]) -> Session:
    return Session("live", "live", "live", "", tuple(steps))
