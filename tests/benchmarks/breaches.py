"""False alarms a year under daily looks, and days until a real rise is caught.

    python tests/benchmarks/breaches.py [--worlds N] [--out FILE] [--only PART]

A world is a year of sessions of one agent: a new release every two weeks, every pattern with a rate
of its own between 1 and 30 %. It is looked at on every day, by three rules:

    daily Fisher   newest release against the ones before, p ≤ 0.05, nothing corrected
    Fisher + BH    the same, corrected over the patterns of the day (what Signals did at first)
    Signals        pipelines/thresholds: exact within users, looks and comparisons paid for

`steady`: ten users, alike. `drifting`: thirty users, each with rates of its own (gamma, shape 2),
of whom two leave and two come with every release, and whose shares of the sessions wander. Nothing
ever rises in these worlds: a comparison (a release, or a week) in which anything is found is one
false alarm, however many patterns it names. `rises` has one pattern rise, with a release or in the
middle of one, after 26 weeks in which the year's budget was spent as in the null worlds.

Signals is simulated on counts with the functions of pipelines/thresholds (exact, spending); `check`
runs `find_breaches` itself on smaller worlds and asserts that both find the same on every day.
Other choices of the growth between looks, the information at the first, the parts of the budget and
the first window were tried on seeds below 112 (looks from half as much on, at a growth by a
quarter; half of the budget at first; windows from the second week on), and differed by no more than
chance; the one kept asks for the fewest looks. The figures are of the seeds from 200 on, which
decided nothing.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom

from agent_core.proportions import CONFIDENCE, newcombe_interval
from pipelines.thresholds import MOMENT_SCHEMA, SESSION_SCHEMA, Floors, Look, find_breaches
from pipelines.thresholds.comparisons import FIRST_WINDOW
from pipelines.thresholds.exact import Stratum, hit_distribution, rise_p_value
from pipelines.thresholds.spending import (
    FIRST_LOOK,
    GROWTH,
    information,
    level_of_comparison,
    share_of_look,
)

DAYS = 364
RELEASE_DAYS = 14
FLOORS = Floors(min_sessions=5, min_users=1, false_discovery_rate=0.05)
START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST_SEED = 200
NULL_SIZES = ((3, 10), (3, 50), (10, 50), (40, 10))
"""Sessions a day, patterns."""
RULES = ("daily Fisher", "Fisher + BH", "Signals")
_SURELY_NOT = 1.0
"""Standard deviations above expectation below which an exact p-value of 0.05 is out of reach."""


class Shape(NamedTuple):
    """What makes a kind of world."""

    per_day: int
    patterns: int
    drifting: bool = False
    days: int = DAYS
    releases: int = DAYS
    """At most so many: the last one stays."""


@dataclass
class World:
    """Sessions in their order of time, with what each shows."""

    shape: Shape
    calendar: NDArray[np.int64]
    """The release of each day."""
    day: NDArray[np.int64]
    user: NDArray[np.int64]
    hits: NDArray[np.bool_]
    """[sessions, patterns]"""


@dataclass
class Rise:
    """One pattern, from one rate to another, from some day on."""

    day: int
    before: float
    after: float


def make_world(shape: Shape, seed: int, rise: Rise | None = None) -> World:
    """A year of sessions; with `rise` the first pattern has its rates."""
    draw = np.random.default_rng([seed, shape.per_day, shape.patterns, shape.drifting])
    day = np.repeat(np.arange(shape.days), draw.poisson(shape.per_day, shape.days))
    calendar = np.minimum(np.arange(shape.days) // RELEASE_DAYS, shape.releases - 1)
    rates = np.exp(draw.uniform(np.log(0.01), np.log(0.3), shape.patterns))
    user = _users(shape, calendar[day], draw)
    chance = np.broadcast_to(rates, (day.size, shape.patterns)).copy()
    if rise is not None:
        chance[:, 0] = np.where(day >= rise.day, rise.after, rise.before)
    if shape.drifting:
        own = draw.gamma(2, 0.5, (user.max() + 1, shape.patterns))
        chance = np.minimum(chance * own[user], 0.95)
    return World(shape, calendar, day, user, draw.random(chance.shape) < chance)


def _users(
    shape: Shape, release: NDArray[np.int64], draw: np.random.Generator
) -> NDArray[np.int64]:
    if not shape.drifting:
        return draw.integers(0, 10, release.size)
    present, newest = list(range(30)), 30
    weights = draw.normal(0, 1, 1000)
    user = np.zeros(release.size, np.int64)
    for number in range(int(release.max()) + 1):
        here = release == number
        share = np.exp(weights[present])
        user[here] = draw.choice(present, int(here.sum()), p=share / share.sum())
        weights += draw.normal(0, 0.3, weights.size)
        present = [*present[2:], newest, newest + 1]
        newest += 2
    return user


class Alarm(NamedTuple):
    """Patterns that a rule finds on a day, in one comparison."""

    day: int
    comparison: str
    patterns: tuple[int, ...]


def fisher_alarms(world: World, since: int = 0) -> dict[str, list[Alarm]]:
    """Newest release against the ones before, from day `since`; without and with correction."""
    found: dict[str, list[Alarm]] = {rule: [] for rule in RULES[:2]}
    daily = np.zeros((world.shape.days + 1, world.shape.patterns), np.int64)
    np.add.at(daily, world.day + 1, world.hits)
    hits, sessions = daily.cumsum(0), np.searchsorted(world.day, np.arange(world.shape.days + 1))
    for today in range(since, world.shape.days):
        begun, end = _begun(world, today), today + 1
        newer, before = int(sessions[end] - sessions[begun]), int(sessions[begun])
        new, old = hits[end] - hits[begun], hits[begun]
        tested = np.flatnonzero(new >= FLOORS.min_sessions)
        if min(newer, before) < FLOORS.min_sessions or not tested.size:
            continue
        p_values = hypergeom.sf(new[tested] - 1, newer + before, (new + old)[tested], newer)
        for rule, levels in zip(found, (p_values, false_discovery_control(p_values)), strict=True):
            patterns = tested[levels <= FLOORS.false_discovery_rate]
            if patterns.size:
                name = f"release {world.calendar[today]}"
                found[rule].append(Alarm(today, name, tuple(patterns.tolist())))
    return found


def _begun(world: World, today: int) -> int:
    """First day of today's release."""
    return int(np.searchsorted(world.calendar, world.calendar[today]))


