"""A region of the embedding space: how a new item is told to belong without clustering again."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

OUTSIDE = -1
_TOLERANCE = 1e-6
"""A cosine differs by rounding between batches; the outermost member stays inside all the same."""
_CHUNK = 16_384
"""Rows at a time: 50 MB of 384 dimensions."""


class Prototype(BaseModel):
    """A cap of the unit sphere: everything within `reach` of a centroid."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    """Id of the embedding model; vectors of another one are never inside."""
    centroid: tuple[float, ...] = Field(min_length=1)
    """Unit vector."""
    reach: float = Field(ge=-1, le=1)
    """Cosine to the centroid from which on an item is inside."""

    @model_validator(mode="after")
    def _is_unit(self) -> Self:
        if not np.isclose(np.linalg.norm(self.centroid), 1, atol=1e-3):
            raise ValueError("the centroid is not a unit vector")
        return self


def assign(vectors: NDArray[np.floating], prototypes: Sequence[Prototype]) -> NDArray[np.int64]:
    """For each unit row, shape (n, d), the prototype it lies inside, the nearest; else OUTSIDE.

    A row with NaN, an item without a vector, lies outside of all. The prototypes are of the model
    that the vectors are of.
    """
    found = np.full(len(vectors), OUTSIDE, dtype=np.int64)
    if not prototypes:
        return found
    centroids = np.array([prototype.centroid for prototype in prototypes], dtype=np.float64)
    reaches = np.array([prototype.reach for prototype in prototypes])
    for start in range(0, len(vectors), _CHUNK):
        rows = vectors[start : start + _CHUNK].astype(np.float64)
        found[start : start + _CHUNK] = _nearest(rows @ centroids.T, reaches)
    return found


def _nearest(cosines: NDArray[np.float64], reaches: NDArray[np.float64]) -> NDArray[np.int64]:
    inside = np.where(cosines >= reaches - _TOLERANCE, cosines, -np.inf)  # NaN is inside of none
    nearest = inside.argmax(axis=1)
    is_inside = inside[np.arange(len(nearest)), nearest] > -np.inf
    return np.where(is_inside, nearest, OUTSIDE)
