"""The words of evidence: which kinds of thing a text says, in any of the languages listed.

The patterns are data (`lexicon.toml`); each kind becomes one compiled alternation.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()


def says(kind: str, text: str) -> bool:
    """Whether the text says a kind of thing; raises KeyError for a kind that is not listed."""
    return _patterns()[kind].search(text) is not None


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    source = resources.files(__package__).joinpath("lexicon.toml").read_text(encoding="utf-8")
    return {
        kind: _compile(_Kind.model_validate(listed))
        for kind, listed in tomllib.loads(source).items()
    }


def _compile(kind: _Kind) -> re.Pattern[str]:
    alternatives = [*kind.parts]
    if kind.words:
        alternatives.append(rf"(?<!\w)(?:{'|'.join(kind.words)})(?!\w)")
    if kind.opening:
        alternatives.append(rf"\A\W*(?:{'|'.join(kind.opening)})")
    return re.compile("|".join(alternatives), re.IGNORECASE)
