"""Whether a name tells its cluster from its neighbours, and which of several names does.

Members that the name was not made from are given to the cluster whose name and definition their
vector is nearest to, among the nearest neighbours. A name by which too few come back gives way to
the next candidate; where none is left the best one stays and is called not distinctive.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facets.clustering_regions import NOISE, Labels, Vectors, centroids_of

NEIGHBOURS = 5
HELD_OUT = 30
"""Members at most that a name is checked on."""
HELD_OUT_SHARE = 1 / 3
FEW_DISTINCT = 3
"""Below so many distinct texts nothing is held out: the name is checked on what it was made of."""
LEAST_ACCURACY = 0.5
NOT_DISTINCTIVE = "name not distinctive"
_TIE = 1e-6
_Z = 1.2816
"""Of the one-sided 90 % interval: a hit or two among as many names may be chance."""

Embed = Callable[[Sequence[str]], Vectors]
Origin = Literal["model", "terms"]


class NameCandidate(NamedTuple):
    """A name that a cluster may be given, and a sentence that says what belongs to it."""

    name: str
    definition: str
    origin: Origin

    @property
    def label(self) -> str:
        """What stands for the cluster where a text is assigned by name."""
        return f"{self.name}: {self.definition}"


class CheckedName(NamedTuple):
    """A name and how well it tells its cluster."""

    name: str
    definition: str
    origin: Origin
    accuracy: float | None
    """Share of the held-out members that come back; None: there is no neighbour to tell it from."""
    chance: float | None
    """The share that guessing among the same names brings back."""
    held_out: int
    """Members it was measured on; 0: on those that it was made from, for want of others."""
    is_distinctive: bool | None
    """None: not measured."""


@dataclass(frozen=True)
class ClusteredTexts:
    """Abstracts with their unit rows and clusters 0 to count-1; -1 is noise.

    Equal texts count once. A third of each cluster's texts is held out of naming: drawn by a hash,
    so that a text that was held out in one run is held out in the next.
    """

    texts: Sequence[str]
    vectors: Vectors
    labels: Labels
    count: int
    seed: int = 0

    def shown(self, cluster: int) -> list[int]:
        """Places of the distinct texts that a name may be made from, the most central first."""
        return [place for place in self._distinct[cluster] if place not in self._held]

    def tested(self, cluster: int) -> list[int]:
        """Places of the texts that its name is checked on."""
        held = [place for place in self._distinct[cluster] if place in self._held]
        return held[:HELD_OUT] or self._distinct[cluster][:HELD_OUT]

    def is_tested(self, place: int) -> bool:
        """Whether a text is held out: no name is made with it, neither as a member nor beside."""
        return place in self._held

    def is_held_out(self, cluster: int) -> bool:
        """Whether those are others than the name is made from."""
        return any(place in self._held for place in self._distinct[cluster])

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """The nearest other clusters of each, the nearest first, shape (count, at most 5)."""
        cosines = (self.centroids @ self.centroids.T).round(9)
        np.fill_diagonal(cosines, -np.inf)
        return np.argsort(-cosines, axis=1, kind="stable")[:, : min(NEIGHBOURS, self.count - 1)]

    @cached_property
    def centroids(self) -> NDArray[np.float64]:
        """Unit rows."""
        return centroids_of(self.vectors, np.asarray(self.labels), self.count)

    @cached_property
    def _distinct(self) -> list[list[int]]:
        """The first place of each distinct text of a cluster, the most central first."""
        first: list[dict[str, int]] = [{} for _ in range(self.count)]
        for place, (text, label) in enumerate(zip(self.texts, self.labels, strict=True)):
            if label != NOISE:
                first[int(label)].setdefault(text, place)
        return [self._by_nearness(cluster, list(found.values())) for cluster, found in
                enumerate(first)]  # fmt: skip

    def _by_nearness(self, cluster: int, places: list[int]) -> list[int]:
        nearness = (self.vectors[places] @ self.centroids[cluster]).round(6)
        ordered = sorted(
            zip(places, nearness.tolist(), strict=True),
            key=lambda pair: (-pair[1], self.texts[pair[0]]),
        )
        return [place for place, _ in ordered]

    @cached_property
    def _held(self) -> frozenset[int]:
        held: set[int] = set()
        for places in self._distinct:
            if len(places) >= FEW_DISTINCT:
                number = max(1, round(HELD_OUT_SHARE * len(places)))
                held |= set(sorted(places, key=self._draw)[:number])
        return frozenset(held)

    def _draw(self, place: int) -> str:
        return hashlib.sha256(f"{self.seed}|{self.texts[place]}".encode()).hexdigest()


def choose_names(
    items: ClusteredTexts, candidates: Mapping[int, Sequence[NameCandidate]], embed: Embed
) -> dict[int, CheckedName]:
    """A name for each cluster: the first of its candidates that is distinctive, no name twice.

    A change of one name is felt by its neighbours, so that all are checked again after it. Where
    no candidate is distinctive, the one by which most members came back stands.
    """
    vectors = _Labels(embed, candidates)
    chosen = {cluster: 0 for cluster in candidates}
    best = {cluster: (-1.0, 0) for cluster in candidates}
    found = _checked(items, candidates, chosen, vectors)
    while moving := _failing(found, candidates, chosen):
        for cluster in moving:
            best[cluster] = max(best[cluster], (found[cluster].accuracy or 0.0, -chosen[cluster]))
            chosen[cluster] += 1
        found = _checked(items, candidates, chosen, vectors)
    for cluster, name in found.items():
        if name.is_distinctive is False:
            last = (name.accuracy or 0.0, -chosen[cluster])
            chosen[cluster] = -max(best[cluster], last)[1]
    return _brought_back(items, candidates, chosen, vectors)


def passes(accuracy: float, chance: float, tested: int) -> bool:
    """Whether so many members came back that the name, and not chance, told them."""
    spread = _Z**2 / tested
    middle = accuracy + spread / 2
    margin = _Z * float(np.sqrt(accuracy * (1 - accuracy) / tested + spread / (4 * tested)))
    low = (middle - margin) / (1 + spread)
    return accuracy >= LEAST_ACCURACY and low > chance


def _brought_back(
    items: ClusteredTexts,
    candidates: Mapping[int, Sequence[NameCandidate]],
    chosen: dict[int, int],
    labels: "_Labels",
) -> dict[int, CheckedName]:
    """The names after each cluster had an earlier candidate back that now tells it.

    Two that are named alike give way at once, where one would have been enough.
    """
    found = _checked(items, candidates, chosen, labels)
    for cluster in [one for one, place in chosen.items() if place]:
        for earlier in range(chosen[cluster]):
            tried = _checked(items, candidates, {**chosen, cluster: earlier}, labels)
            if tried[cluster].is_distinctive and _distinctive(tried) >= _distinctive(found):
                chosen[cluster], found = earlier, tried
                break
    return found


def _distinctive(found: Mapping[int, CheckedName]) -> int:
    return sum(one.is_distinctive is True for one in found.values())


class _Labels:
    """Vectors of all candidates' labels, embedded at once."""

    def __init__(self, embed: Embed, candidates: Mapping[int, Sequence[NameCandidate]]) -> None:
        labels = list(dict.fromkeys(one.label for some in candidates.values() for one in some))
        self._rows = dict(zip(labels, embed(labels), strict=True)) if labels else {}

    def of(self, candidates: Iterable[NameCandidate]) -> Vectors:
        return np.stack([self._rows[one.label] for one in candidates])


