"""A round of questions: all at once, and those answered unusably once more."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent_core.errors import ModelReplyError
from agent_core.model import ChatMessage, ModelReply
from agent_core.redaction import visible
from judges.llm.reading import Spent
from judges.llm.request import Answer, ModelRequest
from judges.replies import Unusable

_Read = TypeVar("_Read")
_Sent = TypeVar("_Sent")
Round = Generator[Sequence[ModelRequest], Sequence[Answer], _Sent]


@dataclass(frozen=True, slots=True)
class Question(Generic[_Read]):
    """A request, and how its answer is read; `read` raises Unusable."""

    request: ModelRequest
    read: Callable[[ModelReply], _Read]


def ask(questions: Sequence[Question[_Read]], spent: Spent) -> Round[list[_Read]]:
    """What the questions were answered, in order, after at most one repair round.

    Raises Unusable where an answer stays unusable, ModelReplyError where a call failed.
    """
    if not questions:
        return []
    replies = yield from call([question.request for question in questions], spent)
    found: list[_Read | Unusable] = []
    for question, reply in zip(questions, replies, strict=True):
        read = _read(question, reply)
        found.append(read)
    unusable = {n: read for n, read in enumerate(found) if isinstance(read, Unusable)}
    if unusable:
        repairs = [_repair(questions[n].request, replies[n], why) for n, why in unusable.items()]
        again = yield from call(repairs, spent)
        for n, reply in zip(unusable, again, strict=True):
            found[n] = _read(questions[n], reply)
        asked = [
            (questions[n].request, repair) for n, repair in zip(unusable, repairs, strict=True)
        ]
        _raise_if_unusable([found[n] for n in unusable], asked)
    return [read for read in found if not isinstance(read, Unusable)]


def call(requests: Sequence[ModelRequest], spent: Spent) -> Round[list[ModelReply]]:
    """The replies of one round, all counted. Raises ModelReplyError where any call failed."""
    answers = yield requests
    replies = [answer for answer in answers if not isinstance(answer, ModelReplyError)]
    for reply in replies:
        spent.add(reply)
    for answer in answers:
        if isinstance(answer, ModelReplyError):
            raise answer
    return replies


def _read(question: Question[_Read], reply: ModelReply) -> _Read | Unusable:
    try:
        return question.read(reply)
    except Unusable as why:
        return why


def _raise_if_unusable(
    repaired: Sequence[_Read | Unusable], asked: Sequence[tuple[ModelRequest, ModelRequest]]
) -> None:
    """Raise the first that stays unusable, with the requests of all that do."""
    stay = [
        (read, requests)
        for read, requests in zip(repaired, asked, strict=True)
        if isinstance(read, Unusable)
    ]
    if stay:
        first = stay[0][0]
        first.requests = tuple(one.request_hash for _, requests in stay for one in requests)
        raise first


def _repair(request: ModelRequest, reply: ModelReply, why: Unusable) -> ModelRequest:
    """The same request with the answer that was given and what is wrong with it.

    A model's text may hold half a surrogate pair, which no request can hold.
    """
    given = visible(reply.text or reply.refusal or "")
    messages = (
        *request.messages,
        ChatMessage("assistant", given or "(empty)"),
        ChatMessage("user", f"This answer cannot be used: {why.words}. Answer again."),
    )
    return ModelRequest(request.model, messages, request.schema)
