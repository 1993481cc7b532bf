"""Unserved requests by their distinct abstracts, few however many requests there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facets.region import Mask, Region, Vectors, Weights

RESAMPLES = 10
KEPT_SHARE = 0.8


@dataclass(frozen=True)
class RequestCorpus:
    """Requests with the unit row of each one's abstract; equal abstracts have equal rows.

    `probes` are unit rows of abstracts that nobody may have asked for, by topic.
    """

    requests: pl.DataFrame
    vectors: Vectors
    probes: Mapping[str, Vectors]
    seed: int

    @cached_property
    def topics(self) -> NDArray[Any]:
        return self.requests["topic"].to_numpy()

    @cached_property
    def codes(self) -> NDArray[np.intp]:
        """The place in `rows` of each request's abstract."""
        return np.unique(self.requests["abstract"].to_numpy(), return_inverse=True)[1]

    @cached_property
    def rows(self) -> Vectors:
        """A unit row for each distinct abstract, then one for each probe."""
        first = np.unique(self.requests["abstract"].to_numpy(), return_index=True)[1]
        return np.vstack([self.vectors[first], *self.probes.values()]).astype(np.float64)

    @cached_property
    def resamples(self) -> list[Mask]:
        """Which requests are kept where a fifth of the sessions is left out, whole."""
        return [self._kept(KEPT_SHARE, self.seed + number) for number in range(RESAMPLES)]

    @cached_property
    def half(self) -> Mask:
        """The requests of half of the sessions."""
        return self._kept(0.5, self.seed + RESAMPLES)

    def counted(self, requests: Mask) -> Weights:
        """How many of these requests there are at each row."""
        return np.bincount(self.codes[requests], minlength=len(self.rows))

    def inside(self, region: Region) -> Mask:
        """Which requests lie inside."""
        found: Mask = region.holds(self.rows)[self.codes]
        return found

    def _kept(self, share: float, seed: int) -> Mask:
        names, owner = np.unique(self.requests["session_key"].to_numpy(), return_inverse=True)
        drawn = np.random.default_rng(seed).permutation(len(names))
        found: Mask = np.isin(owner, drawn[: max(1, round(share * len(names)))])
        return found
