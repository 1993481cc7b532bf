"""The figures of one format."""

from typing import NamedTuple


class Counts(NamedTuple):
    """Totals over all files of one format; tokens are numbers of tokens."""

    sessions: int = 0
    person_turns: int = 0
    tool_calls: int = 0
    tool_errors: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
