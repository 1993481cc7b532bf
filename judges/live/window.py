"""The end of a running session in bounded memory, seen as the rules see a whole one."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from agent_core.session import Observation, Session, Step, ToolCall
from judges.rules.prose import MAX_TURN_CHARS
from judges.rules.view import MAX_EARLIER_TURNS, SegmentView, segment_views

MAX_SEGMENT_STEPS = 2_000
"""Of a longer segment the newest steps are kept; each keeps a few kilobytes at most."""

_WHOLE_STEPS = 50
"""The newest steps of a segment, whose texts and files the person may quote."""
_HEAD_CHARS, _TAIL_CHARS = 1_000, 8_000
_OLD_TAIL_CHARS = 1_500
_ARGUMENT_CHARS = 8_000
_SHAPE_CHARS = 200
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
        if len(self._open) > _WHOLE_STEPS:
            self._open[-_WHOLE_STEPS - 1] = _outline(self._open[-_WHOLE_STEPS - 1])
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


def _session(steps: Iterable[Step]) -> Session:
    return Session("live", "live", "live", "", tuple(steps))


def _slim(step: Step) -> Step:
    """What the rules look at: no results, long texts by their beginning and end."""
    said = step.text[:MAX_TURN_CHARS] if step.source == "user" else _ends(step.text, _TAIL_CHARS)
    return replace(
        step,
        text=said,
        reasoning=step.reasoning[:_HEAD_CHARS],
        tool_calls=tuple(_slim_call(call, _ARGUMENT_CHARS) for call in step.tool_calls),
        observations=tuple(map(_slim_result, step.observations)),
    )


def _outline(step: Step) -> Step:
    """What still counts of a step when many came after it."""
    return replace(
        step,
        text=step.text if step.source == "user" else _ends(step.text, _OLD_TAIL_CHARS),
        tool_calls=tuple(_slim_call(call, _SHAPE_CHARS) for call in step.tool_calls),
    )


def _ends(text: str, tail: int) -> str:
    is_short = len(text) <= _HEAD_CHARS + tail
    return text if is_short else f"{text[:_HEAD_CHARS]}\n{text[-tail:]}"


def _slim_call(call: ToolCall, chars: int) -> ToolCall:
    short = {key[:_SHAPE_CHARS]: _slim_value(v, chars) for key, v in call.arguments.items()}
    return replace(call, arguments=short)


def _slim_value(value: object, chars: int) -> object:
    return value[:chars] if isinstance(value, str) else _Shown(str(value)[:_SHAPE_CHARS])


class _Shown:
    """Stands for a value that is no text, by the beginning of how it is written."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def _slim_result(observation: Observation) -> Observation:
    signature = observation.error_signature
    return replace(observation, content="", error_signature=signature and signature[:500])


def _has_words(step: Step) -> bool:
    return step.is_person or step.event == "rejection"
