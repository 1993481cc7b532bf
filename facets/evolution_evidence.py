"""What speaks for a group of unmapped items: where it lies, and what that is worth elsewhere."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from facets.clustering_regions import Vectors
from facets.mapping import FOLDS, UNMAPPED, Values, within_values
from facets.prototype import Prototype

_FRINGE = 0.1
"""Share of a group's members that lie outside its region: each seen from the others."""
_MIN_MEMBERS = 2
_TINY = float(np.finfo(np.float64).tiny)

Unit = NDArray[np.float64]


class Region(NamedTuple):
    """Everything within `reach` (a cosine) of a unit `direction`."""

    direction: Unit
    reach: float

    def prototype(self, model: str) -> Prototype:
        """As the schema keeps it; `model` made the vectors."""
        reach = float(np.clip(self.reach, -1, 1))
        return Prototype(model=model, centroid=tuple(self.direction.tolist()), reach=reach)

    def holds(self, vectors: Vectors) -> NDArray[np.bool_]:
        """Which unit rows lie inside."""
        inside: NDArray[np.bool_] = vectors @ self.direction >= self.reach
        return inside


class HeldOut(NamedTuple):
    """A region that some sessions gave, looked at in the others; over all folds together."""

    gain: float
    """Share of the unmapped items that are inside, less that of the known ones."""
    gain_bits: float
    """log2 of how many times likelier an unmapped item is inside than a known one."""
    recaptured: float
    """Share of the group's members of the other sessions that are inside."""
    unmapped_share: float
    """Share of all that is inside that carries no value."""

    @classmethod
    def nothing(cls) -> Self:
        """Of a group that was not looked at."""
        return cls(0.0, 0.0, 0.0, 0.0)

    def figures(self) -> dict[str, float]:
        """Rounded, as evidence."""
        return {name: round(value, 3) for name, value in self._asdict().items()}


def region_of(vectors: Vectors, values: Values, members: NDArray[np.intp]) -> Region:
    """The region in which a group's members lie and items of known values do not.

    The direction is Fisher's discriminant between the two, with the scatter within the known
    values: the mean of the members alone points to the contexts that all kinds come in.
    """
    return _Known.of(vectors, values).region(vectors[members])


def held_out(
    vectors: Vectors,
    values: Values,
    sessions: Sequence[str],
    groups: Sequence[NDArray[np.intp]],
    *,
    seed: int = 0,
) -> list[HeldOut]:
    """For each group what its region is worth in whole sessions left out, a fifth in turn."""
    names, owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)
    folds = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[owner]
    inside = np.zeros((len(groups), len(values)), dtype=bool)
    for fold in range(FOLDS):
        seen = folds != fold
        known = _Known.of(vectors[seen], values[seen])
        for row, members in enumerate(groups):
            learned = members[seen[members]]
            if len(learned) >= _MIN_MEMBERS:
                region = known.region(vectors[learned])
                inside[row, ~seen] = region.holds(vectors[~seen])
    return [_worth(one, values, members) for one, members in zip(inside, groups, strict=True)]


def coherence_of(vectors: Vectors, members: NDArray[np.intp]) -> tuple[Unit, float]:
    """The unit centroid of the members, and their mean cosine to it."""
    rows = vectors[members].astype(np.float64)
    centroid = rows.mean(axis=0)
    length = float(np.linalg.norm(centroid))
    return centroid / max(length, _TINY), length


class _Known(NamedTuple):
    """Where the items of known values lie, and what counts as near among them."""

    mean: Unit
    weight: NDArray[np.float64]
    """Inverse of the scatter within the values, shrunk; shape (d, d)."""

    @classmethod
    def of(cls, vectors: Vectors, values: Values) -> Self:
        known = values != UNMAPPED
        if not known.any():
            return cls(np.zeros(vectors.shape[1]), np.eye(vectors.shape[1]))
        matrix = within_values(vectors, values).matrix
        return cls(vectors[known].mean(axis=0, dtype=np.float64), matrix @ matrix)

    def region(self, vectors: Vectors) -> Region:
        """Of these members, as `region_of` says."""
        rows = vectors.astype(np.float64)
        direction = self.weight @ (rows.mean(axis=0) - self.mean)
        others = (rows.sum(axis=0) - rows) / max(1, len(rows) - 1) - self.mean
        seen_from_others = others @ self.weight
        lengths = np.maximum(np.linalg.norm(seen_from_others, axis=1), _TINY)
        scores = (seen_from_others * rows).sum(axis=1) / lengths
        unit = direction / max(float(np.linalg.norm(direction)), _TINY)
        return Region(unit, float(np.quantile(scores, _FRINGE)))


def _worth(inside: NDArray[np.bool_], values: Values, members: NDArray[np.intp]) -> HeldOut:
    unmapped = values == UNMAPPED
    captured, taken = int((inside & unmapped).sum()), int((inside & ~unmapped).sum())
    # Half an item more on both sides: none inside is little, not nothing.
    ours = (captured + 0.5) / (unmapped.sum() + 1)
    theirs = (taken + 0.5) / ((~unmapped).sum() + 1)
    return HeldOut(
        gain=captured / max(1, int(unmapped.sum())) - taken / max(1, int((~unmapped).sum())),
        gain_bits=float(np.log2(ours / theirs)),
        recaptured=float(inside[members].mean()),
        unmapped_share=captured / max(1, captured + taken),
    )
