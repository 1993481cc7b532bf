"""Labelled sessions, replayed step by step: what each alarm foretells.

An alarm before the person speaks foretells friction in the turn that closes its segment, or in
the next two; an alarm raised by a person's turn foretells friction in the next three turns. A hit
needs a labelled turn of friction there; where the annotators disagree on all of these turns, or
the session ends first, the alarm is not counted. Nothing of the live judge was tuned on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from agent_core.session import Step
from judges.live import ALARM_KINDS, LiveJudge
from pipelines.labelled_sessions import LabelledSession
from tests.benchmarks.judge import FITTING

_ON_STOP = ("interrupt_after_claim", "repeated_stops")
"""A stop is nearly always labelled as friction: these tell of it more than they foretell it."""
LABELS_NOTE = "labels by two language models (not people) on real sessions"
HORIZON = 3
"""Turns in which what was foretold must come."""
MAX_PAUSE_SECONDS = 1800.0
"""Longer pauses are not part of a session's hours."""


@dataclass(frozen=True)
class Raised:
    """An alarm in a replayed session."""

    kind: str
    step: int
    """Position of the step that raised it."""
    turn: int
    """Position of the next turn of the person to come, 0-based."""
    at_turn: bool
    """A turn of the person raised it, which it does not foretell."""
    at: datetime | None


@dataclass(frozen=True)
class Replayed:
    """A session with its labels: True, False, or None where the annotators disagree."""

    project: str
    friction: tuple[bool | None, ...]
    turn_steps: tuple[int, ...]
    turn_times: tuple[datetime | None, ...]
    steps: int
    hours: float
    error_steps: tuple[tuple[int, int], ...]
    """Steps with a failed call, and the turn that came next."""
    agent_steps: tuple[tuple[int, int], ...]
    """Steps of the agent, and the turn that came next."""
    alarms: tuple[Raised, ...]


def replay(shared: Path) -> list[Replayed]:
    """All labelled sessions, judged step by step as they came."""
    return [
        _replayed(one)
        for one in FITTING.read_sessions(shared)
        if any(step.is_person and step.source_ref in one.labels for step in one.session.steps)
    ]


def measure(sessions: Sequence[Replayed], rounds: int) -> dict[str, Any]:
    """All figures, for each kind of alarm, each project, and the baselines."""
    before = _alarms(sessions, lambda alarm: not alarm.at_turn)
    at_turn = _alarms(sessions, lambda alarm: alarm.at_turn)
    errors = [[_plain(one, *place) for place in one.error_steps] for one in sessions]
    every = [list(one.alarms) for one in sessions]
    groups: dict[str, list[list[Raised]]] = {
        "all alarms": every,
        "all but those on a stop": _alarms(sessions, lambda a: a.kind not in _ON_STOP),
        "before the person speaks": before,
        "before the person speaks, no stop": _alarms(
            sessions, lambda a: not a.at_turn and a.kind not in _ON_STOP
        ),
        "at a turn of the person": at_turn,
        **{kind: _alarms(sessions, _of_kind(kind)) for kind in ALARM_KINDS},
        "baseline: after every error": errors,
        "baseline: as many, at random": _random(sessions, sum(map(len, every))),
        "baseline: at random in the same sessions": _shuffled(sessions, every),
    }
    projects = sorted({one.project for one in sessions})
    return {
        "labels": LABELS_NOTE,
        "sessions": len(sessions),
        "turns": sum(len(one.friction) for one in sessions),
        "hours": round(sum(one.hours for one in sessions), 1),
        "base_rate_in_horizon": round(_base_rate(sessions), 3),
        "groups": {name: _figures(sessions, alarms, rounds) for name, alarms in groups.items()},
        "projects": {
            name: _figures(
                [one for one in sessions if one.project == name],
                [list(one.alarms) for one in sessions if one.project == name],
                rounds,
            )
            for name in projects
        },
    }


