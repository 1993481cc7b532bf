"""Whether a merged patch made the friction fall: before and after, held against a control.

Each session says two things: whether it shows the task's pattern, and whether it shows the
control, friction that the patch cannot have touched. A verdict is reached in one of two ways:

- by the control: only the sessions that show one of the two and not the other are compared. What
  makes a session worse or better as a whole (a hard task, a user, a bad week of the model) moves
  the odds of both alike and cancels, as in a conditional logistic regression (Cox 1958). The odds
  of "the pattern, not the control" after over those before are the ratio of both odds ratios: the
  difference in differences, on the logistic scale.
- by size, for where the control is too rare to say anything: the odds of the pattern itself moved
  by more than `PLAUSIBLE_TREND` times, more than a trend common to everything is taken to do
  (a bound on what is not seen, as in Rosenbaum 2002), and the control is not seen to have moved
  the same way.

A run looks every time; a verdict is reached only at the looks of `LOOKS`, on the first so many
sessions with the patch and the sessions without it that were known by then, and once on all when
the wait is over. However often a run repeats a look, it sees the same. The error is spent over
looks, ways and directions in equal parts (a group-sequential rule: Lan and DeMets 1983; the bound
is Bonferroni's, so that nothing about how looks hang together is assumed): a patch without effect
gets a wrong verdict, at any look, with a probability of at most `ALPHA`.

`resolved` asks besides that the share of sessions with the pattern is at most `LEFT_AT_MOST` of
what it was; `regressed` that it is higher than it was.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import polars as pl

from pipelines.effects_odds import (
    Bounds,
    Tally,
    difference_bounds,
    odds_ratio,
    odds_ratio_bounds,
    p_value,
)

ALPHA = 0.05
PLAUSIBLE_TREND = 2.0
LEFT_AT_MOST = 0.5
LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280)
"""Sessions with the patch at which a verdict may be reached."""
LEVEL = ALPHA / (2 * 2 * (len(LOOKS) + 1))
"""Of one test: two ways, two directions, all looks and the last."""

Direction = Literal["resolved", "regressed"]
Way = Literal["control", "size"]

SESSIONS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "has_patch": pl.Boolean(),
    "first_seen": pl.Datetime("us", "UTC"),
}
"""The sessions to compare, each once."""
SHOWN_SCHEMA: dict[str, pl.DataType] = {"session_key": pl.String()}
"""Sessions that show something; repeated ones count once, others than those above not at all."""


class Side(NamedTuple):
    """Sessions before or after, by what they show."""

    sessions: int = 0
    pattern_only: int = 0
    control_only: int = 0
    both: int = 0

    @property
    def pattern(self) -> Tally:
        """Sessions with the pattern, of all."""
        return Tally(self.pattern_only + self.both, self.sessions)

    @property
    def control(self) -> Tally:
        """Sessions with the control, of all."""
        return Tally(self.control_only + self.both, self.sessions)

    @property
    def apart(self) -> Tally:
        """Sessions with the pattern and not the control, of those with one of the two alone."""
        return Tally(self.pattern_only, self.pattern_only + self.control_only)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a look says of a patch. Bounds leave out LEVEL on either side."""

    before: Side
    after: Side
    is_look: bool
    """False: too few sessions with the patch for a first look."""
    waiting: int
    """Sessions with the patch that came after the look."""
    change: Bounds
    """Of the share of sessions with the pattern, after minus before."""
    ratio: float | None
    """Odds of the pattern after over those before; None: the counts allow any."""
    ratio_bounds: Bounds
    against_control: float | None
    """The same, over the odds ratio of the control."""
    against_control_bounds: Bounds
    verdict: Direction | None
    """None: not told yet."""
    way: Way | None
    """How the verdict was reached."""


def measure_effect(
    sessions: pl.DataFrame, pattern: pl.DataFrame, control: pl.DataFrame, *, is_last: bool
) -> Effect:
    """The latest look at the sessions, or one at all of them where it is the last.

    `sessions` has SESSIONS_SCHEMA, the others SHOWN_SCHEMA.
    """
    looked_at, is_look = _of_latest_look(sessions, is_last)
    before, after = _count_sides(looked_at, pattern, control)
    verdict, way = decide(before, after) if is_look else (None, None)
    return Effect(
        before=before,
        after=after,
        is_look=is_look,
        waiting=int(sessions["has_patch"].sum()) - after.sessions,
        change=difference_bounds(before.pattern, after.pattern, LEVEL),
        ratio=odds_ratio(before.pattern, after.pattern),
        ratio_bounds=odds_ratio_bounds(before.pattern, after.pattern, LEVEL),
        against_control=odds_ratio(before.apart, after.apart),
        against_control_bounds=odds_ratio_bounds(before.apart, after.apart, LEVEL),
        verdict=verdict,
        way=way,
    )


def _of_latest_look(sessions: pl.DataFrame, is_last: bool) -> tuple[pl.DataFrame, bool]:
    """The sessions of the latest look in the order in which they came; all before the first."""
    after = sessions.filter(pl.col("has_patch")).sort("first_seen", "session_key")
    size = max((look for look in LOOKS if look <= after.height), default=None)
    if is_last or size is None:
        return sessions, is_last
    until = after["first_seen"][size - 1]
    before = sessions.filter(~pl.col("has_patch") & (pl.col("first_seen") <= until))
    return pl.concat([before, after.head(size)]), True


def _count_sides(
    sessions: pl.DataFrame, pattern: pl.DataFrame, control: pl.DataFrame
) -> tuple[Side, Side]:
    shows = sessions.select(
        "has_patch",
        pattern=pl.col("session_key").is_in(pattern["session_key"].implode()),
        control=pl.col("session_key").is_in(control["session_key"].implode()),
    )
    without, having = (shows.filter(pl.col("has_patch") == has) for has in (False, True))
    return _side(without), _side(having)


def _side(shows: pl.DataFrame) -> Side:
    pattern, control = shows["pattern"], shows["control"]
    return Side(
        shows.height,
        int((pattern & ~control).sum()),
        int((control & ~pattern).sum()),
        int((pattern & control).sum()),
    )


def decide(before: Side, after: Side) -> tuple[Direction | None, Way | None]:
    """The verdict that the counts of one look allow, and how it was reached."""
    was, is_ = before.pattern.rate, after.pattern.rate
    if was is None or is_ is None or was == is_:
        return None, None
    if is_ < was and is_ > LEFT_AT_MOST * was:
        return None, None
    direction: Direction = "regressed" if is_ > was else "resolved"
    if _moved(before.apart, after.apart, direction, 1.0):
        return direction, "control"
    far = _moved(before.pattern, after.pattern, direction, PLAUSIBLE_TREND)
    if far and not _moved(before.control, after.control, direction, 1.0):
        return direction, "size"
    return None, None


def _moved(before: Tally, after: Tally, direction: Direction, times: float) -> bool:
    """Whether the odds moved in that direction by more than so many times."""
    if direction == "regressed":
        return p_value(before, after, "above", times) <= LEVEL
    return p_value(before, after, "below", 1 / times) <= LEVEL
