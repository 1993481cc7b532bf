"""Logistic regression on counts of successes, with a weak ridge, and tests of one more quantity.

Written out in NumPy since what is needed is not in the packages at hand: a binomial outcome, a
penalty a column, and tests whose variance is taken from the data, by clusters.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

WEAK_RIDGE = 1 / 2.5**2
"""Log odds a standard deviation have a normal prior of 2.5 (Gelman et al., 2008, Annals of Applied
Statistics 2): next to nothing, but where a column tells all, which has no finite fit."""
_STEPS = 50
_CONVERGED = 1e-8
_LARGEST_STEP = 5.0
"""Of the linear predictor's coefficients, so that a first step from afar does not overflow."""


class Outcome(NamedTuple):
    """Successes out of trials in each row; shapes (n,)."""

    successes: Vector
    trials: Vector


class Design(NamedTuple):
    """Columns to regress on, shape (n, k), the intercept first, and the ridge of each, (k,)."""

    columns: Matrix
    ridge: Vector

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Design":
        """The same columns of some rows."""
        return Design(self.columns[chosen], self.ridge)

    def with_column(self, column: Vector, ridge: float) -> "Design":
        """One more column, the last."""
        return Design(np.column_stack([self.columns, column]), np.append(self.ridge, ridge))


class Fit(NamedTuple):
    """Coefficients, shape (k,), and the probability of a success in each row, (n,)."""

    coefficients: Vector
    probabilities: Vector


class ScoreTest(NamedTuple):
    """Of a quantity beyond a design: the statistic, whose sign is the direction, and two sides."""

    statistic: float
    p_value: float


class Effect(NamedTuple):
    """Log odds for each unit of a quantity, and its standard error."""

    log_odds: float
    error: float


def fit_logistic(design: Design, outcome: Outcome, start: Vector | None = None) -> Fit:
    """Penalised maximum likelihood by Newton's method, with halved steps where it gets worse.

    `start`, shape (k,) or fewer, is where it begins: the fit does not depend on it, its time does.
    """
    coefficients = np.zeros(design.columns.shape[1])
    if start is not None:
        coefficients[: len(start)] = start
    best = _penalised(design, outcome, coefficients)
    for _ in range(_STEPS):
        step = _newton_step(design, outcome, coefficients)
        while (reached := _penalised(design, outcome, coefficients + step)) < best - 1e-12:
            step = step / 2
            if np.abs(step).max() < _CONVERGED:
                break
        coefficients, best = coefficients + step, reached
        if np.abs(step).max() < _CONVERGED:
            break
    return Fit(coefficients, predict(design, coefficients))


def weigh_down(outcome: Outcome, fit: Fit, parameters: int) -> Outcome:
    """The outcome with trials of one row counting for less, the more rows differ beyond chance.

    Each row's weight is 1 / (1 + (trials - 1) * r), where r is the correlation of trials of one row
    by the spread that the fit of so many parameters leaves (Williams, 1982, Applied Statistics 31,
    model II): without it, the longest rows would decide alone.
    """
    expected = outcome.trials * fit.probabilities
    spread = np.maximum(expected * (1 - fit.probabilities), 1e-9)
    beyond = float((((outcome.successes - expected) ** 2) / spread).sum())
    beyond -= len(spread) - parameters
    more = float((outcome.trials - 1).sum())
    correlation = min(1.0, max(0.0, beyond / more)) if more > 0 else 0.0
    weights = 1 / (1 + (outcome.trials - 1) * correlation)
    return Outcome(outcome.successes * weights, outcome.trials * weights)


def predict(design: Design, coefficients: Vector) -> Vector:
    """Probability of a success in each row."""
    return _sigmoid(design.columns @ coefficients)


