"""Whether the person's own words repeat a run of what the agent had just written."""

import re
from collections.abc import Iterator

from judges.rules.view import SegmentView

RUN = 4
"""Words in a row; in scripts without spaces each character counts as a word."""
_MAX_CHARS = 8_000
"""Of one text of the agent; what is longer is a file, not a message."""
_MAX_STEPS = 40
"""The newest steps of the segment: what the person has before their eyes."""

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")


def quotes_work(view: SegmentView, prose: str) -> bool:
    """Whether `prose` shares a run of words with the segment's replies, files or commands."""
    said = _tokens(prose)
    runs = {tuple(said[i : i + RUN]) for i in range(len(said) - RUN + 1)}
    return bool(runs) and any(
        tuple(words[i : i + RUN]) in runs
        for words in map(_tokens, _written(view))
        for i in range(len(words) - RUN + 1)
    )


def _written(view: SegmentView) -> Iterator[str]:
    for step in reversed(view.segment.steps[-_MAX_STEPS:]):
        if step.source == "agent":
            yield step.text[-_MAX_CHARS:]
            for call in step.tool_calls:
                values = (value for value in call.arguments.values() if isinstance(value, str))
                yield from (value[:_MAX_CHARS] for value in values)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())
