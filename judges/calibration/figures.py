"""Agreement figures with 95 % bootstrap intervals over sessions.

All resamples are drawn at once: a figure is a function of sums over turns, the sums of a resample
are sums over its sessions, so that one matrix product gives the sums of every resample.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

MIN_POSITIVES = 20
ROUNDS = 1000
_AT_ONCE = 100
_LEVELS = 4
"""Severities 0 to 3."""

Floats = npt.NDArray[np.float64]
Estimate = tuple[float, ...]
"""Value, low and high; the value alone without resampling; empty where it is not defined."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one yes or no of a judge agrees with the labels; counts are of turns, unweighted.

    With fewer positives than MIN_POSITIVES there are counts only (`is_measured` is false).
    """

    turns: int
    positives: int
    true_positives: int
    false_positives: int
    false_negatives: int
    positive_rate: float
    """Share of positives; weighted, where the turns carry weights."""
    is_measured: bool = False
    precision: Estimate = ()
    recall: Estimate = ()
    f1: Estimate = ()
    kappa: Estimate = ()
    auroc: Estimate = ()

    def as_row(self) -> dict[str, Any]:
        """For JSON: counts, and the figures where they are measured, to three digits."""
        names = ("turns", "positives", "true_positives", "false_positives", "false_negatives")
        row: dict[str, Any] = {name: getattr(self, name) for name in names}
        row["positive_rate"] = round(self.positive_rate, 3)
        if not self.is_measured:
            return row | {"note": f"not measured: fewer than {MIN_POSITIVES} positives"}
        figures = {n: getattr(self, n) for n in ("precision", "recall", "f1", "kappa", "auroc")}
        return row | {name: rounded(figure) for name, figure in figures.items() if figure}


class Resampling:
    """Which sessions each resample holds, and how often; the first one is the data itself."""

    def __init__(self, sessions: Sequence[str], rounds: int, *, seed: int = 0) -> None:
        known: dict[str, int] = {}
        codes = [known.setdefault(name, len(known)) for name in sessions]
        self.codes = np.array(codes, dtype=np.int64)
        self.size = len(known)
        self._rounds, self._seed = rounds, seed

    def times(self) -> Iterator[Floats]:
        """How often each session was drawn, [resamples, sessions], a few resamples at a time."""
        rng = np.random.default_rng(self._seed)
        yield np.ones((1, self.size))
        for start in range(0, self._rounds, _AT_ONCE):
            drawn = range(min(_AT_ONCE, self._rounds - start))
            chosen = [rng.integers(0, self.size, self.size) for _ in drawn]
            yield np.stack([np.bincount(c, minlength=self.size) for c in chosen]).astype(float)

    def sums(self, parts: Floats) -> Floats:
        """Sums of `parts` [turns, parts] over each resample: [1 + rounds, parts]."""
        by_session = np.zeros((self.size, parts.shape[1]))
        np.add.at(by_session, self.codes, parts)
        return np.concatenate([times @ by_session for times in self.times()])


def agreement(
    truth: Sequence[bool],
    predicted: Sequence[bool],
    sessions: Sequence[str],
    *,
    scores: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
    rounds: int = ROUNDS,
    minimum: int = MIN_POSITIVES,
) -> Agreement:
    """The figures of one yes or no; all sequences have one entry a turn.

    `scores` (any scale, higher is more likely) give the AUROC; `weights` undo a sampling in which
    some turns were likelier to be drawn; without `rounds` the figures have no interval.
    """
    y, p = np.array(truth, dtype=bool), np.array(predicted, dtype=bool)
    w = np.ones(len(y)) if weights is None else np.array(weights, dtype=float)
    counts = Agreement(
        turns=len(y),
        positives=int(y.sum()),
        true_positives=int((y & p).sum()),
        false_positives=int((~y & p).sum()),
        false_negatives=int((y & ~p).sum()),
        positive_rate=float((w * y).sum() / w.sum()) if len(y) else 0.0,
    )
    if counts.positives < max(1, minimum):
        return counts
    samples = Resampling(sessions, rounds)
    precision, recall, f1, kappa = _binary_figures(y, p, w, samples)
    auroc = () if scores is None else estimate_of(_aurocs(y, np.array(scores), w, samples))
    return replace(
        counts,
        is_measured=True,
        precision=precision,
        recall=recall,
        f1=f1,
        kappa=kappa,
        auroc=auroc,
    )


def binary_kappa(
    truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_], weights: Floats
) -> float:
    """Cohen's kappa of two yes or no; NaN where both say the same of everything."""
    pairs = [truth & predicted, ~truth & predicted, truth & ~predicted, ~truth & ~predicted]
    return float(_kappas(np.array([[weights[pair].sum() for pair in pairs]]))[0])


