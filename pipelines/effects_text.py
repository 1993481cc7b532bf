"""An effect in words: figures of sessions, never a word of one."""

from math import isinf

from pipelines.effects import LOOKS, PLAUSIBLE_TREND, Effect
from pipelines.effects_needed import Needed
from pipelines.effects_odds import Bounds, Tally


def figures(effect: Effect) -> str:
    """`16 of 40 sessions without the patch, 2 of 80 with it (-62 to -12 points)`."""
    low, high = (100 * bound for bound in effect.change)
    return (
        f"{_of(effect.before.pattern)} sessions without the patch, {_of(effect.after.pattern)} "
        f"with it ({low:+.0f} to {high:+.0f} points)"
    )


def verdict_in_words(effect: Effect, control: str | None) -> str:
    """Why the verdict was reached."""
    if effect.way == "control":
        return (
            f"{figures(effect)}; against {control} the odds changed "
            f"{_times(effect.against_control, effect.against_control_bounds)}"
        )
    return (
        f"{figures(effect)}; the odds changed {_times(effect.ratio, effect.ratio_bounds)}, more "
        f"than the {PLAUSIBLE_TREND:g} times that a common trend may do"
    )


def needed_in_words(needed: Needed) -> str:
    """What is waited for."""
    if needed.after is None:
        return f"no verdict is expected within {LOOKS[-1]} sessions with the patch"
    with_ = f"{needed.after} with the patch"
    if not needed.before:
        return f"about {with_} are needed still"
    return f"about {needed.before} sessions without the patch and {with_} are needed still"


def _of(tally: Tally) -> str:
    return f"{tally.hits} of {tally.total}"


def _times(ratio: float | None, bounds: Bounds) -> str:
    high = "any" if isinf(bounds.high) else f"{bounds.high:.2g}"
    shown = "" if ratio is None else f"{ratio:.2g} times, "
    return f"{shown}{bounds.low:.2g} to {high}"
