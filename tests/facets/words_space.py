"""A space in which texts are near that share words: stands in for an embedding model."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256


def embed_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """A unit row for each text: the sum of a fixed random direction for each of its words."""
    rows = [
        np.sum([_direction(word) for word in re.findall(r"\w+", text.lower())] or [_direction("")],
               axis=0)
        for text in texts
    ]  # fmt: skip
    found = np.array(rows, dtype=np.float32).reshape(-1, DIMENSIONS)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def _direction(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=DIMENSIONS)
