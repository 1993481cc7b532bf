"""Whether items belong to a value of the schema: by a calibrated distance, not by their names.

An item that carries no value is held against the members of every value. Its score says how much
nearer it lies to other items without a value than to members of known values, in sessions other
than its own. The members of a value have the same score; the conformal p-value is the share of
them that score as high: small where the item is no member. Folds of whole sessions keep what is
scored apart from what the distance was fitted on. This is adaptive novelty detection (Marandon,
Lei, Mary, Roquain 2024, Annals of Statistics 52) with class-conditional calibration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facets.clustering_regions import Vectors

Values = NDArray[np.str_]
"""The value each item carries; UNMAPPED where it carries none."""

UNMAPPED = ""
ALPHA = 0.1
"""An item with a p-value above this for some value maps there."""
FOLDS = 5
NEIGHBOURS = 3
MIN_CALIBRATION = 20
"""Members from which on a value is calibrated by itself; smaller ones by the members of all."""
_MOST_MEMBERS = 600
_MOST_UNMAPPED = 3_000
"""A seeded choice of at most so many of a value, and of the unmapped, is compared with."""
_SHRINKAGE = 0.3
"""Of the scatter within values towards its mean over all directions."""


class Metric(NamedTuple):
    """A linear map after which the scatter within known values is the same in all directions."""

    matrix: NDArray[np.float64]

    def rows(self, vectors: Vectors) -> NDArray[np.float64]:
        """Unit rows in the space of the metric."""
        moved = vectors @ self.matrix
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        unit: NDArray[np.float64] = moved / np.maximum(lengths, np.finfo(np.float64).tiny)
        return unit


class Mapping(NamedTuple):
    """How each item stands to the known values."""

    p_values: NDArray[np.float64]
    """The largest over the values; NaN for items that carry one, and where it cannot be told."""
    nearest: Values
    """The value of the nearest member in another session; UNMAPPED where p is NaN."""

    def values(self, values: Values, alpha: float = ALPHA) -> Values:
        """The value each item carries, else the one that it maps to by distance, else UNMAPPED."""
        maps = (values == UNMAPPED) & (self.p_values > alpha)
        return np.where(maps, self.nearest, values)


def map_items(
    vectors: Vectors, values: Values, sessions: Sequence[str], *, seed: int = 0
) -> Mapping:
    """Hold every item that carries no value against the members of the values.

    Fewer than MIN_CALIBRATION items that carry one cannot tell: all is NaN then. `vectors` are
    unit rows, shape (n, d).
    """
    unmapped = values == UNMAPPED
    found = Mapping(np.full(len(values), np.nan), np.full(len(values), UNMAPPED, values.dtype))
    if (~unmapped).sum() < MIN_CALIBRATION or not unmapped.any():
        return found
    rng = np.random.default_rng(seed)
    references = _references(values, rng)
    scores = _scores(vectors, values, references, _folds(sessions, rng), found.nearest)
    found.p_values[unmapped] = _largest_p(scores, values, references)
    return found


def within_values(vectors: Vectors, values: Values) -> Metric:
    """The metric in which what varies within values counts little (WCCN, Hatch and others 2006).

    Contexts that every kind comes in, such as what the agent had done, are what varies there.
    """
    names = np.unique(values[values != UNMAPPED])
    centred = []
    for name in names:
        rows = _evenly(np.flatnonzero(values == name), _MOST_MEMBERS)
        members = vectors[rows].astype(np.float64)
        if len(members) > 1:
            centred.append(members - members.mean(axis=0))
    if not centred:
        return Metric(np.eye(vectors.shape[1]))
    scatter = np.concatenate(centred)
    return Metric(_whitening(scatter / np.sqrt(max(1, len(scatter) - len(centred)))))


def _whitening(scatter: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric map that shrinks directions by their strength in `scatter`, shape (n, d)."""
    dimensions = scatter.shape[1]
    if len(scatter) < dimensions:  # few rows: the directions that they do not reach have none
        _, lengths, rows = np.linalg.svd(scatter, full_matrices=False)
        strength, directions = lengths**2, rows.T
    else:
        strength, directions = np.linalg.eigh(scatter.T @ scatter)
    floor = _SHRINKAGE * max(float(strength.sum()) / dimensions, 1e-12)
    weight = np.sqrt(floor / (np.maximum(strength, 0) + floor))  # 1 where there is no scatter
    whitening: NDArray[np.float64] = (directions * (weight - 1)) @ directions.T + np.eye(dimensions)
    return whitening


def _evenly(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most `most` of `rows`, from all over them."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.intp)]


def _references(values: Values, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What is compared with, and calibrated on."""
    chosen = np.zeros(len(values), dtype=bool)
    for name in np.unique(values):
        rows = np.flatnonzero(values == name)
        most = _MOST_UNMAPPED if name == UNMAPPED else _MOST_MEMBERS
        chosen[rng.permutation(rows)[:most]] = True
    return chosen


def _folds(sessions: Sequence[str], rng: np.random.Generator) -> NDArray[np.intp]:
    names, owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)
    fold: NDArray[np.intp] = (rng.permutation(len(names)) % FOLDS)[owner]
    return fold


def _scores(
    vectors: Vectors,
    values: Values,
    references: NDArray[np.bool_],
    folds: NDArray[np.intp],
    nearest: Values,
) -> NDArray[np.float64]:
    """Nearness to the unmapped of other sessions less nearness to the known; NaN: not needed.

    Fills in `nearest` for the unmapped.
    """
    scores = np.full(len(values), np.nan)
    unmapped = values == UNMAPPED
    for fold in range(FOLDS):
        seen = references & (folds != fold)
        asked = np.flatnonzero((folds == fold) & (references | unmapped))
        metric = within_values(vectors[seen], values[seen])
        rows = metric.rows(vectors[asked])
        others = metric.rows(vectors[seen & unmapped])
        members = np.flatnonzero(seen & ~unmapped)
        known = rows @ metric.rows(vectors[members]).T
        scores[asked] = _nearness(rows @ others.T) - _nearness(known)
        new = unmapped[asked]
        if len(members):
            nearest[asked[new]] = values[members[known[new].argmax(axis=1)]]
    return scores


def _nearness(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row's third highest, its lowest where there are fewer; -1 where there are none."""
    count = cosines.shape[1]
    if not count:
        return np.full(len(cosines), -1.0)
    rank = count - min(NEIGHBOURS, count)
    nearness: NDArray[np.float64] = np.partition(cosines, rank, axis=1)[:, rank]
    return nearness


def _largest_p(
    scores: NDArray[np.float64], values: Values, references: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Over the values that have enough members, and over all known items together."""
    asked = scores[values == UNMAPPED]
    members = references & (values != UNMAPPED)
    groups = [members, *(members & (values == name) for name in np.unique(values[members]))]
    found = [_p(asked, scores[group]) for group in groups if group.sum() >= MIN_CALIBRATION]
    largest: NDArray[np.float64] = np.max(found, axis=0)
    return largest


def _p(asked: NDArray[np.float64], calibration: NDArray[np.float64]) -> NDArray[np.float64]:
    # Rounded, so that equal texts tie whatever the order of summation.
    ordered = np.sort(calibration.round(6))
    above = len(ordered) - np.searchsorted(ordered, asked.round(6), side="left")
    p: NDArray[np.float64] = (1 + above) / (1 + len(ordered))
    return p
