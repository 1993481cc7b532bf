"""All figures of one judge against one set of labels."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judges.calibration.confusion import Confusion, confusion
from judges.calibration.figures import (
    ROUNDS,
    Agreement,
    Estimate,
    agreement,
    estimate_of,
    severity_kappa,
)
from judges.calibration.left_out import CANDIDATE_POINTS, LeftOut, left_out
from judges.calibration.turns import LabelledTurn
from judges.rubric import Rubric
from judges.verdict import Polarity

POLARITIES: tuple[Polarity, ...] = ("friction", "delight")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures per polarity and type, with what they are measured on."""

    turns: int
    sessions: int
    projects: int
    overall: Mapping[Polarity, Agreement]
    types: Mapping[Polarity, Mapping[str, Agreement]]
    baselines: Mapping[str, Agreement]
    """Friction by what needs no judge, on the turns whose text is still there."""
    severity: Estimate
    """Linearly weighted kappa, the mean over the annotators."""
    severity_turns: int
    """Those it is of: also turns on which the annotators disagree whether they are friction."""
    severity_by_annotator: tuple[float, ...]
    left_out: LeftOut | None
    confusion: Mapping[Polarity, Confusion]


def measure(
    turns: Sequence[LabelledTurn],
    rubric: Rubric,
    *,
    rounds: int = ROUNDS,
    points: Sequence[float] = CANDIDATE_POINTS,
) -> Measurement:
    """Measure the verdicts on `turns`, in any order; `points` are tried as operating points."""
    agreed = [turn for turn in turns if turn.label.friction is not None]
    severity, severity_by_annotator, severity_turns = _severity(turns, rounds)
    return Measurement(
        turns=len(turns),
        sessions=len({turn.session for turn in turns}),
        projects=len({turn.project for turn in turns}),
        overall={polarity: overall(turns, polarity, rounds) for polarity in POLARITIES},
        types={
            polarity: {
                name: _type(turns, polarity, name, rounds) for name in rubric.names(polarity)
            }
            for polarity in POLARITIES
        },
        baselines=_baselines(agreed, rounds),
        severity=severity,
        severity_turns=severity_turns,
        severity_by_annotator=severity_by_annotator,
        left_out=left_out(agreed, points=points, rounds=rounds) if agreed else None,
        confusion={polarity: confusion(turns, polarity) for polarity in POLARITIES},
    )


def overall(
    turns: Sequence[LabelledTurn], polarity: Polarity, rounds: int = ROUNDS, *, minimum: int = 20
) -> Agreement:
    """The yes or no of a polarity, on the turns where the annotators agree on it."""
    known = [turn for turn in turns if turn.label.is_positive(polarity) is not None]
    return _agreement(
        known,
        lambda turn: bool(turn.label.is_positive(polarity)),
        lambda turn: turn.verdict.is_positive(polarity),
        rounds,
        scores=[turn.verdict.scores[polarity] for turn in known],
        minimum=minimum,
    )


def _type(turns: Sequence[LabelledTurn], polarity: Polarity, name: str, rounds: int) -> Agreement:
    return _agreement(
        [turn for turn in turns if turn.label.types[polarity][name] is not None],
        lambda turn: bool(turn.label.types[polarity][name]),
        lambda turn: name in turn.verdict.types[polarity],
        rounds,
    )


def _baselines(turns: Sequence[LabelledTurn], rounds: int) -> dict[str, Agreement]:
    legible = [turn for turn in turns if turn.baselines]
    names = legible[0].baselines if legible else ()
    return {name: _baseline(legible, name, rounds) for name in names}


def _baseline(turns: Sequence[LabelledTurn], name: str, rounds: int) -> Agreement:
    return _agreement(
        turns, lambda turn: bool(turn.label.friction), lambda turn: turn.baselines[name], rounds
    )


def _severity(
    turns: Sequence[LabelledTurn], rounds: int
) -> tuple[Estimate, tuple[float, ...], int]:
    """Mean weighted kappa with its interval, the kappa against each annotator, and of how many.

    Rows of one and of two annotators are not mixed: only those with as many as most rows count.
    """
    if not turns:
        return (), (), 0
    annotators = Counter(len(turn.label.severities) for turn in turns).most_common(1)[0][0]
    alike = [turn for turn in turns if len(turn.label.severities) == annotators]
    kappas = [
        severity_kappa(
            [turn.label.severities[number] for turn in alike],
            [turn.verdict.severity for turn in alike],
            [turn.session for turn in alike],
            weights=[turn.weight for turn in alike],
            rounds=rounds,
        )
        for number in range(annotators)
    ]
    each = tuple(float(kappa[0]) for kappa in kappas if not np.isnan(kappa[0]))
    return estimate_of(np.mean(kappas, axis=0)), each, len(alike)


def _agreement(
    turns: Sequence[LabelledTurn],
    truth: Callable[[LabelledTurn], bool],
    predicted: Callable[[LabelledTurn], bool],
    rounds: int,
    *,
    scores: Sequence[float] | None = None,
    minimum: int = 20,
) -> Agreement:
    return agreement(
        [truth(turn) for turn in turns],
        [predicted(turn) for turn in turns],
        [turn.session for turn in turns],
        scores=scores,
        weights=[turn.weight for turn in turns],
        rounds=rounds,
        minimum=minimum,
    )
