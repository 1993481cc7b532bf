"""Names from logs as they may be shown: themselves where they are public, else a salted hash.

An agent, its release and a model are called what the log says, which can be anybody's text: a
person, a customer, a key. What is shown is closed: known names, words of the trade, versions.
"""

import hashlib
import hmac
import re
import tomllib
from functools import cache
from importlib import resources
from typing import Literal

from agent_core.privacy import listed_words

NAMES_VERSION = 1
"""To be raised when other names are shown, so that logs are read again."""

Kind = Literal["agent", "release", "model"]

_MOST_CHARS = 64
_HASH_CHARS = 8
_WORD = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)*", re.ASCII)
_NAME = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9 ._:/@+-]*")
_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,2}")
_MODEL_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,2})?|0\d{3}|1[0-2]\d\d|20[2-9]\d{5}|20[2-9]\d")
_VERSION = re.compile(
    r"""v?(?:\d{1,2}|20[2-9]\d)(?:\.\d{1,4}){0,2}           # 2.1, v2.1.52, 2026.1.31
        (?:[.-]?(?:a|b|c|rc|alpha|beta|dev|post|pre|preview|nightly|snapshot|canary|next)
           [.-]?(?:\d{1,4}|20[2-9]\d{5})?)?(?:-\d{1,3})?     # rc1, .dev12, -nightly.20260131, -1
        (?:\+(?:g?[0-9a-f]{4,40})?(?:\.?d20[2-9]\d{5})?)?    # +3f2a9c01b7de, +g715e750e.d20260131
      |20[2-9]\d-?[01]\d-?[0-3]\d(?:[.-]\d{1,3})?            # 2026-01-31, 20260131.2
    """,
    re.VERBOSE | re.ASCII,
)
_COMMIT = re.compile(r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,12}")
_LONG_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_COMMIT_CHARS = 12


def shown_agent(name: str, salt: bytes) -> str:
    """The name of an agent as it may be shown."""
    if name.casefold() in _listed("agents") or _is_made_of(name, _agent_words(), _NUMBER, 2):
        return name
    return hashed("agent", name, salt)


def shown_release(name: str, salt: bytes) -> str:
    """A release or version as it may be shown; a whole commit is cut to 12 digits.

    Cut, a commit can still be looked up, and a key that looks like one opens nothing.
    """
    if name in _listed("labels") or _VERSION.fullmatch(name) or _COMMIT.fullmatch(name):
        return name
    if _LONG_COMMIT.fullmatch(name):
        return name[:_COMMIT_CHARS]
    return hashed("release", name, salt)


def shown_model(name: str, salt: bytes, priced: frozenset[str] = frozenset()) -> str:
    """The name of a model as it may be shown; `priced` are those of the price file, lower case."""
    words = _listed("model_words")
    if name.casefold() in priced or _is_made_of(name, words, _MODEL_NUMBER, 5):
        return name
    return hashed("model", name, salt)


def hashed(kind: Kind, name: str, salt: bytes) -> str:
    """`agent-1a2b3c4d`: the same for the same name in one home, and no guess can be tested."""
    told = f"{kind}\0{name}".encode("utf-8", "surrogatepass")
    return f"{kind}-{hmac.new(salt, told, hashlib.sha256).hexdigest()[:_HASH_CHARS]}"


def _is_made_of(name: str, words: frozenset[str], number: re.Pattern[str], most: int) -> bool:
    """Whether each word of a name is listed and each number short, `most` of them."""
    if len(name) > _MOST_CHARS or not _NAME.fullmatch(name):
        return False
    parts = [part.casefold() for part in _WORD.findall(name)]
    numbers = [part for part in parts if part[0].isdigit()]
    return (
        len(numbers) <= most
        and len(numbers) < len(parts)
        and all(part in words or number.fullmatch(part) for part in parts)
    )


@cache
def _agent_words() -> frozenset[str]:
    return _listed("agent_words") | listed_words("trade.txt") | listed_words("everyday.txt")


@cache
def _listed(name: str) -> frozenset[str]:
    source = resources.files(__package__).joinpath("shown_names.toml").read_text(encoding="utf-8")
    return frozenset(tomllib.loads(source)[name])
