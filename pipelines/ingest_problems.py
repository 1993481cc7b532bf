"""What could not be read or was unusual: file, place, reason, and what can be done about it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["unreadable", "broken record", "unusual", "unknown"]

# The first that is found in the reason says what to do.
_REMEDIES = (
    (r"denied|cannot be entered", "give this user the right to read it; the next run tries again"),
    (r"damaged|unfinished|ends early", "copy the file anew from where it came from"),
    (r"link", "nothing is lost: what the link leads to is read where it is; remove the link"),
    (r"larger than", "cut the file into smaller ones"),
    (r"rename it", "rename it"),
    (r"memory", "read it on a machine with more memory"),
    (r"No such file", "it went away while it was to be read; run again"),
    (r"\w at \w+\.py:\d+", "a fault of Signals: report the line, it holds nothing of the log"),
    (r"waits for its rest", "nothing to do: the next run reads it when it is whole"),
    (r"later than the file|before 20", "check the clock of the machine that wrote it"),
    (r"without a zone", "nothing to do, unless the machine that wrote it was not on UTC"),
    (r"id of another", "nothing to do: each is kept, known by its place in the file"),
    (r"no conversation", "nothing to do"),
)
_OF_A_KIND: dict[Kind, str] = {
    "unreadable": "the next run tries again",
    "broken record": "the rest of the file is read; mend the record, and the next run takes it",
    "unusual": "nothing to do",
    "unknown": "keep it out of the folder, or name its format with --format",
}
_PART = "part of the conversation"


@dataclass(frozen=True, slots=True)
class Problem:
    """One file, or one record of it, that could not be read or was unusual."""

    kind: Kind
    path: str
    place: str | None
    """`line:N` or a JSON pointer; None: the whole file."""
    reason: str
    remedy: str


def problems_of(path: str, status: str, detail: str) -> Iterator[Problem]:
    """The problems that the row of a file tells of; none for what is as it should be."""
    match status:
        case "unreadable":
            yield _problem("unreadable", path, detail or "cannot be read")
        case "unknown":
            yield _problem("unknown", path, detail or "of no known format")
        case "read" | "part":
            for note in filter(None, detail.split("; ")):
                if not note.startswith(_PART):
                    yield _problem("unusual", path, note)
        case "empty" if detail:
            yield _problem("unusual", path, detail)


def broken_record(path: str, place: str, reason: str) -> Problem:
    """A record in quarantine."""
    return Problem("broken record", path, place, reason, _OF_A_KIND["broken record"])


def _problem(kind: Kind, path: str, reason: str) -> Problem:
    remedies = _REMEDIES if kind != "unknown" else ()
    known = (remedy for pattern, remedy in remedies if re.search(pattern, reason))
    return Problem(kind, path, None, reason, next(known, _OF_A_KIND[kind]))