def as_text(figures: Mapping[str, Any]) -> str:
    """The figures for a terminal."""
    lines = [
        f"{figures['sessions']} sessions, {figures['turns']} turns, {figures['hours']} h without "
        f"pauses; {figures['labels']}",
        f"friction within {HORIZON} turns of any turn: {figures['base_rate_in_horizon']:.0%}",
        f"{'':<44}{'n':>4}{'precision [95 %]':>20}{'recall [95 %]':>20}{'steps':>6}{'turns':>6}"
        f"{'seconds':>8}{'false/h':>8}{'/100 turns':>11}",
    ]
    for name, row in [*figures["groups"].items(), *figures["projects"].items()]:
        lines.append(f"{name:<44}{_row(row)}")
    return "\n".join(lines)


def _replayed(one: LabelledSession) -> Replayed:
    steps = [step for step in one.session.steps if not step.is_copied_context]
    turns = [i for i, step in enumerate(steps) if step.is_person]
    next_turn = np.searchsorted(turns, range(len(steps)), side="left").tolist()
    failed = [i for i, step in enumerate(steps) if any(o.is_error for o in step.observations)]
    agent = [i for i, step in enumerate(steps) if step.source == "agent"]
    labels = [one.labels.get(steps[i].source_ref) for i in turns]
    return Replayed(
        project=one.project,
        friction=tuple(None if label is None else label.friction for label in labels),
        turn_steps=tuple(turns),
        turn_times=tuple(steps[i].timestamp for i in turns),
        steps=len(steps),
        hours=_hours(steps),
        error_steps=tuple((i, next_turn[i]) for i in failed),
        agent_steps=tuple((i, next_turn[i]) for i in agent),
        alarms=tuple(_raised(steps, next_turn)),
    )


def _raised(steps: Sequence[Step], next_turn: Sequence[int]) -> list[Raised]:
    judge = LiveJudge(b"benchmark")
    found: list[Raised] = []
    for position, step in enumerate(steps):
        alarms = judge.observe(step)
        if position + 1 < len(steps) and steps[position + 1].is_person:
            alarms += judge.rest(step)
        turn = next_turn[position] + step.is_person
        found += [
            Raised(alarm.kind, position, turn, step.is_person, step.timestamp) for alarm in alarms
        ]
    return found


def _hours(steps: Sequence[Step]) -> float:
    times = [step.timestamp.timestamp() for step in steps if step.timestamp is not None]
    pauses = np.diff(np.array(times)) if times else np.zeros(0)
    return float(np.clip(pauses, 0, MAX_PAUSE_SECONDS).sum() / 3600)


def _alarms(sessions: Sequence[Replayed], wanted: Callable[[Raised], bool]) -> list[list[Raised]]:
    return [[alarm for alarm in one.alarms if wanted(alarm)] for one in sessions]


def _of_kind(kind: str) -> Callable[[Raised], bool]:
    return lambda alarm: alarm.kind == kind


def _plain(session: Replayed, step: int, turn: int) -> Raised:
    return Raised("baseline", step, turn, False, None)


def _random(sessions: Sequence[Replayed], count: int) -> list[list[Raised]]:
    """Alarms at steps of the agent, drawn at random from all sessions."""
    rng = np.random.default_rng(0)
    places = [(i, place) for i, one in enumerate(sessions) for place in one.agent_steps]
    drawn: list[list[Raised]] = [[] for _ in sessions]
    for index in rng.choice(len(places), count, replace=False):
        session, place = places[int(index)]
        drawn[session].append(_plain(sessions[session], *place))
    return drawn


def _shuffled(
    sessions: Sequence[Replayed], alarms: Sequence[Sequence[Raised]]
) -> list[list[Raised]]:
    """As many alarms in each session as there are, at steps of the agent drawn at random."""
    rng = np.random.default_rng(0)
    drawn: list[list[Raised]] = []
    for one, raised in zip(sessions, alarms, strict=True):
        count = min(len(raised), len(one.agent_steps))
        places: list[int] = (
            rng.choice(len(one.agent_steps), count, replace=False).tolist() if count else []
        )
        drawn.append([_plain(one, *one.agent_steps[i]) for i in places])
    return drawn


def _base_rate(sessions: Sequence[Replayed]) -> float:
    known = [
        came
        for one in sessions
        for turn in range(len(one.friction))
        if (came := _came(one, turn)) is not None
    ]
    return sum(known) / len(known)


