"""How far a session gets with the answers that are kept: to its verdict, or to what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent_core.errors import ModelReplyError
from judges.llm import Answer, Judging, ModelRequest
from judges.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Missing:
    """Requests of one round, by their hash, that have no answer yet."""

    requests: Mapping[str, ModelRequest]


@dataclass(frozen=True, slots=True)
class Reached:
    """The end of a session's judging, and the first call of it that had failed."""

    judgement: Judgement
    failure: ModelReplyError | None


def advance(judging: Judging, answers: Mapping[str, Answer]) -> Missing | Reached:
    """Run `judging` from its start with `answers` by request hash; calls nobody.

    A round is answered whole or not at all: it stops at the first that lacks an answer.
    """
    failure: ModelReplyError | None = None
    try:
        requests = next(judging)
        while True:
            asked = {request.request_hash: request for request in requests}
            missing = {name: asked[name] for name in asked if name not in answers}
            if missing:
                judging.close()
                return Missing(missing)
            given = [answers[request.request_hash] for request in requests]
            failed = [answer for answer in given if isinstance(answer, ModelReplyError)]
            failure = failure or next(iter(failed), None)
            requests = judging.send(given)
    except StopIteration as done:
        return Reached(done.value, failure)
