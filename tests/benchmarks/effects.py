"""How often the verdict on a merged patch is right, and how many sessions it takes.

    python tests/benchmarks/effects.py [--repeats N] [--seed N] [--out FILE]

Worlds in which the truth is known: ten sessions a day, 30 in the window that triggered the breach,
40 more until the merge, then 28 days with the patch; a run every day. Each session shows the
pattern and the control with probabilities on the logistic scale; sessions differ (a standard
deviation of 0.5, common to both), and a trend moves both from the merge on. Beside the verdict
stands the naive one: a two-sided z-test of the rates before (the window included) and after, at
5 %, which ends at the first day on which it is significant; and the same looked at once, on the
last day.

Nothing was chosen by these worlds: the level (5 %), the trend that is taken to be plausible (2)
and the share that may be left (half) were set before they were run. That the looks
are few and fixed was: a confidence sequence that may decide at any session (mixtures over both
shares against the largest likelihood) erred as rarely and told less.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import erfc, log, sqrt
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import hypergeom

from pipelines.effects import ALPHA, LOOKS, Side, decide

A_DAY, WINDOW, FRESH, DAYS = 10, 30, 40, 28
SPREAD = 0.5
_BASELINE = 200
_SHARES = ("resolved", "regressed", "none", "false")
_decide = cache(decide)
Verdict = tuple[str | None, int]
"""Direction and the sessions with the patch that it took."""


@dataclass(frozen=True, slots=True)
class World:
    """One truth. Rates are shares of sessions at the average session."""

    name: str
    before: float
    after: float
    """Of the pattern, without the trend."""
    control: float = 0.15
    trend: float = 1.0
    """That the odds of both are multiplied by from the merge on."""
    is_chance: bool = False
    """The window was high by chance alone: the pattern is as frequent as ever."""
    right: str | None = None
    """The verdict that the truth deserves."""


WORLDS = (
    World("no effect", 0.35, 0.35),
    World("nothing rose, the window was high by chance", 0.12, 0.12, is_chance=True),
    World("no effect, both fall (odds halved)", 0.35, 0.35, trend=0.5),
    World("no effect, both fall (odds a quarter)", 0.35, 0.35, trend=0.25),
    World("no effect, both rise (odds doubled)", 0.35, 0.35, trend=2.0),
    World("fall, 35 to 3 %", 0.35, 0.03, right="resolved"),
    World("fall, 35 to 3 %, frequent control", 0.35, 0.03, control=0.4, right="resolved"),
    World("fall, 35 to 3 %, control in 1 %", 0.35, 0.03, control=0.01, right="resolved"),
    World("fall, 35 to 3 %, both rise", 0.35, 0.03, trend=2.0, right="resolved"),
    World("fall, 80 to 3 %", 0.80, 0.03, right="resolved"),
    World("fall, 35 to 15 %", 0.35, 0.15, right="resolved"),
    World("rise, 35 to 70 %", 0.35, 0.70, right="regressed"),
    World("rise, 10 to 60 %", 0.10, 0.60, right="regressed"),
)


class Sessions(NamedTuple):
    """What each session shows."""

    pattern: NDArray[np.bool_]
    control: NDArray[np.bool_]

    def counted(self, first: int) -> Side:
        """Of the first so many sessions."""
        pattern, control = self.pattern[:first], self.control[:first]
        both = int((pattern & control).sum())
        return Side(first, int(pattern.sum()) - both, int(control.sum()) - both, both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    print(f"{'world':<46} {'method':<13} resolved regressed none  false  sessions")
    for world in WORLDS:
        rows += _print(_rows(world, given.repeats, given.seed))
    rows += _print(_all_looks(given.repeats, given.seed))
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _rows(world: World, repeats: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng([seed, WORLDS.index(world)])
    drawn = [_draw(world, rng) for _ in range(repeats)]
    methods: dict[str, Callable[[Sessions, Sessions, Sessions], Verdict]] = {
        "verdict": _verdict,
        "naive, daily": lambda *of: _naive(*of, days=range(1, DAYS + 1)),
        "naive, once": lambda *of: _naive(*of, days=[DAYS]),
    }
    return [
        _row(world.name, world.right, name, [method(*of) for of in drawn])
        for name, method in methods.items()
    ]


def _draw(world: World, rng: np.random.Generator) -> tuple[Sessions, Sessions, Sessions]:
    """The window, the fresh sessions before the merge, and those after it."""
    window = _sessions(world.before, world.control, 1.0, WINDOW, rng)
    while world.is_chance and not _breaches(window, world, rng):
        window = _sessions(world.before, world.control, 1.0, WINDOW, rng)
    return (
        window,
        _sessions(world.before, world.control, 1.0, FRESH, rng),
        _sessions(world.after, world.control, world.trend, DAYS * A_DAY, rng),
    )


def _sessions(
    pattern: float, control: float, trend: float, number: int, rng: np.random.Generator
) -> Sessions:
    each = log(trend) + rng.normal(0, SPREAD, number)
    shows = [rng.random(number) < expit(logit(rate) + each) for rate in (pattern, control)]
    return Sessions(*shows)


def _breaches(window: Sessions, world: World, rng: np.random.Generator) -> bool:
    """Fisher's exact test against earlier sessions of the same rate, as one of many patterns."""
    earlier = _sessions(world.before, world.control, 1.0, _BASELINE, rng)
    hits, base = int(window.pattern.sum()), int(earlier.pattern.sum())
    return _rise_by_chance(hits, base) <= 0.01


