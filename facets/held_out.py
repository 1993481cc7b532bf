"""What a quantity is worth on sessions it has not seen, and whether its direction holds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from facets.friction_design import Problem
from facets.logistic import WEAK_RIDGE, Design, Vector, fit_logistic, log_loss, predict, score_test

FOLDS = 5
_FEW_GROUPS = 4
_LARGEST_SHARE = 0.5
"""With a larger group than this, leaving whole groups out would leave too little to learn from."""
_ROUNDS = 3
_RESAMPLES = 40


class Gain(NamedTuple):
    """What a quantity adds on sessions left out; log loss in nats a session."""

    log_loss: float
    """By how much the loss falls; below 0 it rises."""
    low: float
    high: float
    """95 % interval of the fall over sessions."""
    auroc_without: float
    auroc_with: float
    by_group: bool
    """Whole users or projects were left out, not single sessions."""


def held_out_gain(quantity: Vector, problem: Problem, *, seed: int) -> Gain:
    """Fit with and without the quantity on some sessions, and compare on those left out."""
    by_group = _has_groups(problem.groups)
    designs = (problem.design, problem.design.with_column(quantity, WEAK_RIDGE))
    # Where to begin, near to what the parts come to: it saves half the time and changes nothing.
    starts = [fit_logistic(design, problem.friction).coefficients for design in designs]
    rounds = [
        [
            _left_out(design, problem, folds, start)
            for design, start in zip(designs, starts, strict=True)
        ]
        for folds in _foldings(problem.groups, by_group, seed)
    ]
    without, having = np.mean(rounds, axis=0)
    fall = log_loss(problem.friction, without) - log_loss(problem.friction, having)
    error = 1.96 * float(fall.std()) / len(fall) ** 0.5
    happened = problem.friction.successes
    return Gain(
        log_loss=float(fall.mean()),
        low=float(fall.mean()) - error,
        high=float(fall.mean()) + error,
        auroc_without=float(roc_auc_score(happened, without)),
        auroc_with=float(roc_auc_score(happened, having)),
        by_group=by_group,
    )


def same_direction(quantity: Vector, problem: Problem, *, seed: int) -> float:
    """Share of halves of the sessions, drawn at random, in which the direction is that of all."""
    rng = np.random.default_rng(seed)
    size = len(quantity)
    overall = _direction(quantity, problem)
    start = fit_logistic(problem.design, problem.friction).coefficients
    halves = (rng.permutation(size)[: size // 2] for _ in range(_RESAMPLES))
    agreed = [_direction(quantity[half], problem.rows(half), start) == overall for half in halves]
    return float(np.mean(agreed))


def _has_groups(groups: NDArray[np.intp]) -> bool:
    sizes = np.bincount(groups)
    sizes = sizes[sizes > 0]
    return len(sizes) >= _FEW_GROUPS and sizes.max() <= _LARGEST_SHARE * len(groups)


def _foldings(groups: NDArray[np.intp], by_group: bool, seed: int) -> Iterator[NDArray[np.intp]]:
    """The fold of each session, for each round."""
    for place in range(_ROUNDS):
        rng = np.random.default_rng((seed, place))
        yield _group_folds(groups, rng) if by_group else rng.permutation(len(groups)) % FOLDS


def _group_folds(groups: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Whole groups, in a random order, each into the fold that is smallest by then."""
    fold_of = np.zeros(groups.max() + 1, dtype=np.intp)
    filled = np.zeros(FOLDS)
    sizes = np.bincount(groups)
    for group in rng.permutation(len(sizes)):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return np.asarray(fold_of[groups])


def _left_out(design: Design, problem: Problem, folds: NDArray[np.intp], start: Vector) -> Vector:
    """Probability of friction in each session by what was learnt without its fold."""
    predicted = np.empty(len(folds))
    for fold in np.unique(folds):
        seen = folds != fold
        fit = fit_logistic(design.rows(seen), problem.rows(seen).friction, start)
        predicted[~seen] = predict(design.rows(~seen), fit.coefficients)
    return predicted


def _direction(quantity: Vector, problem: Problem, start: Vector | None = None) -> float:
    fit = fit_logistic(problem.design, problem.friction, start)
    clusters = np.arange(len(quantity))
    test = score_test(quantity, problem.design, problem.friction, fit, clusters)
    return float(np.sign(test.statistic))
