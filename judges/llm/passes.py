"""The passes over a session: find moments in each window, then verify them against its steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from agent_core.model import ChatMessage, ResponseSchema
from agent_core.session import Session
from judges.llm.reading import Reading
from judges.llm.request import ModelRequest
from judges.llm.rounds import Question, Round, ask
from judges.prompts import prompt
from judges.replies import (
    FindReply,
    FoundMoment,
    Verdict,
    find_schema,
    read_find,
    read_rewrite,
    read_verify,
    rewrite_schema,
    verify_schema,
)
from judges.rubric import Rubric
from judges.transcript import NumberedStep, as_data

_CONTEXT_STEPS = 6
"""Steps around a moment that the verify pass sees."""

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

    def rewriting(self, asked: Sequence[tuple[str, str]]) -> Question[list[str]]:
        """The question for other words in place of `asked`: pairs of a text and its fault."""
        listed = "\n".join(f"{n}. ({why}) {text}" for n, (text, why) in enumerate(asked, start=1))
        request = self._request(prompt("rewrite", self.rubric), listed, rewrite_schema())
        return Question(request, partial(read_rewrite, count=len(asked)))

    def _find(self, reading: Reading, window: Window) -> Question[FindReply]:
        data = as_data(window, reading.session, self.salt)
        request = self._request(prompt("find", self.rubric), data, find_schema(self.rubric))
        numbers = [step.number for step in window]
        return Question(request, partial(read_find, rubric=self.rubric, steps=numbers))

    def _verify(
        self, reading: Reading, window: Window, moments: Sequence[FoundMoment]
    ) -> Question[list[Verdict]]:
        claims = "\n".join(
            f"{n}. {m.polarity} {m.type} at step {m.step}" for n, m in enumerate(moments, start=1)
        )
        near = [step for step in window if _is_near(step.number, moments)]
        data = as_data(near, reading.session, self.salt)
        request = self._request(
            prompt("verify", self.rubric), f"{claims}\n\n{data}", verify_schema()
        )
        return Question(request, partial(read_verify, count=len(moments)))

    def _request(self, instructions: str, data: str, schema: ResponseSchema) -> ModelRequest:
        """Stable text first, so that an endpoint can cache the prefix."""
        messages = (ChatMessage("system", instructions), ChatMessage("user", data))
        return ModelRequest(self.model, messages, schema)


def _applies(moment: FoundMoment, session: Session) -> bool:
    """Of an autonomous run only errors count: nobody is there to feel the rest."""
    return not session.is_autonomous or moment.type == "error_event"


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
