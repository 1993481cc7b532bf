"""The words of evidence: which kinds of thing a text says, in any of the languages listed.

The patterns are data (`lexicon.toml`), in small letters; each kind becomes one compiled
alternation. About half of them need a letter beyond ASCII: a text that has none is put into small
letters and searched for the others alone, which takes half of the time that ignoring case does.
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


# Ignoring case, these four match letters of ASCII.
_ASCII_IN_DISGUISE = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}
_PLAIN = str.maketrans(_ASCII_IN_DISGUISE)
_OTHER_LETTER = re.compile(r"[^\x00-\x7f\W\d_]")
_NEEDED_LETTER = re.compile(rf"[^\x00-\x7f\W\d_{''.join(_ASCII_IN_DISGUISE)}](?![?*{{])")
_CLASS = re.compile(r"\\.|\[\^?\]?[^\]]*\]")
_GROUP = re.compile(r"\((\?[:=!<]+)?([^()]*)\)([?*{])?")


def says(kind: str, text: str) -> bool:
    """Whether the text says a kind of thing; raises KeyError for a kind that is not listed."""
    plain = text.isascii() or _OTHER_LETTER.search(text) is None
    return _pattern(kind, plain).search(text.lower() if plain else text) is not None


@cache
def _pattern(kind: str, plain: bool) -> re.Pattern[str]:
    listed = _Kind(**_listed()[kind])
    if plain:
        return re.compile(_joined(_without_other_letters(listed)).translate(_PLAIN))
    return re.compile(_joined(listed), re.IGNORECASE)


def _without_other_letters(kind: _Kind) -> _Kind:
    parts = (kind.words, kind.parts, kind.opening)
    return _Kind(*([one for one in part if not needs_other_letter(one)] for part in parts))


def needs_other_letter(pattern: str) -> bool:
    """Whether no text without a letter beyond ASCII can match; False where it cannot be told."""
    if pattern.isascii():
        return False
    rest, before = _CLASS.sub("", pattern), ""
    while rest != before:  # the innermost groups become a letter that is needed, or nothing
        before, rest = rest, _GROUP.sub(_needed_of_group, rest)
    return _needed(rest)


def _needed_of_group(group: re.Match[str]) -> str:
    counts = group[1] in (None, "?:") and group[3] is None and _needed(group[2])
    return "é" if counts else ""


def _needed(alternatives: str) -> bool:
    return all(_NEEDED_LETTER.search(one) for one in alternatives.split("|"))


@cache
def _listed() -> Mapping[str, dict[str, list[str]]]:
    source = Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8")
    listed: dict[str, dict[str, list[str]]] = tomllib.loads(source)
    return listed


def _joined(kind: _Kind) -> str:
    alternatives = [*kind.parts]
    if kind.words:
        alternatives.append(rf"(?<!\w)(?:{'|'.join(kind.words)})(?!\w)")
    if kind.opening:
        alternatives.append(rf"\A\W*(?:{'|'.join(kind.opening)})")
    # Nothing to look for: a pattern that no text matches.
    return "|".join(alternatives) or r"(?!)"
