"""How often a quantity that explains friction is found, and how often one that does not.

    python tests/benchmarks/quantities.py [--out FILE] [--runs N]

Generated sessions (`tests/facets/friction_sessions.py`) of three worlds, with two planted
quantities (one that most sessions have, one that an eighth has), three that merely grow with the
session and ten that have nothing to do with friction beyond agent, project, user or known counts.
`effect` is the log odds of friction for one standard deviation; at 0 nothing is to be found. The
baseline asks each quantity alone (Mann and Whitney's test, the same false-discovery control), which
length and habit deceive. Shares are of the runs; their 95 % intervals are Wilson's.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control, mannwhitneyu

from agent_core.proportions import wilson_interval
from facets.friction_design import Known
from facets.quantities import QuantityFloors, explain_friction
from tests.facets.friction_sessions import (
    CANDIDATES,
    KNOWN,
    LENGTH_ONLY,
    PLANTED,
    Made,
    World,
    make_sessions,
)

RUNS = 40
SIZES = (150, 300, 600, 1200)
EFFECTS = (0.0, 0.2, 0.35, 0.5)
WORLDS: tuple[World, ...] = ("turns", "bursts", "sessions")
USERS = (1, 40)
_HEADER = (
    f"{'world':10}{'users':>6}{'sessions':>9}{'effect':>7}  {'method':11}"
    f"{'found common':>13}{'found rare':>11}{'any false':>22}{'by length':>10}{'FDP':>6}"
)
_Finder = Callable[[pl.DataFrame], list[str]]


class Row(NamedTuple):
    """Figures of one method on one kind of corpus."""

    method: str
    world: str
    users: int
    sessions: int
    effect: float
    runs: int
    found_common: float
    found_rare: float
    false_runs: float
    """Share of runs that found anything that was not planted."""
    false_length: float
    """Share of runs that found what merely grows with the session."""
    false_share: float
    """Mean share of what was found that was not planted; 0 where nothing was found."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("test-output/quantities.json"))
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    rows: list[Row] = []
    print(_HEADER)
    for made in _corpora():
        for method in METHODS:
            rows.append(_measured(method, made, options.runs))
            print(_line(rows[-1]), flush=True)
    for name, _ in METHODS:
        print(_false_finds(name, rows))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {"runs": options.runs, "rows": [row._asdict() for row in rows]}
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _corpora() -> list[Made]:
    """Every effect in the plainest world, none and the largest in the others."""
    return [
        Made(size, effect, users=users, world=world)
        for world in WORLDS
        for users in USERS
        for size in SIZES
        for effect in EFFECTS
        if effect in (EFFECTS[0], EFFECTS[-1]) or (world, users) == (WORLDS[0], USERS[0])
    ]


def _signals(sessions: pl.DataFrame) -> list[str]:
    floors = QuantityFloors(sessions=15)
    tested = explain_friction(sessions, CANDIDATES, Known(counts=KNOWN), floors)
    return [found.measure for found in tested if found.reason is None]


def _alone(sessions: pl.DataFrame) -> list[str]:
    """Each quantity by itself."""
    rough = (sessions["friction_turns"] > 0).to_numpy()
    columns = {name: sessions[name].cast(pl.Float64).to_numpy() for name in CANDIDATES}
    p_values = [
        mannwhitneyu(x[rough & ~np.isnan(x)], x[~rough & ~np.isnan(x)]).pvalue
        for x in columns.values()
    ]
    q_values = false_discovery_control(np.array(p_values))
    return [name for name, q in zip(columns, q_values, strict=True) if q <= 0.05]


METHODS: tuple[tuple[str, _Finder], ...] = (("signals", _signals), ("each alone", _alone))


def _measured(method: tuple[str, _Finder], made: Made, runs: int) -> Row:
    name, find = method
    found = [set(find(make_sessions(made, seed=seed))) for seed in range(runs)]
    planted = set(PLANTED) if made.effect else set()
    false = [each - planted for each in found]
    return Row(
        method=name,
        world=made.world,
        users=made.users,
        sessions=made.sessions,
        effect=made.effect,
        runs=runs,
        found_common=float(np.mean([PLANTED[0] in each for each in found])),
        found_rare=float(np.mean([PLANTED[1] in each for each in found])),
        false_runs=float(np.mean([bool(each) for each in false])),
        false_length=float(np.mean([bool(each & set(LENGTH_ONLY)) for each in false])),
        false_share=float(
            np.mean([len(f) / len(e) if e else 0.0 for f, e in zip(false, found, strict=True)])
        ),
    )


def _line(row: Row) -> str:
    low, high = wilson_interval(round(row.false_runs * row.runs), row.runs)
    false = f"{row.false_runs:.2f} ({low:.2f}-{high:.2f})"
    return (
        f"{row.world:10}{row.users:>6}{row.sessions:>9}{row.effect:>7}  {row.method:11}"
        f"{row.found_common:>13.2f}{row.found_rare:>11.2f}{false:>22}"
        f"{row.false_length:>10.2f}{row.false_share:>6.2f}"
    )


def _false_finds(method: str, rows: list[Row]) -> str:
    null = [row for row in rows if row.method == method and not row.effect]
    runs = sum(row.runs for row in null)
    mistaken = sum(round(row.false_runs * row.runs) for row in null)
    low, high = wilson_interval(mistaken, runs)
    return (
        f"{method}: nothing planted, {runs} runs, {mistaken} with a false find "
        f"({mistaken / runs:.3f}, {low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    main()
