"""The operating point, chosen on some turns and measured on others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from judges.calibration.figures import MIN_POSITIVES, ROUNDS, Agreement, agreement, binary_kappa
from judges.calibration.turns import LabelledTurn

CANDIDATE_POINTS = tuple(float(point) for point in np.arange(0.3, 0.71, 0.05))
_FOLDS = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Friction at operating points that were chosen without the turns they are measured on."""

    by: Literal["project", "session"]
    """What was left out whole: sessions (in ten parts) where all are of one project."""
    points: Mapping[str, float]
    """The point at which each left-out part was measured, best by kappa on the others."""
    agreement: Agreement


def left_out(
    turns: Sequence[LabelledTurn],
    *,
    points: Sequence[float] = CANDIDATE_POINTS,
    rounds: int = ROUNDS,
    minimum: int = MIN_POSITIVES,
) -> LeftOut | None:
    """Friction with each part's point chosen on the other parts, predictions pooled.

    None with a single session: there is nothing to choose on. `turns` all have a yes or no.
    """
    by, parts = _parts(turns)
    names = sorted(set(parts))
    if len(names) < 2:
        return None
    truth = np.array([bool(turn.label.friction) for turn in turns])
    scores = np.array([turn.verdict.scores["friction"] for turn in turns])
    weights = np.array([turn.weight for turn in turns])
    others = {name: np.array(parts) != name for name in names}
    chosen = {
        name: _best(truth[other], scores[other], weights[other], points)
        for name, other in others.items()
    }
    return LeftOut(
        by,
        chosen,
        agreement(
            truth.tolist(),
            [score >= chosen[name] for score, name in zip(scores, parts, strict=True)],
            [turn.session for turn in turns],
            weights=weights.tolist(),
            rounds=rounds,
            minimum=minimum,
        ),
    )


def _parts(turns: Sequence[LabelledTurn]) -> tuple[Literal["project", "session"], list[str]]:
    projects = [turn.project for turn in turns]
    if len(set(projects)) > 1:
        return "project", projects
    sessions = sorted({turn.session for turn in turns})
    folds = {name: f"part {number % _FOLDS + 1}" for number, name in enumerate(sessions)}
    return "session", [folds[turn.session] for turn in turns]


def _best(
    truth: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    points: Sequence[float],
) -> float:
    """The first point with the highest kappa; the middle one where kappa is undefined at all."""
    kappas = [binary_kappa(truth, scores >= point, weights) for point in points]
    if all(np.isnan(kappas)):
        return points[len(points) // 2]
    return points[int(np.nanargmax(kappas))]