@cache
def _rise_by_chance(hits: int, base: int) -> float:
    return float(hypergeom.sf(hits - 1, WINDOW + _BASELINE, hits + base, WINDOW))


def _verdict(window: Sessions, fresh: Sessions, after: Sessions) -> Verdict:
    """As the stage does it: at each look that is reached, and at the end on all."""
    before, most = fresh.counted(FRESH), len(after.pattern)
    for sessions in (*(look for look in LOOKS if look < most), most):
        direction, _ = _decide(before, after.counted(sessions))
        if direction is not None:
            return direction, sessions
    return None, most


def _naive(window: Sessions, fresh: Sessions, after: Sessions, *, days: Sequence[int]) -> Verdict:
    hits = int(window.pattern.sum() + fresh.pattern.sum())
    for day in days:
        found = int(after.pattern[: day * A_DAY].sum())
        z = _z(found, day * A_DAY, hits, WINDOW + FRESH)
        if erfc(abs(z) / sqrt(2)) < ALPHA:
            return ("regressed" if z > 0 else "resolved"), day * A_DAY
    return None, DAYS * A_DAY


def _z(hits: int, total: int, base: int, base_total: int) -> float:
    pooled = (hits + base) / (total + base_total)
    spread = sqrt(pooled * (1 - pooled) * (1 / total + 1 / base_total))
    return 0.0 if spread == 0 else (hits / total - base / base_total) / spread


def _all_looks(repeats: int, seed: int) -> list[dict[str, object]]:
    """No effect, and sessions enough for every look."""
    rng = np.random.default_rng([seed, len(WORLDS)])
    found = [
        _verdict(
            _sessions(0.35, 0.15, 1.0, 0, rng),
            _sessions(0.35, 0.15, 1.0, FRESH, rng),
            _sessions(0.35, 0.15, 1.0, 2 * LOOKS[-1], rng),
        )
        for _ in range(repeats)
    ]
    return [_row("no effect, all looks", None, "verdict", found)]


def _row(world: str, right: str | None, method: str, found: Sequence[Verdict]) -> dict[str, object]:
    counts = Counter(direction for direction, _ in found)
    took = [sessions for direction, sessions in found if direction == right and right]
    false = sum(n for direction, n in counts.items() if direction not in (None, right))
    return {
        "world": world,
        "method": method,
        "resolved": counts["resolved"] / len(found),
        "regressed": counts["regressed"] / len(found),
        "none": counts[None] / len(found),
        "false": false / len(found),
        "sessions": median(took) if took else None,
    }


def _print(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    for row in rows:
        shares = [f"{100 * float(str(row[share])):6.1f}" for share in _SHARES]
        sessions = "-" if row["sessions"] is None else f"{row['sessions']:.0f}"
        line = f"{row['world']:<46} {row['method']:<13} {' '.join(shares)}  {sessions:>6}"
        print(line, flush=True)
    return rows


if __name__ == "__main__":
    main()
