"""The comment that closed a pull request, as data: a person wrote it, it orders nothing."""

import re

from agent_core.markdown import one_line
from agent_core.redaction import redact_secrets

MOST_CHARS = 200
_READ_CHARS = 4_000

_BLOCKS = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
_QUOTED_LINES = re.compile(r"^\s*>.*$", re.MULTILINE)
_LINKS = re.compile(r"(?:https?|ssh|git|file)://\S+|www\.\S+|[\w.+-]{1,64}@[\w.-]{1,99}", re.I)
_MARKS = re.compile(r"[`*_#<>\[\]{}|\\«»\"]+")


def persons_words(comment: str) -> str:
    """`a person wrote: «…»`, one line of at most 200 characters inside; empty without words.

    Code, quotations, addresses, markup and secrets are left out: what remains says why, and
    cannot be taken for anything but words that somebody said.
    """
    text = _QUOTED_LINES.sub(" ", _BLOCKS.sub(" ", comment[:_READ_CHARS]))
    plain = _MARKS.sub(" ", _LINKS.sub(" ", redact_secrets(text)))
    line = one_line(plain, MOST_CHARS)
    return f"a person wrote: «{line}»" if line else ""