@dataclass
class Spending:
    """Signals' state over the days of a world."""

    opened: list[tuple[datetime, float]] = field(default_factory=list)
    looks: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    """number, information and level by comparison."""

    def look(self, name: str, now: datetime, told: float) -> tuple[float, float] | None:
        """Level and share of the look that is due; None where none is."""
        if name not in self.looks:
            level = level_of_comparison(
                self.opened, now, FLOORS.false_discovery_rate, FLOORS.false_alarms_per_year
            )
            self.opened.append((now, level))
            self.looks[name] = (1, told, level)
        else:
            number, last, level = self.looks[name]
            if told < GROWTH * last:
                return None
            self.looks[name] = (number + 1, told, level)
        number, _, level = self.looks[name]
        return level, share_of_look(number)


def signals_alarms(world: World, since: int = 0, *, exact: bool = False) -> Iterator[Alarm]:
    """Signals on counts, at the looks that are due; those before day `since` are paid for only."""
    spending = Spending()
    for today in range(world.shape.days):
        for name, newer, before in _comparisons(world, today):
            told = information(int(newer.sum()), int(before.sum()))
            least = min(newer.sum(), before.sum(), told / FIRST_LOOK)
            if least < FLOORS.min_sessions:
                continue
            look = spending.look(name, _evening(today), told)
            patterns = (
                _found(world, newer, before, look, exact=exact) if look and today >= since else ()
            )
            if patterns:
                yield Alarm(today, name, patterns)


def _evening(today: int) -> datetime:
    return START + timedelta(days=today, hours=23)


_Side = NDArray[np.bool_]


