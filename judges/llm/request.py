"""What the model is asked: a request with a stable name, so that its answer is paid for once."""

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from agent_core.errors import ModelReplyError
from agent_core.model import ChatMessage, ModelReply, ResponseSchema
from judges.verdict import Judgement


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call to the model named; nobody has made it yet."""

    model: str
    messages: tuple[ChatMessage, ...]
    schema: ResponseSchema

    @property
    def request_hash(self) -> str:
        """Hex SHA-256 of model, messages and schema: the same on every machine and in every run."""
        parts = {
            "model": self.model,
            "messages": [[message.role, message.content] for message in self.messages],
            "schema": [self.schema.name, dict(self.schema.schema)],
        }
        # ASCII escapes: a text from a log may hold half a surrogate pair, which UTF-8 has not.
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


Answer = ModelReply | ModelReplyError
"""What came of a request: a reply, or why this one call failed."""

Judging = Generator[Sequence[ModelRequest], Sequence[Answer], Judgement]
"""A session being judged, without any I/O.

Yields rounds of requests that do not depend on each other, is sent their answers in the same
order, and returns the judgement. Asked the same and answered the same, it does the same: whoever
keeps the answers can begin anew and get as far without paying.
"""