def _came(session: Replayed, turn: int) -> bool | None:
    """Whether friction came in the turns from `turn` on; None where nobody can say."""
    ahead = session.friction[turn : turn + HORIZON]
    if any(one is True for one in ahead):
        return True
    return False if any(one is False for one in ahead) else None


def _figures(
    sessions: Sequence[Replayed], alarms: Sequence[Sequence[Raised]], rounds: int
) -> dict[str, Any]:
    """Counts by session, so that intervals can be drawn over sessions."""
    counted = [_counted(one, raised) for one, raised in zip(sessions, alarms, strict=True)]
    table = np.array([row for row, _ in counted], dtype=float)
    leads = [lead for _, leads in counted for lead in leads]
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(table), (rounds, len(table)))
    seconds = [lead[2] for lead in leads if lead[2] is not None]
    return {
        "alarms": int(table[:, 0].sum()),
        "precision": _ratio(table, 1, 0, draws),
        "recall": _ratio(table, 3, 2, draws),
        "lead_steps_median": _median([lead[0] for lead in leads]),
        "lead_turns_median": _median([lead[1] for lead in leads]),
        "lead_seconds_median": _median(seconds),
        "false_per_hour": _ratio(table, 4, 5, draws),
        "false_per_100_turns": [round(100 * x, 2) for x in _ratio(table, 4, 6, draws)],
    }


_Lead = tuple[int, int, float | None]


def _counted(session: Replayed, alarms: Sequence[Raised]) -> tuple[list[float], list[_Lead]]:
    """[counted, hits, friction turns, of them foretold, false, hours, turns] and the leads."""
    judged = [
        (alarm, came) for a in alarms if (came := _came(session, (alarm := a).turn)) is not None
    ]
    hits = [alarm for alarm, came in judged if came]
    foretold: dict[int, Raised] = {}
    for alarm in hits:
        ahead = range(alarm.turn, min(alarm.turn + HORIZON, len(session.friction)))
        for turn in ahead:
            if session.friction[turn]:
                foretold.setdefault(turn, alarm)
    positives = sum(one is True for one in session.friction)
    row = [
        len(judged),
        len(hits),
        positives,
        len(foretold),
        len(judged) - len(hits),
        session.hours,
        len(session.friction),
    ]
    return [float(x) for x in row], [_lead(session, alarm) for alarm in hits]


def _lead(session: Replayed, alarm: Raised) -> _Lead:
    """Steps, turns and seconds from the alarm to the first turn of friction after it."""
    turn = next(t for t in range(alarm.turn, len(session.friction)) if session.friction[t])
    then = session.turn_times[turn]
    seconds = (then - alarm.at).total_seconds() if then and alarm.at else None
    return session.turn_steps[turn] - alarm.step, turn - alarm.turn, seconds


def _ratio(table: np.ndarray, top: int, bottom: int, draws: np.ndarray) -> list[float]:
    """[value, low, high]; empty where there is nothing to divide by."""
    if not table[:, bottom].sum():
        return []
    value = table[:, top].sum() / table[:, bottom].sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = table[draws, top].sum(1) / table[draws, bottom].sum(1)
    drawn = drawn[np.isfinite(drawn)]
    bounds = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else []
    return [round(float(x), 3) for x in (value, *bounds)]


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 1) if len(values) else None


def _row(row: Mapping[str, Any]) -> str:
    lead = [row[f"lead_{name}_median"] for name in ("steps", "turns", "seconds")]
    shown = ["-" if x is None else f"{x:.0f}" for x in lead]
    false = row["false_per_hour"][0] if row["false_per_hour"] else 0.0
    per_turns = row["false_per_100_turns"][0] if row["false_per_100_turns"] else 0.0
    return (
        f"{row['alarms']:>4}{_span(row['precision']):>20}{_span(row['recall']):>20}"
        f"{shown[0]:>6}{shown[1]:>6}{shown[2]:>8}{false:>8.2f}{per_turns:>11.1f}"
    )


def _span(figure: Sequence[float]) -> str:
    if not figure:
        return "-"
    return (
        f"{figure[0]:.2f} [{figure[1]:.2f}, {figure[2]:.2f}]" if figure[1:] else f"{figure[0]:.2f}"
    )
