"""Evidence in the person's words."""

import re

from judges.rules.lexicon import says
from judges.rules.prose import Turn
from judges.rules.quotation import quotes_work
from judges.rules.view import SegmentView

SAID = (
    "failure",
    "malfunction",
    "correction",
    "objects",
    "denial",
    "repetition",
    "escalation",
    "undo",
    "platform",
    "lost_context",
    "praise",
    "thanks",
    "approval",
    "accepted_result",
    "time_saved",
    "learning",
    "review",
    "new_task",
)
"""Kinds of the lexicon that are evidence by themselves, each named `says_<kind>`."""

MAX_PROSE_CHARS = 1_500
"""Longer prose is a specification: its words describe a task more than they react."""

_QUESTION = re.compile(r"[?？]")
# Where a log leaves out a picture it says so in brackets, by itself or with a name.
_PICTURE = re.compile(r"\[(?:image|screenshot)\b[^\]\n]{0,80}\]", re.IGNORECASE)
_PICTURE_CHARS = 4_000
_BARE_COMMAND_WORDS = 3.5
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def textual_evidence(view: SegmentView) -> dict[str, float]:
    """Names of evidence with strength 0 or 1; empty in the tail."""
    turn = view.closing
    if turn is None:
        return {}
    prose = turn.prose[:MAX_PROSE_CHARS]
    evidence = {f"says_{kind}": float(says(kind, prose)) for kind in SAID}
    evidence |= {
        "asks": float(bool(_QUESTION.search(prose))),
        "bare_command": float(_is_bare(turn)),
        "long_specification": float(len(turn.prose) > MAX_PROSE_CHARS),
        "says_failure": max(evidence["says_failure"], evidence["says_malfunction"]),
        "pastes_failure": float(bool(turn.pasted) and _fails(turn.pasted)),
        "pastes": float(bool(turn.pasted)),
        "shows_picture": float(_shows_picture(view.segment.steps[-1].text)),
        "quotes_work": float(quotes_work(view, prose)),
        "handover": float(says("handover", turn.prose or turn.pasted)),
    }
    return evidence


def _fails(text: str) -> bool:
    return says("failure", text) or says("malfunction", text)


def _shows_picture(text: str) -> bool:
    return _PICTURE.search(text[-_PICTURE_CHARS:]) is not None


def _is_bare(turn: Turn) -> bool:
    """A few words without anything pasted: a command or an answer."""
    # In scripts without spaces two characters are about a word.
    words = len(turn.prose.split()) + len(_SPACELESS.findall(turn.prose)) / 2
    return not turn.pasted and words <= _BARE_COMMAND_WORDS
