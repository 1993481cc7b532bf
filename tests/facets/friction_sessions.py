"""Generated sessions with friction: quantities that explain it, that do not, that grow with length.

Turns, steps, users, projects and agents all move friction and quantities, as in real logs; only a
planted quantity moves friction by itself.
"""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Vector = NDArray[np.float64]

KNOWN = ("interrupts", "tool_errors")
PLANTED = ("planted_common", "planted_rare")
"""A count that most sessions have, and one that one session in ten has."""
LENGTH_ONLY = ("grows_with_steps", "grows_with_turns", "grows_noisily")
UNRELATED = (
    "even", "heavy_tail", "rare", "half_unknown", "of_the_agent", "of_the_project", "of_the_user",
    "share", "with_errors", "with_interrupts",
)  # fmt: skip
CANDIDATES = (*PLANTED, *LENGTH_ONLY, *UNRELATED)


World = Literal["turns", "bursts", "sessions"]
"""Where friction comes from: each turn by itself; sessions that differ by more than is logged;
the session as a whole, the likelier the more steps it has, in one turn.
"""


class Made(NamedTuple):
    """How sessions are made."""

    sessions: int
    effect: float = 0.0
    """Log odds of friction in a turn, for one standard deviation of log(1 + planted quantity)."""
    users: int = 1
    projects: int = 6
    base: float = -2.0
    """Log odds of friction in a turn."""
    by_rules: bool = True
    world: World = "turns"


def make_sessions(made: Made, *, seed: int) -> pl.DataFrame:
    """Sessions with `friction_design.SESSIONS_SCHEMA`, KNOWN and CANDIDATES."""
    rng = np.random.default_rng(seed)
    size = made.sessions
    place = {
        "user": rng.integers(made.users, size=size),
        "project": rng.integers(made.projects, size=size),
        "agent": rng.choice(3, p=(0.6, 0.3, 0.1), size=size),
    }
    level = {name: 0.5 * rng.normal(size=codes.max() + 1)[codes] for name, codes in place.items()}
    turns = rng.geometric(0.22, size=size)
    steps = turns * 3 + rng.poisson(np.exp(rng.normal(2.5, 0.9, size=size)))
    known = {name: rng.poisson(0.02 * steps) for name in KNOWN}
    quantities = _quantities(rng, turns, steps, level, known)
    odds = made.base + sum(level.values()) + 0.35 * np.log1p(steps) - 0.8
    odds = odds + 0.8 * np.log1p(known["interrupts"]) + 0.3 * np.log1p(known["tool_errors"])
    for name in PLANTED:
        odds = odds + made.effect * _scaled(quantities[name])
    hits = _hits(rng, turns, steps, odds, made.world)
    return pl.DataFrame(
        {
            "session_key": [f"s{number:06}" for number in range(size)],
            "user_id": [f"u{code}" for code in place["user"]],
            "project": [f"p{code}" for code in place["project"]],
            "agent": [f"a{code}" for code in place["agent"]],
            "by_rules": np.full(size, made.by_rules),
            "friction_turns": hits,
            "turns": turns,
            "steps": steps,
            **known,
            **quantities,
        }
    ).with_columns(pl.col("half_unknown").fill_nan(None))


def _quantities(
    rng: np.random.Generator,
    turns: NDArray[np.int64],
    steps: NDArray[np.int64],
    level: dict[str, Vector],
    known: dict[str, NDArray[np.int64]],
) -> dict[str, Vector]:
    size = len(turns)
    made = {
        "planted_common": rng.poisson(2 * np.exp(0.7 * rng.normal(size=size))),
        "planted_rare": rng.poisson(2, size=size) * (rng.random(size) < 0.12),
        "grows_with_steps": rng.poisson(0.3 * steps),
        "grows_with_turns": turns + rng.poisson(0.2 * turns),
        "grows_noisily": rng.poisson(0.1 * steps * np.exp(rng.normal(size=size))),
        "even": rng.poisson(4, size=size),
        "heavy_tail": np.floor(np.exp(2 * rng.normal(size=size))),
        "rare": rng.poisson(0.05, size=size),
        "half_unknown": np.where(rng.random(size) < 0.5, np.nan, rng.poisson(3, size=size)),
        "of_the_agent": rng.poisson(np.exp(1 + 2 * level["agent"])),
        "of_the_project": rng.poisson(np.exp(1 + 2 * level["project"])),
        "of_the_user": rng.poisson(np.exp(1 + 2 * level["user"])),
        "share": 100 * rng.beta(1, 3, size=size),
        "with_errors": rng.poisson(1 + known["tool_errors"]),
        "with_interrupts": rng.poisson(0.2 + known["interrupts"]),
    }
    return {name: np.asarray(values, dtype=np.float64) for name, values in made.items()}


def _hits(
    rng: np.random.Generator,
    turns: NDArray[np.int64],
    steps: NDArray[np.int64],
    odds: Vector,
    world: World,
) -> NDArray[np.int64]:
    """Turns with friction."""
    if world == "sessions":
        # Steeper and steeper with length: no straight line of its logarithm.
        chance = 1 / (1 + np.exp(-(odds - 0.5 + 0.25 * np.log1p(steps) ** 1.5)))
        return rng.binomial(1, chance)
    burst = rng.normal(size=len(turns)) if world == "bursts" else 0.0
    return rng.binomial(turns, 1 / (1 + np.exp(-(odds + burst))))


def _scaled(values: Vector) -> Vector:
    logged = np.log1p(values)
    return np.asarray((logged - logged.mean()) / logged.std())
