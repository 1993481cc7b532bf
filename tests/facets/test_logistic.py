"""Logistic regression: against scikit-learn, and a test that is as often wrong as it says."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from facets.logistic import (
    Design,
    Outcome,
    effect_of,
    fit_logistic,
    log_loss,
    predict,
    score_test,
    weigh_down,
)

Vector = NDArray[np.float64]


def _columns(rows: int, count: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(rows, count))


def _yes_or_no(columns: NDArray[np.float64], weights: list[float], seed: int) -> Outcome:
    chance = 1 / (1 + np.exp(-(columns @ np.array(weights))))
    drawn = np.random.default_rng(seed).random(len(columns)) < chance
    return Outcome(drawn.astype(float), np.ones(len(columns)))


def _with_intercept(columns: NDArray[np.float64], ridge: float) -> Design:
    full = np.column_stack([np.ones(len(columns)), columns])
    return Design(full, np.array([0.0, *[ridge] * columns.shape[1]]))


@pytest.mark.parametrize("ridge", [0.16, 5.0], ids=["weak", "strong"])
def test_the_fit_is_that_of_scikit_learn(ridge: float) -> None:
    columns = _columns(400, 3, seed=1)
    outcome = _yes_or_no(columns, [1.0, -0.5, 0.0], seed=2)
    fit = fit_logistic(_with_intercept(columns, ridge), outcome)
    reference = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=1000)
    reference.fit(columns, outcome.successes)
    expected = np.array([reference.intercept_[0], *reference.coef_[0]])
    np.testing.assert_allclose(fit.coefficients, expected, atol=1e-5)


def test_trials_count_as_so_many_rows() -> None:
    columns = _columns(200, 2, seed=3)
    once = _with_intercept(columns, 0.16)
    rng = np.random.default_rng(4)
    trials = rng.integers(1, 6, size=200)
    hits = rng.binomial(trials, 0.4)
    rows = np.repeat(np.arange(200), trials)
    places = np.concatenate([np.arange(n) for n in trials])
    each = Outcome((places < hits[rows]).astype(float), np.ones(len(rows)))
    together = fit_logistic(once, Outcome(hits.astype(float), trials.astype(float)))
    apart = fit_logistic(once.rows(rows), each)
    np.testing.assert_allclose(together.coefficients, apart.coefficients, atol=1e-6)


def test_a_column_that_tells_all_has_a_finite_fit() -> None:
    x = np.linspace(-1, 1, 60)
    outcome = Outcome((x > 0).astype(float), np.ones(60))
    fit = fit_logistic(_with_intercept(x[:, None], 0.16), outcome)
    assert np.isfinite(fit.coefficients).all()
    assert ((fit.probabilities > 0.5) == (x > 0)).all()


def test_where_it_starts_makes_no_difference() -> None:
    columns = _columns(300, 2, seed=5)
    outcome = _yes_or_no(columns, [2.0, 0.0], seed=6)
    design = _with_intercept(columns, 0.16)
    far = fit_logistic(design, outcome, np.array([4.0, -9.0, 9.0]))
    np.testing.assert_allclose(
        far.coefficients, fit_logistic(design, outcome).coefficients, atol=1e-6
    )


def test_the_effect_and_its_error_are_those_of_the_sandwich() -> None:
    """Over 80 samples the mean is the truth and the stated error the spread."""
    found = []
    for seed in range(80):
        columns = _columns(300, 2, seed=seed)
        outcome = _yes_or_no(columns, [0.8, 0.5], seed=1000 + seed)
        design = _with_intercept(columns[:, :1], 0.16)
        fit = fit_logistic(design, outcome)
        found.append(effect_of(columns[:, 1], design, outcome, fit, np.arange(300)))
    estimates = np.array([effect.log_odds for effect in found])
    errors = np.array([effect.error for effect in found])
    assert abs(estimates.mean() - 0.5) < 0.05
    assert abs(errors.mean() / estimates.std() - 1) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True], ids=["rows", "clusters of ten"])
def test_the_score_test_is_wrong_as_often_as_it_says(clustered: bool) -> None:
    """In 300 samples without an effect; clusters share both the quantity and a level."""
    p_values = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(40), 10)
        level = rng.normal(size=40)[clusters] if clustered else np.zeros(400)
        quantity = rng.normal(size=40)[clusters] if clustered else rng.normal(size=400)
        known = rng.normal(size=(400, 1))
        chance = 1 / (1 + np.exp(-(known[:, 0] + level - 0.5)))
        outcome = Outcome((rng.random(400) < chance).astype(float), np.ones(400))
        design = _with_intercept(known, 0.16)
        fit = fit_logistic(design, outcome)
        groups = clusters if clustered else np.arange(400)
        p_values.append(score_test(quantity, design, outcome, fit, groups).p_value)
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.08


def test_the_score_test_finds_an_effect_and_its_direction() -> None:
    columns = _columns(300, 2, seed=7)
    outcome = _yes_or_no(columns, [0.5, -0.8], seed=8)
    design = _with_intercept(columns[:, :1], 0.16)
    fit = fit_logistic(design, outcome)
    test = score_test(columns[:, 1], design, outcome, fit, np.arange(300))
    assert test.statistic < -3
    assert test.p_value < 0.001


def test_a_quantity_that_is_known_already_says_nothing() -> None:
    columns = _columns(200, 1, seed=9)
    outcome = _yes_or_no(columns, [1.0], seed=10)
    design = _with_intercept(columns, 0.0)
    fit = fit_logistic(design, outcome)
    test = score_test(3 * columns[:, 0] + 1, design, outcome, fit, np.arange(200))
    assert test.p_value > 0.5


def test_trials_of_rows_that_differ_by_more_than_chance_count_for_less() -> None:
    rng = np.random.default_rng(11)
    trials = np.full(500, 20.0)
    design = Design(np.ones((500, 1)), np.zeros(1))
    even = Outcome(rng.binomial(20, 0.3, size=500).astype(float), trials)
    kept = weigh_down(even, fit_logistic(design, even), 1)
    assert kept.trials.mean() > 15
    chance = rng.beta(0.6, 1.4, size=500)  # the correlation of trials is 1 / (1 + 0.6 + 1.4)
    apart = Outcome(rng.binomial(20, chance).astype(float), trials)
    cut = weigh_down(apart, fit_logistic(design, apart), 1)
    assert abs(cut.trials.mean() - 20 / (1 + 19 / 3)) < 0.4
    np.testing.assert_allclose(cut.successes / cut.trials, apart.successes / apart.trials)


def test_log_loss_is_in_nats_a_trial() -> None:
    outcome = Outcome(np.array([1.0, 0.0, 2.0]), np.array([1.0, 1.0, 4.0]))
    expected = [-np.log(0.8), -np.log(0.8), -(np.log(0.5) + np.log(0.5)) / 2]
    np.testing.assert_allclose(log_loss(outcome, np.array([0.8, 0.2, 0.5])), expected)


def test_a_prediction_far_out_is_no_overflow() -> None:
    design = Design(np.array([[1.0, 1e6], [1.0, -1e6]]), np.zeros(2))
    told = predict(design, np.array([0.0, 1.0]))
    np.testing.assert_allclose(told, [1.0, 0.0], atol=1e-12)
