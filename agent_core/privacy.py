"""What may leave a session, and what must be blacked out before a model sees it.

`PrivacyFilter` holds model-written text against the session it speaks of: no run of words or
characters of it, nothing that looks like a path, URL, address, key or code, and no word of it
that is not an ordinary one. `redact_secrets` takes credentials and addresses out of a text.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from importlib import resources

SHARED_WORDS = 5
"""A run of so many words that the session holds too is a quotation."""
SHARED_CHARACTERS = 2
"""In scripts without spaces; names are this short, and abstract text is written in English."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_IDENTIFIER = re.compile(r"\w+(?:['’]\w+)*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\D)(?=\d)|(?<=\d)(?=\D)|_")
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
_SENTENCE_START = re.compile(r"(?:\A|[.!?:]\s+)\W*\Z")
_OPENERS = frozenset(
    {"A", "After", "An", "At", "Before", "In", "It", "No", "On", "Some", "The", "There", "This"}
    | {"Tool", "Tools", "Two", "User", "When", "While"}
)
_MIN_PART = 4

# What no abstract sentence needs; the name is the reason given.
_FORBIDDEN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an e-mail address", re.compile(r"\S@\S+\.\S|(?<!\w)@\w")),
    (
        "a URL",
        re.compile(r"\w+://|\bwww\.|\b[\w-]+\.(?:com|org|net|io|dev|ai|app|co|de|fr|uk)\b", re.I),
    ),
    (
        "a path",
        re.compile(
            r"(?<!\w)[~.]{0,2}[/\\]\w|\w[/\\]\w+[/\\.]\w|\b[A-Za-z]:\\|"
            r"\b[\w-]+\.(?:py|pyi|js|jsx|ts|tsx|go|rs|rb|java|kt|c|cc|cpp|h|cs|php|sh|md|txt|json|jsonl|"
            r"ya?ml|toml|ini|cfg|env|lock|html?|css|sql|csv|xml|ipynb|log|pem|key)\b"
        ),
    ),
    (
        "a key or identifier",
        re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]{12,}\b|\b[0-9a-f]{7,}\b|\d{5,}"),
    ),
    ("code", re.compile(r"[`{}<>=;|\\$#^]|\w\(|::|->|\[\w*\]|--\w|\b[a-z]+[A-Z]\w*|\w_\w")),
)

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
        ),
        "[private key]",
    ),
    (re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"), "[secret]"),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?"), "[secret]"),
    (
        re.compile(
            r"\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[A-Za-z0-9_-]{12,}|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|"
            r"\bglpat-[\w-]{12,}|\bxox[abeoprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[\w-]{20,}|"
            r"\bhf_\w{16,}|\bnpm_\w{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bya29\.[\w-]{16,}|\bdop_v1_\w{20,}"
        ),
        "[secret]",
    ),
    (re.compile(r"(?<=[Bb]earer )[\w.~+/-]{8,}=*|(?<=[Bb]asic )[A-Za-z0-9+/]{12,}=*"), "[secret]"),
    (
        re.compile(
            r"((?:api[_-]?key|access[_-]?key|secret(?:[_-]?key)?|token|passw(?:or)?d|pwd|credentials?|"
            r"auth(?:orization)?|client[_-]?secret)[\"']?\s*[:=]\s*[\"']?)(?!\[|bearer |basic )"
            r"([^\s\"',;]{6,})",
            re.I,
        ),
        r"\1[secret]",
    ),
    (re.compile(r"\b(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)[A-Za-z0-9]{32,}\b"), "[secret]"),
)


