"""How many tokens a request is expected to take: guessed at first, then learnt from the usage."""

import json
from dataclasses import dataclass

from agent_core.model import ModelReply
from agent_core.session import Tokens
from judges.llm import ModelRequest

BYTES_PER_TOKEN = 4.0
"""About what text and code take in the tokenizers of today; measured again in each run."""
RECEIVED_A_CALL = 600
"""Tokens of a short verdict with some thought before it; measured again in each run."""
# What the guesses weigh against what the run has seen.
_GUESSED_BYTES, _GUESSED_CALLS = 100_000, 2


@dataclass(slots=True)
class TokenRates:
    """Bytes to tokens, as the endpoint counts them."""

    seen_bytes: int = 0
    seen_sent: int = 0
    seen_received: int = 0
    seen_calls: int = 0

    def expected(self, request: ModelRequest) -> Tokens:
        """What a call is expected to take, nothing of it cached."""
        guessed = _GUESSED_BYTES / BYTES_PER_TOKEN
        per_byte = (guessed + self.seen_sent) / (_GUESSED_BYTES + self.seen_bytes)
        received = _GUESSED_CALLS * RECEIVED_A_CALL + self.seen_received
        return Tokens(
            input=round(request_bytes(request) * per_byte),
            output=round(received / (_GUESSED_CALLS + self.seen_calls)),
        )

    def learn(self, request: ModelRequest, reply: ModelReply) -> None:
        """Take in the usage of a call; an endpoint that reports none teaches nothing."""
        if reply.tokens.input > 0:
            self.seen_bytes += request_bytes(request)
            self.seen_sent += reply.tokens.input
            self.seen_received += reply.tokens.output
            self.seen_calls += 1


def request_bytes(request: ModelRequest) -> int:
    """UTF-8 bytes of what is sent: messages and schema.

    Bytes, since a script without spaces takes about as many tokens a byte as any other.
    """
    texts = (message.content for message in request.messages)
    schema = json.dumps(dict(request.schema.schema))
    return len(schema) + sum(len(text.encode("utf-8", "replace")) for text in texts)
