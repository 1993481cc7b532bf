"""Groups of what maps to no value: as coarse as the schema's own values are.

Where to cut the tree of the unmapped is learned from what is known: the cut at which members of the
known values, mixed, come apart into these values best. Several clusters of one novelty are one
group: those that are near but for their sizes, and those that are told by the same words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from facets.clustering_regions import NOISE, Labels, Vectors
from facets.evolution_words import Words
from facets.mapping import ALPHA, UNMAPPED, Metric, Values, within_values

MIN_OWN_WORDS = 1.0
"""Words a member, on average, beyond what the known values explain."""
_TELLING = 3
"""Sessions from which on a group without words of its own is taken to have none."""
_SAMPLED = 40
"""Members of each known value that the cut is learned on."""
_MIN_SAMPLED = 5
_CUTS = 60
_LARGEST = 2_000
"""Items that the tree is made of; more are given to the nearest group."""
_MOST_WEIGHT = _SAMPLED // 2
"""No group counts as larger when two are held together: Ward's distance grows with the sizes."""
_DEFAULT_CUT = 0.7
"""Where fewer than two values are known well enough to learn from."""
_SAME_WORDS = 0.5
"""Cosine of two groups' own words from which on they are one."""

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Unmapped:
    """What maps to no value, in the metric of the known values, ready to be grouped."""

    members: NDArray[np.intp]
    """Positions among all items."""
    rows: Rows
    cut: float
    words: Words

    @classmethod
    def of(
        cls,
        vectors: Vectors,
        values: Values,
        sessions: Sequence[str],
        p_values: NDArray[np.float64],
        words: Words,
        *,
        seed: int = 0,
    ) -> Self:
        """The unmapped whose p-value is small; all of them where nothing was calibrated (NaN)."""
        members = np.flatnonzero((values == UNMAPPED) & ~(p_values > ALPHA))
        metric, cut = _learned(vectors, values, sessions, np.random.default_rng(seed))
        return cls(members, metric.rows(vectors[members]), cut, words)

    def coarser(self, factor: float) -> "Unmapped":
        """The same, to be cut that much higher."""
        return replace(self, cut=self.cut * factor)

    def without(self, members: NDArray[np.intp]) -> "Unmapped":
        """The same but for some items."""
        kept = ~np.isin(self.members, members)
        return replace(self, members=self.members[kept], rows=self.rows[kept])

    def wordless(self, *, seed: int = 0) -> NDArray[np.intp]:
        """Members of the groups that no word tells: the more of them the less they are new."""
        labels = self.groups(seed=seed)
        parts = [np.flatnonzero(labels == part) for part in range(int(labels.max(initial=-1)) + 1)]
        none = [
            part
            for part in parts
            if self.words.sessions(part) >= _TELLING
            and self.words.own(part).sum() < MIN_OWN_WORDS / 2
        ]
        return np.concatenate([np.empty(0, dtype=np.intp), *none])

    def groups(self, drawn: NDArray[np.bool_] | None = None, *, seed: int = 0) -> Labels:
        """The group of each item, by falling size; NOISE for what maps, or was not `drawn`."""
        labels = np.full(self.words.held.shape[0], NOISE)
        chosen = (
            np.arange(len(self.members)) if drawn is None else np.flatnonzero(drawn[self.members])
        )
        if len(chosen) < 2:
            return labels
        parts = _grouped(self.rows[chosen], self.cut, np.random.default_rng(seed))
        labels[self.members[chosen]] = parts
        return _by_size(self._with_same_words(labels))

    def _with_same_words(self, labels: Labels) -> Labels:
        """Groups with the same words of their own become one."""
        count = int(labels.max()) + 1
        own = np.stack([self.words.own(np.flatnonzero(labels == part)) for part in range(count)])
        own[own.sum(axis=1) < MIN_OWN_WORDS] = 0
        lengths = np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        alike = (own / lengths) @ (own / lengths).T >= _SAME_WORDS
        owner = np.arange(count)
        for first, second in zip(*np.nonzero(np.triu(alike, 1)), strict=True):
            owner[owner == owner[second]] = owner[first]
        return np.where(labels == NOISE, NOISE, owner[labels])


