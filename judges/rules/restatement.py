"""How much of a turn the person had said before, in an earlier turn."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources

import numpy as np

from judges.rules.prose import Turn

Embed = Callable[[Sequence[str]], np.ndarray]

MIN_WORDS = 4
"""Shorter turns are commands and answers, whose repetition means nothing."""
_EMBEDDING_FLOOR = 0.55
"""Cosine below which two turns of one session are merely about the same project."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
# Words without content, the most frequent of a few languages and of talk about code.
_EMPTY_WORDS = frozenset(
    resources.files(__package__).joinpath("empty_words.txt").read_text(encoding="utf-8").split()
)


def restatement(turn: Turn, earlier: Sequence[Turn], embed: Embed | None = None) -> float:
    """Likeness to the most similar earlier turn in [0, 1]; 0 for short turns."""
    words = _content(turn.prose)
    if len(words) < MIN_WORDS or not earlier:
        return 0.0
    overlap = max(_overlap(words, _content(before.prose)) for before in earlier)
    if embed is None:
        return overlap
    return max(overlap, _cosine(turn.prose, [t.prose for t in earlier if t.prose], embed))


@lru_cache(maxsize=256)  # each turn is read once, and held against the turns after it
def _content(text: str) -> frozenset[str]:
    lowered = text.lower()[:4_000]
    pairs = {run[i : i + 2] for run in _SPACELESS.findall(lowered) for i in range(len(run) - 1)}
    words = {w for w in _WORD.findall(lowered) if w not in _EMPTY_WORDS and not _SPACELESS.match(w)}
    return frozenset(words | pairs)


def _overlap(words: frozenset[str], before: frozenset[str]) -> float:
    """Share of the smaller turn's words that both hold; long turns must not swallow short ones."""
    smaller = min(len(words), len(before))
    if smaller < MIN_WORDS or max(len(words), len(before)) > 6 * smaller:
        return 0.0
    return len(words & before) / smaller


def _cosine(prose: str, earlier: Sequence[str], embed: Embed) -> float:
    if not earlier:
        return 0.0
    vectors = embed([prose, *earlier])
    nearest = float(np.max(vectors[1:] @ vectors[0]))
    return min(1.0, max(0.0, (nearest - _EMBEDDING_FLOOR) / (1 - _EMBEDDING_FLOOR)))
