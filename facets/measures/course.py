"""Measures of how a session went on: the person's turns, the agent's runs, times."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from facets.measures.view import LogView

_IDLE_SECONDS = 30 * 60
_SLOW_SECONDS = 60


def longest_silent_run(view: LogView) -> int:
    """Most steps of the agent in a row without a word of the person."""
    return max((_agent_steps(view, *stretch) for stretch in _stretches(view)), default=0)


def steps_to_first_edit(view: LogView) -> int | None:
    """Steps from the beginning to the first edit of a file; unknown where nothing was edited."""
    return next((call.step for call in view.calls if call.changed), None)


def first_request_words(view: LogView) -> int | None:
    """Words of the person's first turn; unknown without one."""
    return len(view.steps[view.turns[0]].text.split()) if view.turns else None


def words_per_turn(view: LogView) -> float | None:
    """Words of the person's later turns, on average; unknown where there is one turn or none."""
    later = [len(view.steps[place].text.split()) for place in view.turns[1:]]
    return sum(later) / len(later) if later else None


def agent_questions(view: LogView) -> int:
    """Turns of the person that the agent had ended with a question before."""
    return sum(_asks(view, *stretch) for stretch in _stretches(view) if stretch[1] in view.turns)


def edited_turns(view: LogView) -> int:
    """Turns of the person before which the agent had edited files since the turn before."""
    changed = sorted(call.step for call in view.calls if call.changed)
    starts = (0, *view.turns)
    return sum(
        any(start <= place < turn for place in changed)
        for start, turn in zip(starts, view.turns, strict=False)
    )


def compactions(view: LogView) -> int:
    """Times that the agent's context was summarised to make room."""
    return sum(step.event == "compaction" for step in view.steps)


def api_errors(view: LogView) -> int:
    """Errors of the model's service."""
    return sum(step.event == "api_error" for step in view.steps)


def seconds_to_first_edit(view: LogView) -> float | None:
    """Seconds from the first step to the first edit; unknown without an edit or without times."""
    begun = next((step.timestamp for step in view.steps if step.timestamp), None)
    edit = next((call.step for call in view.calls if call.changed), None)
    return None if edit is None else _seconds(begun, view.steps[edit].timestamp)


def longest_wait_seconds(view: LogView) -> float | None:
    """The longest that the agent worked after a turn, in seconds; unknown without times."""
    waits = [_worked(view, *stretch) for stretch in _stretches(view)]
    return max((wait for wait in waits if wait is not None), default=None)


def idle_gaps(view: LogView) -> int | None:
    """Times that nothing happened for half an hour; unknown without times."""
    times = [step.timestamp for step in view.steps if step.timestamp]
    gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
    return sum(gap > _IDLE_SECONDS for gap in gaps) if gaps else None


def slow_calls(view: LogView) -> int | None:
    """Times that the agent went on over a minute after a call of its own; unknown without times."""
    calling = {call.step for call in view.calls}
    lasted = [
        _seconds(before.timestamp, after.timestamp)
        for place, (before, after) in enumerate(pairwise(view.steps))
        if place in calling and after.source == "agent"
    ]
    timed = [seconds for seconds in lasted if seconds is not None]
    return sum(seconds > _SLOW_SECONDS for seconds in timed) if timed else None


def _stretches(view: LogView) -> Iterator[tuple[int, int]]:
    """(start, end) of what lies before the first turn, between two turns, and after the last."""
    bounds = (*view.turns, len(view.steps))
    if bounds[0] > 0:
        yield 0, bounds[0]
    yield from pairwise(bounds)


def _agent_steps(view: LogView, start: int, end: int) -> int:
    return sum(step.source == "agent" for step in view.steps[start:end])


def _asks(view: LogView, start: int, end: int) -> bool:
    said = (step.text for step in reversed(view.steps[start:end]) if step.source == "agent")
    return next((text for text in said if text.strip()), "").rstrip(" \n*_`)").endswith(("?", "？"))


def _worked(view: LogView, start: int, end: int) -> float | None:
    agent = (step.timestamp for step in reversed(view.steps[start:end]) if step.source == "agent")
    return _seconds(view.steps[start].timestamp, next(agent, None))


def _seconds(begun: datetime | None, ended: datetime | None) -> float | None:
    """Between two times; a log may have them out of order, which counts as none."""
    if begun is None or ended is None:
        return None
    return max(0.0, (ended - begun).total_seconds())
