"""The words of evidence: which kinds of thing a text says, in any of the languages listed.

The patterns are data (`lexicon.toml`); each kind becomes one compiled alternation.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Kind:
    """One table of the file, which is ours: an unknown key is a TypeError.

    No pydantic here: a hook that asks for a word or two would wait longer for it than for all else.
    """

    words: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    opening: list[str] = field(default_factory=list)


def says(kind: str, text: str) -> bool:
    """Whether the text says a kind of thing; raises KeyError for a kind that is not listed."""
    return _pattern(kind).search(text) is not None


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    return _compile(_Kind(**_listed()[kind]))


@cache
def _listed() -> Mapping[str, dict[str, list[str]]]:
    source = Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8")
    listed: dict[str, dict[str, list[str]]] = tomllib.loads(source)
    return listed


def _compile(kind: _Kind) -> re.Pattern[str]:
    alternatives = [*kind.parts]
    if kind.words:
        alternatives.append(rf"(?<!\w)(?:{'|'.join(kind.words)})(?!\w)")
    if kind.opening:
        alternatives.append(rf"\A\W*(?:{'|'.join(kind.opening)})")
    return re.compile("|".join(alternatives), re.IGNORECASE)
