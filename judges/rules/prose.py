"""What a person wrote with their own words, apart from what they pasted."""

import re
import unicodedata
from typing import NamedTuple

from agent_core.redaction import visible
from judges.rules.orders import without_orders, without_turned

MAX_TURN_CHARS = 20_000
"""Longer turns are pastes: what stands behind is not looked at, so that time stays bounded."""

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CURLY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})
_LOG_LINE = re.compile(
    r"^\s*(?:[#>$|+=\-*/\\{}\[\]<]|at |\d{1,2}:\d\d|\d{4}-\d\d-\d\d|\w+(?:\.\w+)*:|\[\w+\]|"
    r"import |def |func |return |const |let |var |remote: |fatal: |Error|Traceback|File \"|❯|●|⎿)"
)


class Turn(NamedTuple):
    """A turn's own words and what was pasted with them."""

    prose: str
    pasted: str


def split_turn(text: str) -> Turn:
    """Split a turn; a turn of pasted lines alone has empty prose."""
    text = clean(text[:MAX_TURN_CHARS])
    fenced = "\n".join(_FENCE.findall(text))
    lines = _FENCE.sub("\n", text).splitlines()
    pairs = [(line, _is_pasted(line)) for line in lines]
    said = [line for line, is_pasted in pairs if line.strip() and not is_pasted]
    pasted = [line for line, is_pasted in pairs if is_pasted]
    return Turn("\n".join(said), "\n".join([fenced, *pasted]).strip())


def clean(text: str) -> str:
    """Normal quotes and composed letters, without invisible characters and orders to models."""
    return without_orders(visible(without_turned(text)).translate(_CURLY))


def _is_pasted(line: str) -> bool:
    if _LOG_LINE.match(line) and len(line) > 20:
        return True
    return len(line) > 40 and _letters(line) < 0.72 * len(line)


def _letters(line: str) -> int:
    if line.isascii():
        return len(line.translate(_NOT_OF_PROSE))
    return sum(map(_is_of_prose, line))


def _is_of_prose(c: str) -> bool:
    # Vowels and tones of many scripts are marks, not letters.
    return c.isalpha() or c.isspace() or (not c.isascii() and unicodedata.category(c)[0] == "M")


_NOT_OF_PROSE = {code: None for code in range(128) if not _is_of_prose(chr(code))}
