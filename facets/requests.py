"""Requests that a session left unserved, as abstracts of a closed vocabulary.

A turn of the person that asks for something opens an exchange, which runs to the next turn. It is
read by its end: the agent says that it does not do this, gives the person to a human, has no tool
or no permission for it, or the person gives up. A request that is served later in the session is
no gap, and one whose end does not show is neither served nor unserved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent_core.session import Session, Step
from facets.endings import (
    Ending,
    Limit,
    claims_service,
    failed_for,
    gives_up,
    has_failed,
    is_handed_over,
    last_words,
    limits,
)
from facets.topics import (
    ANYTHING,
    Asked,
    action_words,
    actions_in,
    asked_for,
    prose,
    sentences,
    topic_words,
    topics_in,
    vocabulary_version,
    words,
)

RULES_VERSION = "1"
ENDING_WORDS: dict[Ending, str] = {
    "declined": "the agent said that it could not",
    "handed_over": "the agent passed the person on to a human",
    "no_tool": "the agent had no tool for it",
    "no_permission": "the agent had no permission for it",
    "gave_up": "the person gave up",
}


class UnservedRequest(NamedTuple):
    """A request and how it ended; nothing in it is a word of the session."""

    source_ref: str
    """The turn that asked."""
    action: str
    topic: str
    ending: Ending

    @property
    def abstract(self) -> str:
        """A sentence of closed words; the topic leads, so that its vector is a matter of it."""
        topic = topic_words(self.topic)
        wish = f"the person asked {action_words(self.action)} {topic}"
        return f"{topic}: {wish}, {ENDING_WORDS[self.ending]}"


class RequestReading(NamedTuple):
    """What a session asked for."""

    unserved: tuple[UnservedRequest, ...]
    asked: tuple[str, ...]
    """Topics, sorted."""
    served: tuple[str, ...]
    """Those of `asked` for which something was done, sorted."""


def requests_version() -> str:
    """Of rules and vocabulary: with another one, sessions are read anew."""
    return f"{RULES_VERSION}/{vocabulary_version()}"


def read_requests(session: Session) -> RequestReading:
    """What the person asked for, and what of it stayed unserved, once each.

    A run without a person asks for nothing. Steps copied from another session are left out.
    """
    book = _Book()
    exchanges = list(_exchanges(session))
    for number, exchange in enumerate(exchanges):
        asked = asked_for(prose(exchange.turn.text))
        book.open(asked, exchange.turn.source_ref)
        following = exchanges[number + 1].turn if number + 1 < len(exchanges) else None
        _settle(book, exchange, asked, following)
    return book.reading()


class _Exchange(NamedTuple):
    turn: Step
    steps: Sequence[Step]
    """What followed it, up to the next turn."""


def _exchanges(session: Session) -> Iterator[_Exchange]:
    turn: Step | None = None
    steps: list[Step] = []
    for step in session.steps:
        if step.is_copied_context:
            continue
        if step.is_person:
            if turn is not None:
                yield _Exchange(turn, steps)
            turn, steps = step, []
        else:
            steps.append(step)
    if turn is not None:
        yield _Exchange(turn, steps)


@dataclass(slots=True)
class _Book:
    """Requests of a session so far, by where they were asked last."""

    refs: dict[Asked, str] = field(default_factory=dict)
    served: set[Asked] = field(default_factory=set)
    unserved: dict[Asked, Ending] = field(default_factory=dict)

    def open(self, asked: Sequence[Asked], source_ref: str) -> None:
        for one in reversed(asked):  # the first of a turn is the latest: it is spoken of next
            self.refs.pop(one, None)
            self.refs[one] = source_ref

    def latest(self) -> Asked | None:
        """The request that the talk is about where a turn names none."""
        return next((one for one in reversed(self.refs) if one not in self.served), None)

    def of_latest_turn(self) -> list[Asked]:
        """All that the turn asked which asked `latest`."""
        latest = self.latest()
        ref = self.refs[latest] if latest is not None else None
        return [one for one in self.refs if self.refs[one] == ref]

    def serve(self, asked: Asked) -> None:
        """Done: also what was refused of the same before."""
        self.served.add(asked)
        for known in [one for one in self.unserved if _is_same(one, asked)]:
            del self.unserved[known]

    def refuse(self, asked: Asked, ending: Ending) -> None:
        if ending == "gave_up" and asked in self.unserved:
            return
        self.unserved[asked] = ending
        self.served.discard(asked)

    def reading(self) -> RequestReading:
        unserved = [
            UnservedRequest(self.refs[one], one.action, one.topic, ending)
            for one, ending in self.unserved.items()
        ]
        return RequestReading(
            tuple(unserved),
            tuple(sorted({one.topic for one in self.refs})),
            tuple(sorted({one.topic for one in self.served})),
        )


def _settle(
    book: _Book, exchange: _Exchange, asked: Sequence[Asked], following: Step | None
) -> None:
    """Enter how the exchange ended; a stop by the person says nothing of the agent."""
    if any(step.event in ("interrupt", "rejection") for step in exchange.steps):
        return
    said = last_words(exchange.steps)
    is_done = claims_service(said)
    refused = _refused(book, exchange, asked, said, is_done)
    for one, ending in refused.items():
        book.refuse(one, ending)
    if is_done:
        for one in _served(asked or book.of_latest_turn(), refused, said):
            book.serve(one)
    elif not refused and following is not None and gives_up(following.text):
        _give_up(book, exchange, asked)


def _served(asked: Sequence[Asked], refused: Mapping[Asked, Ending], said: str) -> list[Asked]:
    """What a claim is about: all that was asked, or beside a refusal what the claim names."""
    if not refused:
        return list(asked)
    stated = {limit.sentence for limit in limits(said)}
    told = [words(part) for part in sentences(prose(said)) if part not in stated]
    named = {topic for part in told for topic in topics_in(part)}
    return [one for one in asked if one not in refused and one.topic in named]


def _refused(
    book: _Book, exchange: _Exchange, asked: Sequence[Asked], said: str, is_done: bool
) -> dict[Asked, Ending]:
    stated = [limit for limit in limits(said) if not (limit.is_aside and is_done)]
    if is_handed_over(exchange.steps):
        about = _refused_before(book, asked) or next(iter(asked), None) or book.latest()
        return {about: "handed_over"} if about is not None else {}
    stopped = failed_for(exchange.steps)
    if stopped is not None and asked and not stated and not is_done:
        return {asked[0]: stopped}
    refused: dict[Asked, Ending] = {}
    for limit in stated:
        about = _about(book, limit, asked)
        if about is not None:
            refused.setdefault(about, stopped or limit.ending)
    return refused


def _refused_before(book: _Book, asked: Sequence[Asked]) -> Asked | None:
    """What a person is given to a human for: what was refused last, unless they ask anew."""
    topics = {one.topic for one in asked}
    refused = [one for one in reversed(book.unserved) if not topics or one.topic in topics]
    return next(iter(refused), None)


def _about(book: _Book, limit: Limit, asked: Sequence[Asked]) -> Asked | None:
    """The request that a limit speaks of: the newest of its topic and action.

    One that names no topic speaks of the turn before it, or of what was asked in its own words;
    one that names a topic which nobody asked about speaks of something else.
    """
    said = words(limit.sentence)
    topics, actions = topics_in(said), actions_in(said)
    newest = [*asked, *(one for one in reversed(book.refs) if one not in asked)]
    if topics:
        of_topic = [one for one in newest if one.topic in topics]
        return next((one for one in of_topic if _suits(one, actions)), None)
    if actions:
        return next((one for one in newest if one.action in actions), None)
    return next(iter(asked), None) or book.latest()


def _suits(asked: Asked, actions: set[str]) -> bool:
    return not actions or asked.action == ANYTHING or asked.action in actions


def _give_up(book: _Book, exchange: _Exchange, asked: Sequence[Asked]) -> None:
    """The person lets go where the calls had failed."""
    about = next(iter(asked), None) or book.latest()
    if has_failed(exchange.steps) and about is not None:
        book.refuse(about, "gave_up")


def _is_same(one: Asked, other: Asked) -> bool:
    is_open = ANYTHING in (one.action, other.action)
    return one.topic == other.topic and (is_open or one.action == other.action)
