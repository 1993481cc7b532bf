"""Credentials and addresses, blacked out of what is sent to a model."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from agent_core.lazy_pattern import lazy_pattern

SECRET = "[secret]"
MOST_DEPTH = 60
"""What lies deeper in a JSON value is left out."""
_NORMALISED_CHARS = 1_024
"""Composed at a time: the time to order a run of combining marks grows with its square."""

_INVISIBLE_CLASSES = frozenset({"Cf", "Cc", "Cs"})
# Blank by their looks, though letters and marks by their class.
_BLANKS = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)
_COLOUR = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# Where a token may begin: not within a word, but after an escape such as the `\n` of JSON text.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
_NAMES = (
    r"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|signing[_-]?key|secret(?:[_-]?key)?|"
    r"token|passw(?:or)?d|passphrase|pwd|credentials?|auth(?:orization)?|client[_-]?secret)"
)
_QUOTE = r"\\{0,3}[\"']"
# References, calls and types of source code are no secrets.
_NO_SECRET = (
    r"(?!\[|bearer |basic |token |\$[A-Za-z_({]|<|"
    r"(?:self|this|os|process|request|config|settings)\.|[A-Za-z_][\w.]{0,60}\(|(?:string|number|boolean|Optional|undefined|required)\b)"
)

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        lazy_pattern(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
            re.S,
        ),
        "[private key]",
    ),
    (
        lazy_pattern(
            r"(?<=://)(?:[^\s/:@\"'<>]{0,256}:[^\s@\"'<>]{1,256}|[^\s/:@\"'<>]{16,256})(?=@)"
        ),
        SECRET,
    ),
    (lazy_pattern(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    (
        lazy_pattern(r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/-]+", re.I),
        r"\1[secret]",
    ),
    (lazy_pattern(r"(discord(?:app)?\.com/api/webhooks/)[\w/-]+", re.I), r"\1[secret]"),
    (
        lazy_pattern(
            r"(?:(?<![\w-])|(?<=\\[nrt]))eyJ[\w-]{4,4096}\.[\w-]{4,}+(?:\.[\w-]++)?",
        ),
        SECRET,
    ),
    (
        lazy_pattern(
            _START + r"(?:(?:sk|pk|rk)[-_][\w-]{12,}|gh[opsur]_\w{16,}|github_pat_\w{16,}|"
            r"glpat-[\w-]{12,}|xox[abeoprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{12,}|AIza[\w-]{20,}|"
            r"hf_\w{16,}|npm_\w{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|ya29\.[\w-]{16,}|dop_v1_\w{20,})"
        ),
        SECRET,
    ),
    (
        lazy_pattern(
            r"(authorization\\{0,3}[\"']?\s{0,8}[:=]\s{0,8}\\{0,3}[\"']?"
            r"(?:bearer|basic|token|digest|apikey)\s{1,8})(?!\[)[^\s\"'\\,;]{4,}",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            r"((?<![A-Za-z])(?i:bearer|basic)\s)(?=[\w+/~.-]{0,200}[0-9A-Z._=+/-])"
            r"[\w.~+/-]{8,}=*"
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            r"((?<![a-z])(?:set-)?cookie\\{0,3}[\"']?\s{0,8}:\s{0,8}\\{0,3}[\"']?)[^\n\"'\\]+", re.I
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            rf"({_NAMES}(?:{_QUOTE})?\s{{0,20}}[:=]\s{{0,20}})({_QUOTE})(?!\[)[^\"'\n\\]{{4,400}}",
            re.I,
        ),
        r"\1\2[secret]",
    ),
    (
        lazy_pattern(
            rf"({_NAMES}(?:{_QUOTE})?\s{{0,20}}[:=]\s{{0,20}}){_NO_SECRET}[^\s\"',;]{{6,}}", re.I
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            rf"((?<![\w-])--(?:[a-z]{{1,12}}-)?(?:{_NAMES}|pass|cookie)(?:=|\s{{1,20}}))"
            rf"(?![-\[<]|\$[A-Za-z_({{])(?:\"[^\"\n]{{1,400}}\"|'[^'\n]{{1,400}}'|[^\s\"']+)",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            r"((?<![\w-])(?:-u\s{0,8}|--user[=\s]\s{0,8})[\"']?)(?!\d+:\d+(?!\S))"
            r"[^\s\"':/]{0,128}:[^\s\"'/][^\s\"']{0,256}"
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            r"((?:aws|secret|access.?key)[^\n]{0,40}?(?<![A-Za-z0-9/+]))[A-Za-z0-9/+]{40}"
            r"(?![A-Za-z0-9/+=])",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        lazy_pattern(
            _START + r"(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*\d)"
            r"[A-Za-z0-9]{32,}(?![A-Za-z0-9])"
        ),
        SECRET,
    ),
)
_WORD_EDGE = lazy_pattern(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_KEY = lazy_pattern(
    rf"(?:\A|.*[_.\s-])-{{0,2}}(?:{_NAMES}|pass|cookie)(?:[_-]?(?:value|text|hash|\d+))?\Z",
    re.I | re.S,
)
_SECRET_FLAG = lazy_pattern(rf"--?(?:[a-z]{{1,12}}-)?(?:{_NAMES}|pass|cookie)\Z", re.I)


def redact_secrets(text: str) -> str:
    """The text with credentials, private keys and e-mail addresses taken out.

    Whoever redacts text of others passes it through `visible` first: a character that nobody
    sees would break a pattern.
    """
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def redact_values(value: Any, depth: int = 0) -> Any:
    """A JSON value with every text in it redacted, and all that stands under a secret's name."""
    if depth > MOST_DEPTH:
        return "[left out]"
    if isinstance(value, str):
        return redact_secrets(value)
    if isinstance(value, Mapping):
        return {
            redact_secrets(str(key)): _hidden(inner, depth + 1)
            if _names_a_secret(str(key))
            else redact_values(inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return _redacted_list(value, depth + 1)
    return value


def visible(text: str) -> str:
    """Composed letters (NFKC), without colours and characters that nobody sees.

    Line feeds and tabs stay; the line and paragraph separators become line feeds.
    """
    text = _ASCII_CONTROL.sub("", _COLOUR.sub("", text))
    if text.isascii():
        return text
    # Each character is looked at once, however often it stands there.
    seen = text.translate({ord(c): None for c in set(text) if not _is_seen(c)})
    composed = "".join(
        unicodedata.normalize("NFKC", seen[start : start + _NORMALISED_CHARS])
        for start in range(0, len(seen), _NORMALISED_CHARS)
    )
    return composed.replace("\u2028", "\n").replace("\u2029", "\n")


def _is_seen(character: str) -> bool:
    if character in "\n\t":
        return True
    return unicodedata.category(character) not in _INVISIBLE_CLASSES and (
        ord(character) not in _BLANKS
    )


def _names_a_secret(key: str) -> bool:
    return len(key) <= 200 and _SECRET_KEY.match(_WORD_EDGE.sub("_", key)) is not None


def _hidden(value: Any, depth: int) -> Any:
    """What stands under a secret's name: every text and number of it."""
    if depth > MOST_DEPTH or not isinstance(value, Mapping | list | tuple):
        return value if value is None or isinstance(value, bool) or value == "" else SECRET
    if isinstance(value, Mapping):
        return {redact_secrets(str(key)): _hidden(v, depth + 1) for key, v in value.items()}
    return [_hidden(inner, depth + 1) for inner in value]


def _redacted_list(values: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
    """The values; what follows a flag such as `--token` is hidden, and `user:password` of `-u`."""
    redacted: list[Any] = []
    before: Any = None
    for value in values:
        follows = isinstance(value, str) and isinstance(before, str)
        hidden = follows and _follows_a_flag(before, value)
        redacted.append(SECRET if hidden else redact_values(value, depth))
        before = value
    return redacted


def _follows_a_flag(flag: str, value: str) -> bool:
    if flag in ("-u", "--user"):
        return ":" in value
    return len(flag) <= 100 and _SECRET_FLAG.match(flag) is not None
