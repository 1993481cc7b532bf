"""A region of the embedding space: how a new item is told to belong without clustering again."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

OUTSIDE = -1


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

    A row with NaN, an item without a vector, lies outside of all.
    """
    if not prototypes or not len(vectors):
        return np.full(len(vectors), OUTSIDE, dtype=np.int64)
    centroids = np.array([prototype.centroid for prototype in prototypes], dtype=np.float64)
    reaches = np.array([prototype.reach for prototype in prototypes])
    cosines = np.nan_to_num(vectors.astype(np.float64) @ centroids.T, nan=-2.0)
    inside = np.where(cosines >= reaches, cosines, -2.0)
    nearest = inside.argmax(axis=1)
    found = inside[np.arange(len(vectors)), nearest] >= -1
    return np.where(found, nearest, OUTSIDE)
