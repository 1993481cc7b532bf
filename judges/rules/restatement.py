"""How much of a turn the person had said before, in an earlier turn."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from judges.rules.prose import Turn

if TYPE_CHECKING:
    import numpy as np  # slow to import, and not needed where nothing is embedded

Embed = Callable[[Sequence[str]], "np.ndarray"]
"""Texts in, unit rows out; a row of NaN where the model does not read the text's language."""

MIN_WORDS = 4
"""Shorter turns are commands and answers, whose repetition means nothing."""
MAX_EMBEDDED_CHARS = 2_000
"""More than a sentence model reads of a text (256 word pieces of the packaged one)."""
# Cosines of the packaged model between an English wish and the next wish about the same thing end
# about where the first begins; the wish itself in other words begins where the second stands.
_UNLIKE, _LIKE = 0.5, 0.8
_DIGITS = 2
"""Cosines are rounded to it: how texts are put together in batches moves later digits."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
# Words without content, the most frequent of a few languages and of talk about code.
_EMPTY_WORDS = frozenset(
    Path(__file__).with_name("empty_words.txt").read_text(encoding="utf-8").split()
)


def restatement(turn: Turn, earlier: Sequence[Turn]) -> float:
    """Share of words with the most similar earlier turn in [0, 1]; 0 for short turns."""
    words = content_words(turn.prose)
    if len(words) < MIN_WORDS or not earlier:
        return 0.0
    return max(words_overlap(words, content_words(before.prose)) for before in earlier)


def restatement_of_meaning(turn: Turn, earlier: Sequence[Turn], embed: Embed) -> float | None:
    """Likeness of meaning to the most similar earlier turn in [0, 1]; 0 for short turns.

    None where the model does not read the turn, or none of the earlier ones.
    """
    texts = embeddable([turn])
    before = embeddable(earlier)
    if not texts or not before:
        return 0.0
    vectors = embed([*texts, *before])
    cosines = [float(cosine) for cosine in vectors[1:] @ vectors[0]]
    known = [cosine for cosine in cosines if not math.isnan(cosine)]
    return _likeness(max(known)) if known else None


def embeddable(turns: Iterable[Turn]) -> list[str]:
    """What is embedded of turns: as much of their prose as a model reads, where it says enough."""
    said = (turn.prose for turn in turns if len(content_words(turn.prose)) >= MIN_WORDS)
    return [prose[:MAX_EMBEDDED_CHARS] for prose in said]


@lru_cache(maxsize=256)  # each turn is read once, and held against the turns after it
def content_words(text: str) -> frozenset[str]:
    """The words of a text that say something; pairs of characters in scripts without spaces."""
    lowered = text.lower()[:4_000]
    pairs = {run[i : i + 2] for run in _SPACELESS.findall(lowered) for i in range(len(run) - 1)}
    words = {w for w in _WORD.findall(lowered) if w not in _EMPTY_WORDS and not _SPACELESS.match(w)}
    return frozenset(words | pairs)


def words_overlap(words: frozenset[str], before: frozenset[str]) -> float:
    """Share of the smaller turn's words that both hold; long turns must not swallow short ones."""
    smaller = min(len(words), len(before))
    if smaller < MIN_WORDS or max(len(words), len(before)) > 6 * smaller:
        return 0.0
    return len(words & before) / smaller


def _likeness(cosine: float) -> float:
    return min(1.0, max(0.0, (round(cosine, _DIGITS) - _UNLIKE) / (_LIKE - _UNLIKE)))