class PrivacyFilter:
    """Decides whether a text says anything of a session that only the session says.

    `session_texts` are all texts of the session (turns, replies, arguments, results);
    `allowed_terms` are names that may be published: types, facet values, the target's tools.
    """

    def __init__(
        self, session_texts: Iterable[str], allowed_terms: frozenset[str] = frozenset()
    ) -> None:
        self._texts = [_normalised(text) for text in session_texts]
        self._allowed = frozenset(_normalised(term).casefold() for term in allowed_terms)

    def check(self, text: str) -> str | None:
        """None when the text may leave, else the reason in words (without the offending text)."""
        text = _normalised(text)
        reason = next((name for name, found in _FORBIDDEN if self._forbids(found, text)), None)
        if reason is not None:
            return f"holds {reason}"
        if any(run in self._joined for run in _runs(text)):
            return f"shares a run of {SHARED_WORDS} words with the session"
        if any(pair in self._raw for pair in _pairs(text)):
            return "shares characters of a script without spaces with the session"
        if any(self._gives_away(match, text) for match in _IDENTIFIER.finditer(text)):
            return "holds a word of the session that is not an ordinary one"
        return None

    def _forbids(self, pattern: re.Pattern[str], text: str) -> bool:
        """A pattern counts unless what it is found in is an allowed term (`run_command`)."""
        without = _IDENTIFIER.sub(
            lambda m: "term" if m[0].casefold() in self._allowed else m[0],
            text,
        )
        return pattern.search(without) is not None

    def _gives_away(self, match: re.Match[str], text: str) -> bool:
        token = match[0]
        if token.casefold() in self._allowed:
            return False
        if self._is_a_name(token, opens=bool(_SENTENCE_START.search(text[: match.start()]))):
            return True
        return any(
            self._is_of_the_session(part) for part in _parts(token) if not _is_ordinary(part)
        )

    def _is_a_name(self, token: str, *, opens: bool) -> bool:
        """An ordinary word that the session writes as a name only ("Mark", "Rose")."""
        if not token[0].isupper() or (opens and token in _OPENERS):
            return False
        return token in self._written and token.lower() not in self._written

    def _is_of_the_session(self, part: str) -> bool:
        """The session holds the unusual word, a longer one around it, or a part of it."""
        if part in self._unusual:
            return True
        return len(part) >= _MIN_PART and any(
            part in word or (len(word) >= _MIN_PART and word in part) for word in self._unusual
        )

    @cached_property
    def _raw(self) -> str:
        return "\n".join(self._texts)

    @cached_property
    def _joined(self) -> str:
        return f" {' '.join(_words(self._raw))} "

    @cached_property
    def _written(self) -> frozenset[str]:
        return frozenset(
            part
            for token in set(_IDENTIFIER.findall(self._raw))
            for part in (token, *_WORD.findall(token))
        )

    @cached_property
    def _unusual(self) -> frozenset[str]:
        """Words of the session beyond the list, whole and in parts (camelCase, snake_case)."""
        return frozenset(
            part for token in self._written for part in _parts(token) if not _is_ordinary(part)
        )


def redact_secrets(text: str) -> str:
    """The text with credentials, private keys and e-mail addresses taken out."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


@cache
def ordinary_words() -> frozenset[str]:
    """The shipped lists of ordinary words (lower case): common English, and words of the trade."""
    folder = resources.files(__package__).joinpath("words")
    return frozenset(
        word
        for name in ("ordinary.txt", "trade.txt")
        for word in folder.joinpath(name).read_text(encoding="utf-8").split()
    )


def _normalised(text: str) -> str:
    """Composed letters without invisible characters, which would hide a match."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'")
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def _words(text: str) -> Iterator[str]:
    return (match[0].casefold() for match in _WORD.finditer(text))


def _runs(text: str) -> Iterator[str]:
    words = list(_words(text))
    for start in range(len(words) - SHARED_WORDS + 1):
        yield f" {' '.join(words[start : start + SHARED_WORDS])} "


def _pairs(text: str) -> Iterator[str]:
    for run in _SPACELESS.findall(text):
        yield from (run[i : i + SHARED_CHARACTERS] for i in range(max(1, len(run) - 1)))


def _parts(token: str) -> Iterator[str]:
    """The token in lower case, without a genitive, and its parts."""
    whole = re.sub(r"'s?\Z", "", token)
    pieces = [piece for piece in _CAMEL.split(whole) if piece]
    yield whole.casefold()
    if len(pieces) > 1:
        yield from (piece.casefold() for piece in pieces)


def _is_ordinary(part: str) -> bool:
    """A listed word, a contraction or hyphenation of such, a small number, a single letter."""
    if len(part) == 1 or (part.isdigit() and len(part) <= 2):
        return True
    words = ordinary_words()
    return part in words or all(piece in words or len(piece) <= 2 for piece in part.split("'"))
