"""Error classes and signatures: the same failure groups over sessions."""

import hashlib
import hmac
import re
from typing import Literal, get_args

from agent_core.error_line import telling_line
from agent_core.lazy_pattern import lazy_pattern

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

# The first that occurs in the lowered text decides: the specific stand before the general.
_CLASS_TEXTS: tuple[tuple[ErrorClass, str], ...] = (
    (
        "rejected",
        r"user doesn't want to (proceed|take this action)|rejected by (the )?user|user rejected",
    ),
    ("timeout", r"timed? ?out|timeout|deadline exceeded|etimedout"),
    ("rate_limit", r"rate.?limit|too many requests|\b429\b|overloaded"),
    ("network", r"connection (refused|reset)|could not resolve|econn|network is unreachable"),
    (
        "no_match",
        r"string to replace not found|no match|not unique|(does|did) not (match|occur)"
        r"|failed to find expected lines|matches of the string",
    ),
    ("unknown_tool", r"unknown tool|no such tool|tool not found|unsupported call"),
    (
        "invalid_arguments",
        r"inputvalidationerror|invalid (argument|parameter|input|option)"
        r"|missing required|unexpected (keyword )?argument|unrecognized",
    ),
    (
        "permission",
        r"permission denied|permission for this action was denied|not permitted|access denied"
        r"|forbidden|read-only",
    ),
    ("not_found", r"no such file|not found|does not exist|cannot find|enoent|\b404\b"),
    ("output_limit", r"exceeds maximum|too large|output too long|maximum allowed"),
    ("syntax", r"syntax ?error|unexpected token|parse error|indentationerror|cannot parse"),
    ("test_failure", r"\d+ failed|test(s)? failed|assertionerror|\bfail\b|--- fail"),
    ("api_error", r"api error|internal server error|\b50[0-9]\b"),
    ("command_failed", r"exit(ed)?( with)?( status| code)?:? ?[1-9]\d*|returncode|traceback"),
)
_CLASS_PATTERNS = tuple((name, lazy_pattern(text)) for name, text in _CLASS_TEXTS)

_EXTENSIONS = (
    "py|pyi|ipynb|js|mjs|cjs|ts|tsx|jsx|go|rs|c|h|cc|cpp|hpp|java|kt|rb|php|cs|swift|sh|sql|md|mdx"
    "|rst|txt|json|jsonl|yaml|yml|toml|ini|cfg|lock|log|html|css|svg|png|jpg|pdf|csv|xml|mod|sum|env"
)
# What differs from case to case, in this order: a path may hold an id, an id may hold a number.
_DIFFERING: tuple[tuple[str, str], ...] = (
    (r"https?://\S+|\b[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}", "<url>"),
    (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]{0,16})?(?:Z|[+-]\d\d:?\d\d)?", "<n>"),
    (r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
    (r"\b(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?\b", "<host>"),
    (r"(?<![\w\"'`])(?:\"[^\"]*\"|`[^`']*[`']|'[^']*'(?!\w)|‘[^’]*’|“[^”]*”)", "<text>"),
    (r"(?<![\w-])--?[A-Za-z][\w-]{1,60}(?=[\s.,;:!?]|$)", "<text>"),
    (r"(?<![\w.@+~<-])~?(?:[A-Za-z]:)?(?:[\w.@+~-]*[/\\])+[\w.@+~-]*", "<path>"),
    (rf"(?<![\w<])\.?[\w-]{{1,80}}(?:\.[\w-]{{1,80}})*\.(?:{_EXTENSIONS})\b", "<path>"),
    (r"(?<=<path>)(?:(?::\d+){1,2}(?:-\d+)?|\(\d+,\d+\))", ""),
    (r"(?i)\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{7,40}\b", "<id>"),
    (r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{16,}\b", "<id>"),
    (r"(?<![A-Za-z\d])\d+(?:\.\d+)?\s?(?:[mnuµ]?s|secs?|seconds?|mins?|minutes?)\b", "<n>"),
    # Names of things in code that stand without quotes.
    (
        r"(?<=[ (])(?:[a-z]\w*[A-Z]\w*|[A-Za-z_]\w*(?:\.\w+)+|\w+(?:-\w+){2,})(?:\(\w{0,40}\))?",
        "<text>",
    ),
    (r"\b((?:undefined|not used|unknown \w{1,20}): )[\w.-]{1,80}(?: \(typecheck\))?$", r"\1<text>"),
    # Digits after a capital are a code (TS2304, E501): they name the failure.
    (r"(?<![A-Z\d])\d+(?:[.,:]\d+)*", "<n>"),
    (r"(<(?:n|id|path|text|url|host)>)(?:(?: |, ?| and )\1)+", r"\1"),
    (r"^<path>:? (?=\w)", ""),
    (r"\s+", " "),
)
_NORMALISERS = tuple((lazy_pattern(pattern), replacement) for pattern, replacement in _DIFFERING)
_LABEL = lazy_pattern(
    r"^(?:(?:fatal|error|err!|apply_patch verification failed|\(eval\):\d+"
    r"|(?:ba|z)?sh:(?: line)? ?\d+):\s+)+",
    re.I,
)
"""What programs put before any failure."""
_SETTLED = lazy_pattern(r"exit code (?:\d+|<n>)|(?:command not found|linter): .*")
"""Lines that hold nothing but what names the failure."""
_SENTENCE = lazy_pattern(r"(?<=[a-z>)])\. (?=[A-Z<])|\s*\[$|[.:,;\s]+$")
_SIGNATURE_CHARS = 160
_CLASSIFIED_CHARS = 4000
_REJECTED = _CLASS_PATTERNS[0][1]


def describe_failure(text: str) -> tuple[ErrorClass, str]:
    """The class and the signature of a failure, from its text."""
    line = telling_line(text)
    return _class(line, text), _signature(line)


def classify_error(text: str) -> ErrorClass:
    """The closed class of a failure, from its telling line, else from its text; else `other`."""
    return _class(telling_line(text), text)


def error_signature(text: str) -> str:
    """The line that tells what failed, without what differs from case to case: paths, places,
    ids, quotes, numbers, times, hosts.
    """
    return _signature(telling_line(text))


def _class(line: str, text: str) -> ErrorClass:
    for told in (line, text[:_CLASSIFIED_CHARS]):
        lowered = told.lower()
        for name, pattern in _CLASS_PATTERNS:
            if pattern.search(lowered):
                return name
    return "other"


def _signature(line: str) -> str:
    if _REJECTED.search(line.lower()):
        return "rejected by the user"
    if _SETTLED.fullmatch(line):
        return line.lower()
    line = _LABEL.sub("", line)
    for pattern, replacement in _NORMALISERS:
        line = pattern.sub(replacement, line)
    first_sentence = _SENTENCE.split(line.strip(), maxsplit=1)[0]
    return (first_sentence or line).strip().lower()[:_SIGNATURE_CHARS]


def salted_signature(error_class: str, signature: str, salt: bytes) -> str:
    """`class:hash`, what leaves the `steps` table in the place of a signature's text."""
    digest = hmac.new(salt, signature.encode(), hashlib.sha256).hexdigest()
    return f"{error_class}:{digest[:12]}"
