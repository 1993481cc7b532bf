"""What is remembered of a turn: hashes of its words and names of evidence, nothing that it said."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from agent_core.session import Step
from judges.rules.evidence import Evidence, present
from judges.rules.prose import MAX_TURN_CHARS, Turn
from judges.rules.restatement import content_words, words_overlap
from judges.rules.scoring import Scale

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


def note_of(step: Step, turn: Turn, evidence: Evidence, scale: Scale, salt: bytes) -> TurnNote:
    """The note of a turn, its words and the evidence of its segment."""
    score = scale.score(evidence)
    return TurnNote(
        turn_ref(step, salt),
        hashed_words(turn, salt),
        frozenset(name for name in _REMEMBERED if present(evidence, name)),
        round(score, 4),
        score >= scale.operating_point,
    )


def turn_ref(step: Step, salt: bytes) -> str:
    """A hash of what a turn says: two logs may call the same turn by different names."""
    return hashed(salt, step.text[:MAX_TURN_CHARS])


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
