"""The passes over a session: find moments in each window, then verify them against its steps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from agent_core.model import ChatMessage
from agent_core.redaction import redact_secrets, visible
from agent_core.session import Session
from judges.llm.reading import Reading
from judges.llm.request import ModelRequest
from judges.llm.rounds import Question, Round, ask
from judges.prompts import prompt
from judges.replies import (
    FindReply,
    FoundMoment,
    Verdict,
    pass_schema,
    read_find,
    read_rewrite,
    read_verify,
    rewrite_schema,
)
from judges.rubric import Rubric
from judges.transcript import NumberedStep, as_data, delimited

_CONTEXT_STEPS = 6
"""Steps around a moment that the verify pass has to see."""
_SHARE_TO_REPEAT = 0.25
"""Share of a window near its moments from which on verify repeats the window whole.

Repeated, it is read from the endpoint's cache; cut to what is near, it is new text at full price.
The break-even is the price of a cached token. On 760 windows of real sessions, with the rules'
moments for the model's, against cutting always this takes 8 % off the input's price where a cached
token costs a tenth, 5 % at a quarter, and adds 1 % at a half and 11 % where nothing is cached.
"""

Window = Sequence[NumberedStep]


@dataclass(frozen=True, slots=True)
class Passes:
    """How the model named is asked about windows of a session."""

    model: str
    rubric: Rubric
    salt: bytes

    def find(self, reading: Reading, windows: Sequence[Window]) -> Round[list[FindReply]]:
        """What the model finds in each window. Raises as `ask` does."""
        questions = [self._find(reading, window) for window in windows]
        return (yield from ask(questions, reading.spent))

    def verify(
        self, reading: Reading, windows: Sequence[Window], replies: Sequence[FindReply]
    ) -> Round[list[FoundMoment]]:
        """The moments that hold, with the verifier's severity and confidence; once each."""
        claimed = [
            (window, moments)
            for window, reply in zip(windows, replies, strict=True)
            if (moments := [m for m in reply.moments if _applies(m, reading.session)])
        ]
        questions = [self._verify(reading, window, moments) for window, moments in claimed]
        verdicts = yield from ask(questions, reading.spent)
        held = [
            _as_verified(moment, verdict)
            for (_, moments), given in zip(claimed, verdicts, strict=True)
            for moment, verdict in zip(moments, given, strict=True)
            if verdict.holds
        ]
        return _merged(held)

    def rewriting(self, session: Session, asked: Sequence[tuple[str, str]]) -> Question[list[str]]:
        """The question for other words in place of `asked`: pairs of a text and its fault.

        A text that was turned down may hold what somebody planted in the session: it is data.
        """
        lines = [_rewritten_line(n, text, why) for n, (text, why) in enumerate(asked, start=1)]
        listed = delimited(lines, session, self.salt)
        messages = (
            ChatMessage("system", prompt("rewrite", self.rubric)),
            ChatMessage("user", listed),
        )
        request = ModelRequest(self.model, messages, rewrite_schema())
        return Question(request, partial(read_rewrite, count=len(asked)))

    def _find(self, reading: Reading, window: Window) -> Question[FindReply]:
        numbers = [step.number for step in window]
        request = self._request(reading, window, prompt("find", self.rubric))
        return Question(request, partial(read_find, rubric=self.rubric, steps=numbers))

    def _verify(
        self, reading: Reading, window: Window, moments: Sequence[FoundMoment]
    ) -> Question[list[Verdict]]:
        claims = "\n".join(
            f"{n}. {m.polarity} {m.type} at step {m.step}" for n, m in enumerate(moments, start=1)
        )
        task = f"{prompt('verify', self.rubric)}\n{claims}"
        request = self._request(reading, _shown(window, moments), task)
        return Question(request, partial(read_verify, count=len(moments)))

    def _request(self, reading: Reading, window: Window, task: str) -> ModelRequest:
        """Schema and rubric, then the data, the task last: what is cached is the leading part.

        The first two are the same in every request of a run, the data in both passes over a
        window. Nothing in the data can pass for the task: a step stays on its line, and the marker
        lines are salted. One message of the user, since some local models take no two in a row.
        """
        data = as_data(window, reading.session, self.salt)
        messages = (
            ChatMessage("system", prompt("system", self.rubric)),
            ChatMessage("user", f"{data}\n\n{task}"),
        )
        return ModelRequest(self.model, messages, pass_schema(self.rubric))


def _applies(moment: FoundMoment, session: Session) -> bool:
    """Of an autonomous run only errors count: nobody is there to feel the rest."""
    return not session.is_autonomous or moment.type == "error_event"


def _shown(window: Window, moments: Sequence[FoundMoment]) -> Window:
    """The window as it was searched where most of it is needed, else the steps near the moments."""
    near = [step for step in window if _is_near(step.number, moments)]
    is_much = _chars(near) >= _SHARE_TO_REPEAT * _chars(window)
    return window if is_much else near


def _chars(steps: Window) -> int:
    return sum(len(step.line) for step in steps)


def _is_near(number: int, moments: Sequence[FoundMoment]) -> bool:
    return any(abs(number - moment.step) <= _CONTEXT_STEPS for moment in moments)


def _as_verified(moment: FoundMoment, verdict: Verdict) -> FoundMoment:
    return moment.model_copy(
        update={"severity": verdict.severity, "confidence": verdict.confidence}
    )


def _merged(moments: Sequence[FoundMoment]) -> list[FoundMoment]:
    """Overlapping windows find the same moment twice: the more certain one stays."""
    best: dict[tuple[str, str, int], FoundMoment] = {}
    for moment in sorted(moments, key=lambda m: m.confidence):
        best[moment.polarity, moment.type, moment.step] = moment
    return sorted(best.values(), key=lambda m: (m.step, m.polarity != "friction", m.type))


def _rewritten_line(number: int, text: str, fault: str) -> str:
    said = {"number": number, "fault": fault, "text": redact_secrets(visible(text))}
    return json.dumps(said, ensure_ascii=False)