def _comparisons(world: World, today: int) -> Iterator[tuple[str, _Side, _Side]]:
    begun, release = _begun(world, today), world.calendar[today]
    newest = (world.day >= begun) & (world.day <= today)
    if newest.sum() < FLOORS.min_sessions:
        return
    yield f"release {release}", newest, world.day < begun
    first, last = int(world.day[newest].min()), int(world.day[newest].max())
    if (window := (last - first) // FLOORS.window_days) >= FIRST_WINDOW:
        late = world.day >= first + window * FLOORS.window_days
        yield f"release {release}, window {window}", newest & late, newest & ~late


def _found(
    world: World,
    newer: NDArray[np.bool_],
    before: NDArray[np.bool_],
    look: tuple[float, float],
    *,
    exact: bool,
) -> tuple[int, ...]:
    level, share = look
    counts = _strata(world, newer, before)
    totals = world.hits[newer | before].sum(0)
    tested, p_values = [], []
    excess = _excess(counts)
    for pattern in np.flatnonzero(totals >= FLOORS.min_sessions):
        strata = [Stratum(*map(int, row)) for row in counts[:, :, pattern].T if row[0] + row[2]]
        if not exact and excess[pattern] < _SURELY_NOT:
            tested.append(pattern)
            p_values.append(1.0)
            continue
        hits = hit_distribution(strata)
        if hits.weights[-1] < level * share:
            tested.append(pattern)
            p_values.append(rise_p_value(hits))
    if not tested:
        return ()
    q_values = false_discovery_control(np.array(p_values))
    tail = (1 - CONFIDENCE) / 2 * share  # of the exact interval, which lies above 1
    told = zip(tested, p_values, q_values, strict=True)
    found = [int(one) for one, p, q in told if q <= level * share and p < tail]
    return tuple(one for one in found if _is_shown(world.hits[:, one], newer, before))


def _is_shown(hits: NDArray[np.bool_], newer: _Side, before: _Side) -> bool:
    counts = int(hits[newer].sum()), int(newer.sum()), int(hits[before].sum()), int(before.sum())
    return counts[0] >= FLOORS.min_sessions and newcombe_interval(*counts)[0] > 0


def _strata(world: World, newer: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.int64]:
    """[hits, sessions, base hits, base sessions] × strata × patterns."""
    users = int(world.user.max()) + 1
    per_user = np.stack(
        [np.bincount(world.user[side], minlength=users) for side in (newer, before)]
    )
    is_on_both = per_user.min(axis=0) > 0
    taken = []
    for side in (newer, before):
        places = np.flatnonzero(side)
        user = world.user[places]
        first = np.zeros(places.size, np.bool_)
        first[np.unique(user, return_index=True)[1]] = True
        counted = is_on_both[user] | first
        places, stratum = places[counted], np.where(is_on_both[user], user, users)[counted]
        rows, patterns = np.nonzero(world.hits[places])
        cells = stratum[rows] * world.shape.patterns + patterns
        hits = np.bincount(cells, minlength=(users + 1) * world.shape.patterns)
        hits = hits.reshape(users + 1, world.shape.patterns)
        sessions = np.bincount(stratum, minlength=users + 1)
        taken += [hits, np.broadcast_to(sessions[:, None], hits.shape)]
    return np.stack(taken)


def _excess(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each pattern: hits on the newer side above expectation, in standard deviations."""
    hits, sessions, base, base_sessions = counts
    total, every = hits + base, np.maximum(sessions + base_sessions, 1)
    share = sessions / every
    variance = (total * share * (1 - share) * (every - total) / np.maximum(every - 1, 1)).sum(0)
    above = (hits - total * share).sum(0)
    return np.asarray(above / np.sqrt(np.maximum(variance, 1e-12)))


def by_rule(world: World, since: int = 0) -> dict[str, list[Alarm]]:
    """What each rule finds in a world from day `since` on."""
    return {**fisher_alarms(world, since), RULES[2]: list(signals_alarms(world, since))}


def null_worlds(worlds: int) -> Iterator[dict[str, Any]]:
    """False alarms a year: comparisons in which anything was found, and patterns named."""
    for drifting in (False, True):
        for per_day, patterns in NULL_SIZES:
            shape = Shape(per_day, patterns, drifting)
            found = [by_rule(make_world(shape, seed)) for seed in _seeds(worlds)]
            for rule in RULES:
                yield {
                    "world": "drifting" if drifting else "steady",
                    "sessions_a_day": per_day,
                    "patterns": patterns,
                    "rule": rule,
                    **_alarms_a_year([one[rule] for one in found]),
                }


def _seeds(worlds: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + worlds)


def _alarms_a_year(found: list[list[Alarm]]) -> dict[str, float]:
    alarms = [len({alarm.comparison for alarm in one}) for one in found]
    named = [len({(a.comparison, p) for a in one for p in a.patterns}) for one in found]
    return {
        "alarms_a_year": float(np.mean(alarms)),
        "standard_error": float(np.std(alarms, ddof=1) / len(found) ** 0.5),
        "patterns_named_a_year": float(np.mean(named)),
    }


RISES = ((0.05, 0.15), (0.05, 0.25), (0.10, 0.30))
PLACES = (("with a release", 0, (3, 10, 40)), ("three weeks into a release", 21, (10,)))
"""With the first day of a release or so many days later; sessions a day."""
RISE_RELEASE = 13
WATCHED_DAYS = 42


def rises(worlds: int) -> Iterator[dict[str, Any]]:
    """Days until the first pattern, which rose, is found; the release that it rose in stays."""
    for place, offset, sizes in PLACES:
        for per_day in sizes:
            for before, after in RISES:
                yield from _delays(place, offset, per_day, (before, after), worlds)


def _delays(
    place: str, offset: int, per_day: int, rates: tuple[float, float], worlds: int
) -> Iterator[dict[str, Any]]:
    rise = Rise(RISE_RELEASE * RELEASE_DAYS + offset, *rates)
    shape = Shape(per_day, 20, days=rise.day + WATCHED_DAYS, releases=RISE_RELEASE + 1)
    found = [by_rule(make_world(shape, seed, rise), rise.day) for seed in _seeds(worlds)]
    for rule in RULES:
        days = np.array([_delay(one[rule], rise.day) for one in found])
        yield {
            "rise": place,
            "sessions_a_day": per_day,
            "from": rates[0],
            "to": rates[1],
            "rule": rule,
            "median_days": float(np.median(days)),
            "caught": float(np.isfinite(days).mean()),
        }


def _delay(alarms: list[Alarm], day: int) -> float:
    caught = (alarm.day for alarm in alarms if alarm.day >= day and 0 in alarm.patterns)
    return float(next(caught, np.inf) - day + 1)


def check() -> Iterator[dict[str, Any]]:
    """Whether the simulation finds what `find_breaches` finds, day by day; raises where not."""
    for seed in range(4):
        shape = Shape(5, 8, drifting=seed % 2 == 1, days=70, releases=3)
        world = make_world(shape, 50_000 + seed, Rise(50, 0.05, 0.5))
        simulated = {(a.day, a.patterns) for a in signals_alarms(world, exact=True)}
        real = set(_real_alarms(world))
        assert simulated == real, (seed, simulated ^ real)
        yield {"seed": seed, "alarms": len(real), "agree": True}


def _real_alarms(world: World) -> Iterator[tuple[int, tuple[int, ...]]]:
    sessions, moments = _frames(world)
    looks: dict[tuple[str, int], Look] = {}
    for today in range(world.shape.days):
        seen = sessions.filter(pl.col("known_at") <= _evening(today))
        tested = find_breaches(
            seen, moments, FLOORS, now=_evening(today), looks=list(looks.values())
        )
        new = [one for one in tested.looks if (one.comparison_id, one.number) not in looks]
        for look in new:
            looks[look.comparison_id, look.number] = look
            here = [b for b in tested.breaches if (b.versus, b.since) == (look.versus, look.since)]
            if here:
                yield today, tuple(sorted(int(breach.type) for breach in here))


def _frames(world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [
        {
            "session_key": f"s{number:05}",
            "agent": "core",
            "release": f"{world.calendar[day]:03}",
            "user_id": str(user),
            "is_autonomous": False,
            "started_at": START + timedelta(days=int(day), seconds=number),
            "known_at": _evening(int(day)),
        }
        for number, (day, user) in enumerate(zip(world.day, world.user, strict=True))
    ]
    moments = [
        {"session_key": f"s{number:05}", "type": str(pattern), "severity": "low"}
        for number, pattern in zip(*np.nonzero(world.hits), strict=True)
    ]
    return pl.DataFrame(rows, schema=SESSION_SCHEMA), pl.DataFrame(moments, schema=MOMENT_SCHEMA)


_PARTS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "check": lambda _: check(),
    "null": null_worlds,
    "rises": rises,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write the rows as JSON lines as well")
    parser.add_argument("--only", choices=_PARTS)
    given = parser.parse_args()
    rows = []
    for name in (given.only,) if given.only else _PARTS:
        begun = time.perf_counter()
        for row in _PARTS[name](given.worlds):
            rows.append({"part": name, **row})
            print("  ".join(_shown(key, value) for key, value in row.items()), flush=True)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
    if given.out:
        given.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _shown(key: str, value: Any) -> str:
    return f"{key}={value:.2f}" if isinstance(value, float) else f"{key}={value}"


if __name__ == "__main__":
    main()
