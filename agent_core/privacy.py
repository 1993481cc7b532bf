"""What may leave a session.

`PrivacyFilter` holds model-written text against the session it speaks of: no run of words or
characters of it, nothing that looks like a path, URL, address, key or code, no word at all that
is not an ordinary one, and no name of it put together from words that are.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from importlib import resources

from agent_core.redaction import visible

MAX_CHARS = 600
"""A text that is longer says more than an abstract sentence or two."""
SHARED_WORDS = 5
"""A run of so many words that the session holds too is a quotation."""
SHARED_CHARACTERS = 2
"""In scripts without spaces; names are this short, and abstract text is written in English."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_IDENTIFIER = re.compile(r"\w+(?:['’]\w+)*")
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
_TYPOGRAPHY = frozenset("‘’“”–—•·")
_CAPITAL = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?!\w)")
_SENTENCE_START = re.compile(r"(?:\A|[.!?:]\s+)\W*\Z")
_OPENERS = frozenset(
    {"A", "After", "An", "At", "Before", "In", "It", "No", "On", "Some", "The", "There", "This"}
    | {"Tool", "Tools", "Two", "User", "When", "While"}
)
_SMALL_NUMBER = re.compile(r"\d{1,2}|\d{0,1}(?:1st|2nd|3rd|\dth)")
_NEGATED = re.compile(r"n?'t\Z")
_ENDING = re.compile(r"'(?:s|re|ve|ll|d|m)?\Z")
_DIGIT_WORDS = frozenset(
    {"zero", "oh", "nought", "null", "one", "two", "three", "four", "five", "six", "seven"}
    | {"eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"}
    | {"seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty", "sixty"}
    | {"seventy", "eighty", "ninety", "hundred", "thousand", "double", "triple"}
)
_JOINING = frozenset({"and", "then", "point", "dash", "comma", "dot"})
_MOST_DIGIT_WORDS = 2
_PART = re.compile(r"[^\W\d_]+?(?=[A-Z][a-z]|[\d_]|\b)|\d+")
# From the start of a word and never backwards: a run of letters can be as long as the log.
_COMPOUND = re.compile(r"(?<![^\W_])[^\W_]++(?:[-_.][^\W_]++){2,5}")
_MOST_PIECES = 4
_LEAST_BACKWARDS = 5
_LEAST_INITIALS = 6
"""Shorter chance words are too many."""

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


class PrivacyFilter:
    """Decides whether a text says anything of a session that only the session says.

    `session_texts` are all texts of the session (turns, replies, arguments, results);
    `allowed_terms` are names that may be published: types, facet values, the target's tools;
    `names` tell whose session it is (user, project): no word of theirs leaves, though it be an
    ordinary one, unless it is of the trade or no sentence does without it.
    """

    def __init__(
        self,
        session_texts: Iterable[str],
        allowed_terms: frozenset[str] = frozenset(),
        names: Iterable[str] = (),
    ) -> None:
        self._owners = [_normalised(name) for name in names]
        self._texts = [*map(_normalised, session_texts), *self._owners]
        self._allowed = frozenset(_normalised(term).casefold() for term in allowed_terms)

    def check(self, text: str) -> str | None:
        """None when the text may leave, else the reason in words (without the offending text)."""
        if len(text) > MAX_CHARS:
            return f"is longer than {MAX_CHARS} characters"
        text = _normalised(text)
        reason = next((name for name, found in _FORBIDDEN if self._forbids(found, text)), None)
        if reason is not None:
            return f"holds {reason}"
        words = list(_words(text))
        if any(run in self._joined for order in (words, words[::-1]) for run in _runs(order)):
            return f"shares a run of {SHARED_WORDS} words with the session"
        if any(pair in self._raw for pair in _pairs(text)):
            return "shares characters of a script without spaces with the session"
        if any(self._gives_away(match, text) for match in _IDENTIFIER.finditer(text)):
            return "holds a word that is not an ordinary one"
        if not all(c.isascii() or c in _TYPOGRAPHY for c in text):
            return "holds signs beyond letters, digits and punctuation"
        if _spells(words):
            return "spells something out in letters or digits"
        if any(run in self._compounds for run in _windows(words)):
            return "holds a name of several words"
        if any(hidden in self._rare for hidden in _put_together(words)):
            return "puts a word of the session together"
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
        return not _is_ordinary(token.casefold())

    def _is_a_name(self, token: str, *, opens: bool) -> bool:
        """An ordinary word that the session writes as a name ("Mark", "Rose"), or its owner's."""
        lower = token.lower()
        if _ENDING.sub("", lower) in self._owner_words:
            return True
        if not token[0].isupper():
            return token.capitalize() in self._names and lower not in self._written
        if opens and token in _OPENERS:
            return False
        capital = token.capitalize()
        is_never_lower = lower not in self._written and {capital, token} & self._written
        return bool(is_never_lower) or (capital in self._names and not opens)

    @cached_property
    def _raw(self) -> str:
        return "\n".join(self._texts)

    @cached_property
    def _joined(self) -> str:
        return f" {' '.join(_words(self._raw))} "

    @cached_property
    def _names(self) -> frozenset[str]:
        """Words that the session writes with a capital in the midst of a sentence."""
        return frozenset(_CAPITAL.findall(self._raw))

    @cached_property
    def _owner_words(self) -> frozenset[str]:
        """Words of the owners' names that are not of the trade, such as a user called `mark`."""
        words = {word for name in self._owners for word in _parts(name) if len(word) > 1}
        return frozenset(words - listed_words("trade.txt") - listed_words("everyday.txt"))

    @cached_property
    def _compounds(self) -> frozenset[tuple[str, ...]]:
        """Names and pass phrases of three words or more that the session writes as one."""
        return frozenset(tuple(_words(found)) for found in _COMPOUND.findall(self._raw))

    @cached_property
    def _rare(self) -> frozenset[str]:
        """Words of the session, in lower case, that are no ordinary ones."""
        parts = {part.casefold() for token in self._written for part in (token, *_parts(token))}
        return frozenset(part for part in parts if not _is_ordinary(part))

    @cached_property
    def _written(self) -> frozenset[str]:
        return frozenset(
            part
            for token in set(_IDENTIFIER.findall(self._raw))
            for part in (token, *_WORD.findall(token))
        )


@cache
def ordinary_words() -> frozenset[str]:
    """The shipped lists of ordinary words (lower case): common English without the names of
    people and companies in it, and words of the trade.
    """
    return (listed_words("ordinary.txt") | listed_words("trade.txt")) - listed_words("names.txt")


@cache
def listed_words(name: str) -> frozenset[str]:
    """The words of a list in `words/`, in lower case."""
    folder = resources.files(__package__).joinpath("words")
    return frozenset(folder.joinpath(name).read_text(encoding="utf-8").split())


def _normalised(text: str) -> str:
    """Composed letters without invisible characters, which would hide a match."""
    return visible(text).replace("’", "'")


def _words(text: str) -> Iterator[str]:
    return (match[0].casefold() for match in _WORD.finditer(text))


def _parts(name: str) -> Iterator[str]:
    """The words that a name is made of, in lower case: `acmeBilling_2` is `acme` and `billing`."""
    return (part.casefold() for part in _PART.findall(name))


def _runs(words: Sequence[str]) -> Iterator[str]:
    for start in range(len(words) - SHARED_WORDS + 1):
        yield f" {' '.join(words[start : start + SHARED_WORDS])} "


def _pairs(text: str) -> Iterator[str]:
    for run in _SPACELESS.findall(text):
        yield from (run[i : i + SHARED_CHARACTERS] for i in range(max(1, len(run) - 1)))


def _windows(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Three to six neighbouring words, in either order."""
    for order in (words, words[::-1]):
        for size in range(3, 7):
            for start in range(len(order) - size + 1):
                yield tuple(order[start : start + size])


def _put_together(words: Sequence[str]) -> Iterator[str]:
    """What neighbouring words, a word read backwards, or their first letters make."""
    for start in range(len(words)):
        for end in range(start + 2, min(start + _MOST_PIECES, len(words)) + 1):
            yield "".join(words[start:end])
        if len(words[start]) >= _LEAST_BACKWARDS:
            yield words[start][::-1]
    initials = "".join(word[0] for word in words)
    for start in range(len(initials) - _LEAST_INITIALS + 1):
        for end in range(start + _LEAST_INITIALS, len(initials) + 1):
            yield initials[start:end]


def _spells(spoken: Sequence[str]) -> bool:
    """Whether letters stand alone side by side, or numbers do, so that they make up another."""
    words = [word for word in spoken if word not in _JOINING]
    letters = numbers = digit_words = 0
    for word in words:
        is_number = word.isdigit()
        letters = letters + 1 if len(word) == 1 and not is_number else 0
        counts = is_number or word in _DIGIT_WORDS
        digit_words = digit_words + 1 if counts else 0
        numbers = numbers + is_number if counts else 0
        if letters > 1 or digit_words > _MOST_DIGIT_WORDS or (numbers and digit_words > 1):
            return True
    return False


def _is_ordinary(token: str) -> bool:
    """A listed word in lower case, also with a genitive or contracted; a small number."""
    if token in ("a", "i") or _SMALL_NUMBER.fullmatch(token):
        return True
    words = ordinary_words()
    bases = {token, _ENDING.sub("", token), _NEGATED.sub("", token), token.removesuffix("'t")}
    return any(base in words and len(base) > 1 for base in bases) or token in (
        "i'm",
        "i'd",
        "i've",
        "i'll",
    )
