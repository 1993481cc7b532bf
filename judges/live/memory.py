"""What is remembered of a turn: hashes of its words and names of evidence, nothing that it said."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from judges.rules.evidence import Evidence, present
from judges.rules.prose import Turn
from judges.rules.restatement import content_words, words_overlap

MAX_NOTES = 50
"""Turns that are remembered."""
RESTATED = 0.5
"""Share of words from which a turn states an earlier one's wish again, as in the rules."""

_MAX_WORDS = 200
_REMEMBERED = (
    "stopped",
    "agent_claims",
    "failure_after_claim",
    "says_failure",
    "pastes_failure",
    "says_escalation",
)


@dataclass(frozen=True, slots=True)
class TurnNote:
    """One turn of the person."""

    ref: str
    """A hash that tells the turn from others."""
    words: frozenset[str]
    """Salted hashes of its content words, 200 at most."""
    evidence: frozenset[str]
    """Names of the evidence that later turns are held against."""
    score: float
    """Friction score in [0, 1]."""
    is_friction: bool

    def has(self, *names: str) -> bool:
        """Whether any of the evidence was there."""
        return any(name in self.evidence for name in names)


def note_of(turn: Turn, evidence: Evidence, score: float, point: float, salt: bytes) -> TurnNote:
    """The note of a turn that was scored."""
    return TurnNote(
        hashed(salt, f"{turn.prose}\n{turn.pasted}"),
        hashed_words(turn, salt),
        frozenset(name for name in _REMEMBERED if present(evidence, name)),
        round(score, 4),
        score >= point,
    )


def hashed_words(turn: Turn, salt: bytes) -> frozenset[str]:
    """The turn's content words as salted hashes; of long turns the same sample each time."""
    return frozenset(sorted(hashed(salt, word) for word in content_words(turn.prose))[:_MAX_WORDS])


def times_stated(note: TurnNote, earlier: Iterable[TurnNote]) -> int:
    """How often the wish of a turn was stated, this time included."""
    return 1 + sum(words_overlap(note.words, before.words) >= RESTATED for before in earlier)


@lru_cache(maxsize=4096)
def hashed(salt: bytes, text: str) -> str:
    """12 hexadecimal characters that only the holder of the salt can compare."""
    return hmac.new(salt, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:12]
