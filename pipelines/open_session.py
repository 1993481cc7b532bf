"""A session whose requests are being answered, in any order, by whoever makes the calls."""

from collections import deque
from collections.abc import Mapping, Sequence

from agent_core.errors import ModelReplyError
from agent_core.model import ModelReply
from agent_core.session import Session
from judges.llm import Answer, Judging, ModelRequest
from judges.verdict import Judgement


class OpenSession:
    """Runs a session's judging as far as its answers lead; makes no calls itself.

    `kept` are answers of an earlier run, by the hash of their request: they are not asked for.
    """

    def __init__(
        self, session: Session, content_hash: str, judging: Judging, kept: Mapping[str, ModelReply]
    ) -> None:
        self.session = session
        self.content_hash = content_hash
        self.judgement: Judgement | None = None
        self.reused = 0
        self.failures: list[ModelReplyError] = []
        """Calls of it that failed."""
        self._judging = judging
        self._kept = kept
        self._round: Sequence[ModelRequest] = ()
        self._answers: dict[str, Answer] = {}
        self._replies: dict[str, ModelReply] = {}
        self._unsent: deque[ModelRequest] = deque()
        self._begin()

    @property
    def key(self) -> str:
        return self.session.key

    @property
    def unsent(self) -> Sequence[ModelRequest]:
        """Requests of this round that somebody has to make."""
        return self._unsent

    @property
    def is_cut_short(self) -> bool:
        """Whether it is unscored since a call failed: its answers are good."""
        return self._is_unscored and bool(self.failures)

    @property
    def unusable(self) -> Mapping[str, ModelReply]:
        """Of a session that is unscored for some of its answers: these; the others are good."""
        names = self.judgement.unusable if self.judgement else ()
        return {name: self._replies[name] for name in names if name in self._replies}

    @property
    def can_go_on(self) -> bool:
        """Whether its next attempt can use answers of this one."""
        return self.is_cut_short or (self._is_unscored and bool(self.unusable))

    @property
    def _is_unscored(self) -> bool:
        return self.judgement is not None and self.judgement.status == "unscored"

    def sent(self) -> None:
        """The first of the unsent requests is on its way."""
        self._unsent.popleft()

    def take(self, request: ModelRequest, answer: Answer) -> None:
        """Take an answer in; after the last of a round comes the next, or the judgement."""
        self._answers[request.request_hash] = answer
        if isinstance(answer, ModelReplyError):
            self.failures.append(answer)
        else:
            self._replies[request.request_hash] = answer
        self._go_on()

    def _begin(self) -> None:
        try:
            self._open_round(next(self._judging))
        except StopIteration as done:
            self.judgement = done.value
            return
        self._go_on()

    def _go_on(self) -> None:
        while all(request.request_hash in self._answers for request in self._round):
            answers = [self._answers[request.request_hash] for request in self._round]
            try:
                self._open_round(self._judging.send(answers))
            except StopIteration as done:
                self.judgement = done.value
                return

    def _open_round(self, requests: Sequence[ModelRequest]) -> None:
        self._round = requests
        asked = {request.request_hash: request for request in requests}
        known = {name: self._kept[name] for name in asked if name in self._kept}
        self.reused += len(known)
        self._answers = dict(known)
        self._replies |= known
        self._unsent = deque(asked[name] for name in asked if name not in known)
