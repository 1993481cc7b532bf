"""What needs no judge: the simple rules that a judge has to beat."""

import re
from collections.abc import Mapping

from agent_core.session import Segment

BASELINES = ("interrupt or rejection", "interrupt, rejection or word list")
_WORDS = re.compile(
    r"\b(no|nope|wrong|still|again|not work\w*|doesn't|didn't|isn't|instead|actually|revert|undo|"
    r"error|fail\w*|broken|bug|why|should|missing|forgot|stop)\b",
    re.I,
)
_READ_CHARS = 400


def baselines_of(segment: Segment) -> Mapping[str, bool]:
    """Whether each of BASELINES calls the segment's turn friction."""
    stopped = any(step.event in {"interrupt", "rejection"} for step in segment.steps)
    said = segment.steps[-1].text[:_READ_CHARS]
    # The opening message reacts to nothing.
    complains = segment.turn != 1 and bool(_WORDS.search(said))
    return dict(zip(BASELINES, (stopped, stopped or complains), strict=True))
