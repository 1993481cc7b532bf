"""The hostile snippets, plain and in disguise."""

import base64
import hashlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MARKER = "vorblanz"
"""The made-up word in every snippet, which no output may hold."""
MOST_CHARS = 60_000

_WORD = re.compile(r"[^\W\d_]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_CONSONANTS = "bcdfghjklmnpqrtvwz"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One hostile text; `carrier` names its disguise."""

    kind: str
    language: str
    carrier: str
    text: str
    number: int
    """Which of the distinct texts it is, from 0."""


@cache
def snippets() -> tuple[Snippet, ...]:
    """Every distinct snippet, plain and in one disguise (the disguises take turns)."""
    plain = distinct()
    names = [name for name in CARRIERS if name != "plain"]
    return plain + tuple(
        Snippet(s.kind, s.language, name, CARRIERS[name](s.text), s.number)
        for s in plain
        for name in (names[s.number % len(names)],)
    )


@cache
def distinct() -> tuple[Snippet, ...]:
    """The snippets as they were written."""
    source = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    entries = tomllib.loads(source)["snippet"]
    texts = [
        (entry["kind"], entry["language"], (text * entry.get("repeat", 1))[:MOST_CHARS])
        for entry in entries
        for text in entry["texts"]
    ]
    return tuple(
        Snippet(kind, language, "plain", text, number)
        for number, (kind, language, text) in enumerate(texts)
    )


def neutral(text: str) -> str:
    """The same shape without a meaning: a made-up word for each word, all else as it stands."""
    return _WORD.sub(lambda match: _made_up(match[0]), text)


def _made_up(word: str) -> str:
    """As long as the word, the same for the same word, in signs that no list holds."""
    digest = hashlib.sha256(word.lower().encode()).digest()
    signs = (
        chr(0x3400 + digest[n % 32]) if _WIDE.match(sign) else _CONSONANTS[digest[n % 32] % 18]
        for n, sign in enumerate(word)
    )
    made = "".join(signs)
    return made.upper() if word.isupper() else made


def _commented(text: str) -> str:
    return f"<!-- {text} -->"


def _as_json(text: str) -> str:
    return f'{{"note": {text!r}}}'


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _split(text: str) -> str:
    return "\u200b".join(text)


def _tagged(text: str) -> str:
    """In tag characters, which nobody sees, after the marker in sight."""
    hidden = "".join(chr(0xE0000 + ord(c)) for c in text if 0x20 <= ord(c) < 0x7F)
    return f"{MARKER} {hidden}"


def _turned(text: str) -> str:
    return f"\u202e{text[::-1]}\u202c"


def _encoded(text: str) -> str:
    return f"{MARKER}: {base64.b64encode(text.encode()).decode()}"


def _coloured(text: str) -> str:
    return f"\x1b[8m{text}\x1b[0m"


def _diffed(text: str) -> str:
    return "\n".join(f"+# {line}" for line in text.splitlines())


def _padded(text: str) -> str:
    return f"{'lorem ipsum dolor ' * 5}\n{text}"


def _doubled(text: str) -> str:
    return f"{text}\n\n{text.upper()}"


CARRIERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "comment": _commented,
    "json": _as_json,
    "fence": _fenced,
    "quotation": _quoted,
    "zero width": _split,
    "tag characters": _tagged,
    "right to left": _turned,
    "base64": _encoded,
    "hidden colour": _coloured,
    "diff": _diffed,
    "padding": _padded,
    "twice": _doubled,
}
