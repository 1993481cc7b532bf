"""Error classes and signatures: the same failure groups over sessions."""

import hashlib
import hmac
import re
from typing import Literal, get_args

ErrorClass = Literal[
    "timeout",
    "no_match",
    "not_found",
    "permission",
    "invalid_arguments",
    "syntax",
    "test_failure",
    "command_failed",
    "rate_limit",
    "network",
    "output_limit",
    "unknown_tool",
    "rejected",
    "api_error",
    "other",
]
ERROR_CLASSES: tuple[str, ...] = get_args(ErrorClass)

# The first pattern that occurs in the text decides: the specific stand before the general.
_CLASS_TEXTS: tuple[tuple[ErrorClass, str], ...] = (
    ("rejected", r"user doesn't want to proceed|rejected by (the )?user|user rejected"),
    ("timeout", r"timed? ?out|timeout|deadline exceeded|etimedout"),
    ("rate_limit", r"rate.?limit|too many requests|\b429\b|overloaded"),
    ("network", r"connection (refused|reset)|could not resolve|econn|network is unreachable"),
    (
        "no_match",
        r"string to replace not found|no match|not unique|does not (match|occur)"
        r"|failed to find expected lines|matches of the string",
    ),
    ("unknown_tool", r"unknown tool|no such tool|tool not found|unsupported call"),
    (
        "invalid_arguments",
        r"inputvalidationerror|invalid (argument|parameter|input|option)"
        r"|missing required|unexpected (keyword )?argument|unrecognized",
    ),
    ("permission", r"permission denied|not permitted|access denied|forbidden|read-only"),
    ("not_found", r"no such file|not found|does not exist|cannot find|enoent|404"),
    ("output_limit", r"exceeds maximum|too large|output too long|maximum allowed"),
    ("syntax", r"syntax ?error|unexpected token|parse error|indentationerror|cannot parse"),
    ("test_failure", r"\d+ failed|test(s)? failed|assertionerror|\bFAIL\b|--- fail"),
    ("api_error", r"api error|internal server error|\b50[0-9]\b"),
    ("command_failed", r"exit(ed)?( with)?( status| code)?:? ?[1-9]\d*|returncode|traceback"),
)
_CLASS_PATTERNS = tuple((name, re.compile(text, re.IGNORECASE)) for name, text in _CLASS_TEXTS)

_NORMALISERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "<id>"),
    (re.compile(r"(?<![\w.@+-])(?:[A-Za-z]:)?(?:[\w.@+-]*[/\\])+[\w.@+-]*"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{7,40}\b", re.I), "<id>"),
    (re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`"), "<text>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
    (re.compile(r"\s+"), " "),
)
_SIGNATURE_CHARS = 160
_CLASSIFIED_CHARS = 4000
_LINE_CHARS = 400


def classify_error(text: str) -> ErrorClass:
    """The closed class of a failure, from its text; `other` when nothing is recognised."""
    text = text[:_CLASSIFIED_CHARS]
    return next((name for name, pattern in _CLASS_PATTERNS if pattern.search(text)), "other")


def error_signature(text: str) -> str:
    """The first telling line of a failure with paths, ids, quotes and numbers taken out."""
    lines = [line.strip() for line in text[:_CLASSIFIED_CHARS].splitlines() if line.strip()]
    telling = next(
        (line for line in lines if _looks_like_an_error(line)), lines[0] if lines else ""
    )
    telling = telling[:_LINE_CHARS]
    for pattern, replacement in _NORMALISERS:
        telling = pattern.sub(replacement, telling)
    return telling.strip().lower()[:_SIGNATURE_CHARS]


def _looks_like_an_error(line: str) -> bool:
    return bool(re.search(r"error|fail|fatal|denied|not found|timed? ?out|exception", line, re.I))


def salted_signature(error_class: str, signature: str, salt: bytes) -> str:
    """`class:hash`, what leaves the `steps` table in the place of a signature's text."""
    digest = hmac.new(salt, signature.encode(), hashlib.sha256).hexdigest()
    return f"{error_class}:{digest[:12]}"