def _checked(
    items: ClusteredTexts,
    candidates: Mapping[int, Sequence[NameCandidate]],
    chosen: Mapping[int, int],
    labels: _Labels,
) -> dict[int, CheckedName]:
    named = {cluster: candidates[cluster][place] for cluster, place in chosen.items()}
    return {
        cluster: _check(items, cluster, named, labels, taken)
        for cluster, taken in _with_taken(named)
    }


def _with_taken(named: Mapping[int, NameCandidate]) -> list[tuple[int, bool]]:
    """Each cluster, and whether one before it has the same name."""
    seen: set[str] = set()
    found = []
    for cluster, one in named.items():
        found.append((cluster, one.name in seen))
        seen.add(one.name)
    return found


def _check(
    items: ClusteredTexts,
    cluster: int,
    named: Mapping[int, NameCandidate],
    labels: _Labels,
    is_taken: bool,
) -> CheckedName:
    own = named[cluster]
    rivals = [int(other) for other in items.neighbours[cluster] if int(other) in named]
    tested = items.tested(cluster)
    held_out = len(tested) if items.is_held_out(cluster) else 0
    if not rivals or not tested:
        return CheckedName(*own, None, None, held_out, None)
    rows = labels.of([own, *(named[other] for other in rivals)])
    cosines = items.vectors[tested] @ rows.T
    # As near to another's name is not told from it.
    accuracy = float((cosines[:, 0] > cosines[:, 1:].max(axis=1) + _TIE).mean())
    chance = 1 / len(rows)
    is_distinctive = passes(accuracy, chance, len(tested)) and not is_taken
    return CheckedName(*own, accuracy, chance, held_out, is_distinctive)


def _failing(
    found: Mapping[int, CheckedName],
    candidates: Mapping[int, Sequence[NameCandidate]],
    chosen: Mapping[int, int],
) -> list[int]:
    """Clusters whose name fails and that have another."""
    return [
        cluster
        for cluster, name in found.items()
        if name.is_distinctive is False and chosen[cluster] + 1 < len(candidates[cluster])
    ]
