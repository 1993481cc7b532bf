"""Ids for conversations whose logs give them none, or none that tells them apart."""

import hashlib
import json
from typing import Any


class SessionNames:
    """Gives each conversation of one file an id of its own; equal ones share theirs."""

    def __init__(self) -> None:
        self._given: dict[str, dict[str, str]] = {}
        self._taken: set[str] = set()

    def name(self, wanted: str, content: Any) -> str:
        """The wanted id, with `#2`, `#3`… when another conversation of the file has it.

        `content` is the JSON value of the conversation.
        """
        given = self._given.setdefault(wanted, {})
        content_digest = digest(content)
        if content_digest not in given:
            given[content_digest] = self._free(wanted, len(given) + 1)
        return given[content_digest]

    def _free(self, wanted: str, number: int) -> str:
        name = wanted if number == 1 else f"{wanted}#{number}"
        while name in self._taken:
            number += 1
            name = f"{wanted}#{number}"
        self._taken.add(name)
        return name


def digest(content: Any) -> str:
    """32 hexadecimal digits that only equal JSON values share."""
    told = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
