"""Corpora with known clusters, made from seeds."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facets.evolution import ITEMS_SCHEMA

DIMENSIONS = 384


class Corpus(NamedTuple):
    """Unit rows and the kind each was made from; -1 is planted noise."""

    vectors: NDArray[np.float64]
    kinds: NDArray[np.int64]


def make_corpus(sizes: list[int], noise: int, *, seed: int = 7) -> Corpus:
    """Kinds of the given sizes around random directions, and noise in no direction."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(sizes), DIMENSIONS))
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    rows = centres[kinds] + 0.5 * rng.normal(size=(len(kinds), DIMENSIONS))
    vectors = np.concatenate([rows, rng.normal(size=(noise, DIMENSIONS))])
    return Corpus(
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        np.concatenate([kinds, np.full(noise, -1)]),
    )


def make_items(
    kinds: NDArray[np.int64], texts: list[str], types: list[str], *, users: int = 4
) -> pl.DataFrame:
    """An item for each kind number: its text and type, each in a session of its own."""
    rows = [
        (f"m{n}", f"{texts[kind]} {n}", types[kind], f"s{n}", f"u{n % users}", True)
        for n, kind in enumerate(kinds.tolist())
    ]
    return pl.DataFrame(rows, schema=ITEMS_SCHEMA, orient="row")