def severity_kappa(
    labelled: Sequence[int],
    predicted: Sequence[int],
    sessions: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    rounds: int = ROUNDS,
) -> Floats:
    """Linearly weighted kappa of severities 0 to 3 in each resample: [1 + rounds]."""
    cells = np.zeros((len(labelled), _LEVELS * _LEVELS))
    places = np.array(labelled) * _LEVELS + np.array(predicted)
    cells[np.arange(len(labelled)), places] = 1.0 if weights is None else np.array(weights)
    sums = Resampling(sessions, rounds).sums(cells).reshape(-1, _LEVELS, _LEVELS)
    levels = np.arange(_LEVELS)
    distance = np.abs(levels[:, None] - levels[None, :])
    totals = sums.sum(axis=(1, 2))
    expected = sums.sum(axis=2)[:, :, None] * sums.sum(axis=1)[:, None, :]
    by_chance = (expected * distance).sum(axis=(1, 2))
    return 1 - _ratio((sums * distance).sum(axis=(1, 2)) * totals, by_chance)


def estimate_of(values: Floats) -> Estimate:
    """The first value, with the 95 % interval of the others; NaN is no value."""
    value, drawn = values[0], values[1:]
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value):
        return ()
    bounds = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else ()
    return (float(value), *(float(bound) for bound in bounds))


def rounded(estimate: Estimate, digits: int = 3) -> list[float]:
    """For JSON and text."""
    return [round(value, digits) for value in estimate]


def _binary_figures(
    y: npt.NDArray[np.bool_], p: npt.NDArray[np.bool_], w: Floats, samples: Resampling
) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Precision, recall, F1 and kappa."""
    pairs = np.stack([y & p, ~y & p, y & ~p, ~y & ~p], axis=1)
    sums = samples.sums(pairs * w[:, None])
    hits, false, missed = sums[:, 0], sums[:, 1], sums[:, 2]
    return (
        estimate_of(_ratio(hits, hits + false)),
        estimate_of(_ratio(hits, hits + missed)),
        estimate_of(_ratio(2 * hits, 2 * hits + false + missed)),
        estimate_of(_kappas(sums)),
    )


def _kappas(sums: Floats) -> Floats:
    """Kappa of each row of (both, predicted only, labelled only, neither)."""
    both, false, missed, neither = sums.T
    total = sums.sum(axis=1)
    by_chance = (both + false) * (both + missed) + (missed + neither) * (false + neither)
    return _ratio((both + neither) * total - by_chance, total * total - by_chance)


def _aurocs(y: npt.NDArray[np.bool_], s: Floats, w: Floats, samples: Resampling) -> Floats:
    order = np.argsort(s, kind="stable")
    y, w, codes = y[order], w[order], samples.codes[order]
    ties = np.flatnonzero(np.diff(s[order], prepend=-np.inf))
    return np.concatenate([_aurocs_of(times[:, codes] * w, y, ties) for times in samples.times()])


def _aurocs_of(weights: Floats, y: npt.NDArray[np.bool_], ties: npt.NDArray[np.intp]) -> Floats:
    """`weights` [resamples, turns] in the order of the scores; `ties`: where each score begins."""
    above = np.add.reduceat(weights * y, ties, axis=1)
    below = np.add.reduceat(weights * ~y, ties, axis=1)
    before = np.cumsum(below, axis=1) - below
    ranked = (above * (before + below / 2)).sum(axis=1)
    return _ratio(ranked, above.sum(axis=1) * below.sum(axis=1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    defined = np.where(whole > 0, whole, np.nan)
    ratio: Floats = part / defined
    return ratio
