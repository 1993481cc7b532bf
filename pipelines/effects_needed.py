"""How many more sessions a verdict on a patch would take, if the patch did what it should."""

from typing import NamedTuple

from pipelines.effects import LOOKS, Side, decide

_WEIGHT = 4
"""Sessions that an expected share counts for beside those that were seen."""


class Needed(NamedTuple):
    """Sessions besides those there are; None: more than the last look takes."""

    before: int | None
    after: int | None


def sessions_needed(
    before: Side, after: Side, *, expected_before: float, expected_after: float
) -> Needed:
    """Further sessions until the verdict would be `resolved`, in whole looks.

    `before` and `after` hold all sessions so far. The shares of sessions that are expected to show
    the pattern stand in for what was not seen yet. First only sessions with the patch are added;
    where these alone never suffice, as many without it.
    """
    control = _rate(before.control.hits + after.control.hits, before.sessions + after.sessions, 0)
    with_ = _rate(after.pattern.hits, after.sessions, expected_after)
    without = _rate(before.pattern.hits, before.sessions, expected_before)
    ahead = [look - after.sessions for look in LOOKS if look > after.sessions]
    for more in ahead:
        if decide(before, _grown(after, more, with_, control))[0] == "resolved":
            return Needed(0, more)
    for more in ahead:
        grown = _grown(before, more, without, control)
        if decide(grown, _grown(after, more, with_, control))[0] == "resolved":
            return Needed(more, more)
    return Needed(None, None)


def _rate(hits: int, sessions: int, expected: float) -> float:
    return (hits + _WEIGHT * expected) / (sessions + _WEIGHT)


def _grown(side: Side, more: int, pattern: float, control: float) -> Side:
    return Side(
        side.sessions + more,
        side.pattern_only + round(more * pattern * (1 - control)),
        side.control_only + round(more * control * (1 - pattern)),
        side.both + round(more * pattern * control),
    )