def score_test(
    quantity: Vector, design: Design, outcome: Outcome, fit: Fit, clusters: NDArray[np.intp]
) -> ScoreTest:
    """Whether a quantity, shape (n,), goes with the outcome beyond the design that was fitted.

    Rao's score test. Where `clusters` holds rows together, the variance is that of their summed
    scores, whatever goes on within (Boos, 1992, The American Statistician 46), and the statistic is
    held against Student's t with as many degrees of freedom as clusters weigh in (Satterthwaite).
    """
    weights = outcome.trials * fit.probabilities * (1 - fit.probabilities)
    weighted = design.columns * weights[:, None]
    information = weighted.T @ design.columns + np.diag(design.ridge)
    beyond = quantity - design.columns @ np.linalg.solve(information, weighted.T @ quantity)
    scores = beyond * (outcome.successes - outcome.trials * fit.probabilities)
    summed = np.bincount(clusters, weights=scores)
    squares = float((summed**2).sum())
    rows = len(quantity)
    spent = float(np.trace(np.linalg.solve(information, weighted.T @ design.columns)))
    freedom = max(1.0, rows - spent)
    if np.count_nonzero(np.bincount(clusters)) == rows:
        variance = float((weights * beyond**2).sum())
    else:
        variance = squares * rows / freedom
        freedom = max(1.0, 3 * squares**2 / max(1e-300, float((summed**4).sum())) - 2)
    if variance <= 1e-9 * rows:
        return ScoreTest(0.0, 1.0)
    statistic = float(scores.sum()) / variance**0.5
    return ScoreTest(statistic, float(2 * stats.t.sf(abs(statistic), freedom)))


def effect_of(
    quantity: Vector, design: Design, outcome: Outcome, fit: Fit, clusters: NDArray[np.intp]
) -> Effect:
    """Log odds for each unit of a quantity beyond the design that was fitted; the error is by
    cluster as well."""
    full = design.with_column(quantity, WEAK_RIDGE)
    fit = fit_logistic(full, outcome, fit.coefficients)
    weights = outcome.trials * fit.probabilities * (1 - fit.probabilities)
    information = (full.columns * weights[:, None]).T @ full.columns + np.diag(full.ridge)
    inverse_row = np.linalg.solve(information, np.eye(len(information))[-1])
    residual = outcome.successes - outcome.trials * fit.probabilities
    influence = np.bincount(clusters, weights=(full.columns @ inverse_row) * residual)
    spread = float((influence**2).sum()) * len(quantity)
    spread /= max(1.0, len(quantity) - full.columns.shape[1])
    return Effect(float(fit.coefficients[-1]), spread**0.5)


def log_loss(outcome: Outcome, probabilities: Vector) -> Vector:
    """Of each row, in nats for each of its trials, shape (n,)."""
    safe = np.clip(probabilities, 1e-6, 1 - 1e-6)
    failures = outcome.trials - outcome.successes
    lost = -(outcome.successes * np.log(safe) + failures * np.log1p(-safe))
    return np.asarray(lost / outcome.trials)


def _newton_step(design: Design, outcome: Outcome, coefficients: Vector) -> Vector:
    probabilities = predict(design, coefficients)
    weights = outcome.trials * probabilities * (1 - probabilities)
    gradient = design.columns.T @ (outcome.successes - outcome.trials * probabilities)
    gradient -= design.ridge * coefficients
    information = (design.columns * weights[:, None]).T @ design.columns + np.diag(design.ridge)
    # A little more than the ridge, for columns that say the same and a bare intercept.
    information[np.diag_indices_from(information)] += 1e-9 * len(outcome.trials)
    step = np.linalg.solve(information, gradient)
    return np.asarray(step * min(1.0, _LARGEST_STEP / max(1e-12, float(np.abs(step).max()))))


def _penalised(design: Design, outcome: Outcome, coefficients: Vector) -> float:
    linear = design.columns @ coefficients
    likelihood = outcome.successes * linear - outcome.trials * np.logaddexp(0, linear)
    return float(likelihood.sum() - 0.5 * (design.ridge * coefficients**2).sum())


def _sigmoid(linear: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-np.clip(linear, -35, 35))))
