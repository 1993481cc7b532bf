"""What stands in a text for a model to obey: nobody's feeling, so the rules do not hear it.

A log may hold text that somebody planted for whoever reads the log: a verdict that is asked for,
a forged message, tokens of a chat template. It can be quoted, pasted or passed on, by the person
or by the agent. Such sentences are taken out before any word is looked for.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

_PARTS = ("reader", "reader_elsewhere", "verb", "noun")
_SENTENCE = re.compile(r"[^.!?。！？]*(?:[.!?](?!\s|\Z)[^.!?。！？]*)*[.!?。！？]*\s*")


_TURNED = re.compile("\u202e[^\u202c\n]*\u202c?")
"""Written backwards and turned around for the eye: nobody's way to say what they feel."""


def without_turned(text: str) -> str:
    """The text, with its invisible characters, without what a right-to-left override turns."""
    return _TURNED.sub(" ", text)


def without_orders(text: str) -> str:
    """The text without sentences that a model is to obey."""
    if not (
        _patterns("ordering").search(text)
        or any(map(_patterns("addressed").search, text.splitlines()))
    ):
        return text
    return "\n".join(_kept(line) for line in text.split("\n"))


def _kept(line: str) -> str:
    kept = []
    for sentence in _SENTENCE.findall(line):
        if _patterns("addressed").search(sentence):
            break
        if not _patterns("ordering").search(sentence):
            kept.append(sentence)
    return "".join(kept)


@cache
def _patterns(kind: Literal["addressed", "ordering"]) -> re.Pattern[str]:
    source = Path(__file__).with_name("orders.toml").read_text(encoding="utf-8")
    listed: dict[str, Any] = tomllib.loads(source)
    joined = "|".join(listed[kind])
    for part in _PARTS:
        joined = joined.replace(f"{{{part}}}", listed[part])
    return re.compile(joined, re.IGNORECASE)
