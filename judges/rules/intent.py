"""What the person came for and how it ended, as far as rules can tell."""

import re
from collections.abc import Sequence

from judges.rules.evidence import present
from judges.rules.session_score import SessionScore
from judges.rules.view import SegmentView
from judges.rules.wording import Scene
from judges.verdict import Moment

# The first that occurs in the opening turn decides; the specific stand before the general.
_INTENTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE))
    for name, words in (
        ("review", r"review|audit|double.?check|relecture|prüfe|revisa"),
        ("test", r"(add|write|fix) (\w+ )?tests?|coverage|testes|écris des tests"),
        ("documentation", r"readme|docs?|documentation|docstrings?|changelog|adr"),
        (
            "fix",
            r"fix\w*|bugs?|errors?|fail\w*|broken|crash\w*|debug|issue|fehler|corrige\w*|erreur",
        ),
        ("refactor", r"refactor\w*|rename|clean ?up|simplif\w+|move|extract|restructure"),
        ("release", r"release|deploy|publish|merge|rebase|commit|push|pull request|pr"),
        ("feature", r"add|implement\w*|create|build|support|feature|make|write|füge|ajoute|añade"),
        ("question", r"what|why|how|where|which|explain|was|warum|pourquoi|qué|cómo"),
    )
)
_OPENING_CHARS = 600


def intent(views: Sequence[SegmentView]) -> str:
    """A category for the first turn; `unclear` when nothing is recognised."""
    opening = next((view.closing for view in views if view.closing is not None), None)
    text = "" if opening is None else (opening.prose or opening.pasted)[:_OPENING_CHARS]
    return next((name for name, pattern in _INTENTS if pattern.search(text)), "unclear")


def outcome(scenes: Sequence[Scene], moments: Sequence[Moment], score: SessionScore) -> str:
    """success, partial, abandoned or unclear, from how the session ends.

    What the agent of an errand says of its success is not believed where the session's score
    speaks against it: the person sees little of what was done there.
    """
    last = scenes[-1]
    if present(last.evidence, "stopped") and last.view.closing is None:
        return "abandoned"
    if present(last.evidence, "agent_gives_up"):
        return "abandoned"
    ended = {scenes[-1].view.segment.turn_ref, _last_turn(scenes)}
    felt = {moment.polarity for moment in moments if moment.turn_ref in ended}
    if present(last.evidence, "agent_claims") or felt == {"delight"}:
        if "friction" in felt:
            return "partial"
        return "unclear" if score.is_likely_bad else "success"
    return "unclear"


def _last_turn(scenes: Sequence[Scene]) -> str | None:
    refs = [scene.view.segment.turn_ref for scene in scenes]
    return next((ref for ref in reversed(refs) if ref is not None), None)