def _learned(
    vectors: Vectors, values: Values, sessions: Sequence[str], rng: np.random.Generator
) -> tuple[Metric, float]:
    """The metric of one half of the sessions, and the cut that parts the values of the other."""
    names, owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)
    in_first = (rng.permutation(len(names)) < len(names) / 2)[owner]
    metric, cuts = None, []
    for half in (in_first, ~in_first):
        sample = _sample(values, ~half, rng)
        if len(np.unique(values[sample])) > 1:
            metric = within_values(vectors[half], values[half])
            cuts.append(_best_cut(metric.rows(vectors[sample]), values[sample]))
    if metric is None:
        return within_values(vectors, values), _DEFAULT_CUT
    return metric, float(np.mean(cuts))


def _sample(
    values: Values, allowed: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.intp]:
    parts = [
        rng.permutation(rows)[:_SAMPLED]
        for name in np.unique(values[values != UNMAPPED])
        if len(rows := np.flatnonzero((values == name) & allowed)) >= _MIN_SAMPLED
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)


def _best_cut(rows: Rows, truth: Values) -> float:
    tree = linkage(rows, "ward")
    heights = np.quantile(tree[:, 2], np.linspace(0.5, 1, _CUTS))
    fits = [adjusted_rand_score(truth, fcluster(tree, cut, "distance")) for cut in heights]
    return float(heights[int(np.argmax(fits))])


def _grouped(rows: Rows, cut: float, rng: np.random.Generator) -> Labels:
    """Ward's groups below the cut, then those that are near but for their size put together."""
    fitted = np.sort(rng.permutation(len(rows))[:_LARGEST])
    parts = fcluster(linkage(rows[fitted], "ward"), cut, "distance") - 1
    sizes = np.bincount(parts).astype(np.float64)
    owner = _joined(_centres(rows[fitted], parts), sizes, cut)
    labels = np.full(len(rows), NOISE)
    labels[fitted] = owner[parts]
    rest = np.flatnonzero(labels == NOISE)
    whole = _centres(rows[fitted], owner[parts])
    labels[rest] = (rows[rest] @ whole.T - (whole**2).sum(axis=1) / 2).argmax(axis=1)
    return labels


def _centres(rows: Rows, labels: NDArray[np.integer]) -> Rows:
    return np.stack([rows[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def _joined(centres: Rows, sizes: Rows, cut: float) -> Labels:
    """For each part the whole that it belongs to; the nearest two first, while below the cut."""
    centres, sizes = centres.copy(), sizes.copy()
    owner = np.arange(len(centres))
    distances = np.stack([_capped_ward(row, centres, sizes) for row in range(len(centres))])
    while True:
        first, second = sorted(divmod(int(distances.argmin()), len(centres)))
        if not distances[first, second] <= cut:
            return np.unique(owner, return_inverse=True)[1].astype(np.int64)
        weights = sizes[[first, second]] / sizes[[first, second]].sum()
        centres[first] = weights @ centres[[first, second]]
        sizes[first] += sizes[second]
        owner[owner == second] = first
        distances[first] = distances[:, first] = _capped_ward(first, centres, sizes)
        gone = owner[np.arange(len(owner))] != np.arange(len(owner))
        distances[gone] = distances[:, gone] = np.inf


def _capped_ward(row: int, centres: Rows, sizes: Rows) -> Rows:
    """Distances of one part to all; itself at infinity."""
    weight = np.minimum(sizes, _MOST_WEIGHT)
    apart = np.linalg.norm(centres - centres[row], axis=1)
    distances: Rows = apart * np.sqrt(2 * weight[row] * weight / (weight[row] + weight))
    distances[row] = np.inf
    return distances


def _by_size(labels: Labels) -> Labels:
    """Numbered by falling size, equal ones by their first item; NOISE stays."""
    inside = labels != NOISE
    names, firsts, sizes = np.unique(labels[inside], return_index=True, return_counts=True)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.lexsort((firsts, -sizes))] = np.arange(len(names))
    numbered = labels.copy()
    numbered[inside] = rank[np.searchsorted(names, labels[inside])]
    return numbered
