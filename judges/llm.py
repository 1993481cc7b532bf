"""The model judge: find moments, verify each against its steps, publish abstracted text only."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import ChatMessage, ChatModel, ModelReply, ResponseSchema
from agent_core.privacy import PrivacyFilter
from agent_core.session import Session
from judges.prompts import prompt, prompt_version
from judges.replies import (
    FindReply,
    FoundMoment,
    Unusable,
    find_schema,
    read_find,
    read_rewrite,
    read_verify,
    rewrite_schema,
    verify_schema,
)
from judges.rubric import Rubric, load_rubric
from judges.rules.judge import read_scenes, unscorable
from judges.rules.moments import MomentMaker
from judges.rules.scoring import shipped_weights
from judges.rules.vocabulary import KNOWN_TOOLS
from judges.rules.wording import Scene, summary
from judges.transcript import (
    WINDOW_CHARS,
    NumberedStep,
    as_data,
    numbered_steps,
    session_texts,
    windows,
)
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore

LLM_VERSION = "1"
_CONTEXT_STEPS = 6
"""Steps around a moment that the verify pass sees."""

Privacy = Callable[[Iterable[str], frozenset[str]], PrivacyFilter]
_Read = TypeVar("_Read")


@dataclass(slots=True)
class _Spent:
    """Tokens of one session's calls."""

    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """One session while it is judged."""

    session: Session
    steps: Sequence[NumberedStep]
    scenes: Sequence[Scene]
    privacy: PrivacyFilter
    spent: _Spent = field(default_factory=_Spent)

    def scene_of(self, number: int) -> Scene:
        """The segment that holds step `number`; copied steps are in neither numbering."""
        passed = 0
        for scene in self.scenes:
            passed += len(scene.view.segment.steps)
            if number <= passed:
                return scene
        return self.scenes[-1]


class LLMJudge:
    """Judges with a chat model in two passes.

    A refusal, a cut or unreadable answer, or a step that does not exist gets one repair attempt,
    then the session is `unscored` with the reason. A model that cannot be used at all raises
    ModelError: the run stops with one line.
    """

    def __init__(
        self,
        model: ChatModel,
        rubric: Rubric | None = None,
        *,
        salt: bytes,
        privacy: Privacy = PrivacyFilter,
        target_tools: frozenset[str] = frozenset(),
        window_chars: int = WINDOW_CHARS,
    ) -> None:
        self._model = model
        self._rubric = rubric or load_rubric()
        self._salt = salt
        self._privacy = privacy
        self._target_tools = target_tools
        self._window_chars = window_chars
        self._maker = MomentMaker(self._rubric, shipped_weights(), salt, target_tools)

    @property
    def identity(self) -> JudgeIdentity:
        return JudgeIdentity(
            judge="llm",
            judge_version=LLM_VERSION,
            prompt_version=prompt_version(),
            model=self._model.name,
            rubric_version=self._rubric.version,
        )

    def __call__(self, session: Session) -> Judgement:
        """The judgement; raises ModelError only when the endpoint cannot be used."""
        reason = unscorable(session)
        if reason is not None:
            return self._unscored(session, reason, _Spent())
        reading = self._reading(session)
        try:
            return self._judged(reading)
        except Unusable as error:
            return self._unscored(session, f"model answer: {error.problem}", reading.spent)
        except ModelReplyError:
            return self._unscored(session, "model call failed", reading.spent)
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - the per-session edge: becomes a row
            return self._unscored(session, f"judge failed: {type(error).__name__}", reading.spent)

    def _reading(self, session: Session) -> _Reading:
        allowed = KNOWN_TOOLS | self._target_tools
        names = (*self._rubric.names("friction"), *self._rubric.names("delight"))
        privacy = self._privacy(session_texts(session), allowed | frozenset(names))
        return _Reading(session, numbered_steps(session), read_scenes(session), privacy)

    def _judged(self, reading: _Reading) -> Judgement:
        replies: list[FindReply] = []
        moments: list[FoundMoment] = []
        for window in windows(reading.steps, budget=self._window_chars):
            replies.append(self._find(reading, window))
            moments += self._verified(reading, window, replies[-1])
        return self._judgement(reading, replies, self._worded(reading, replies, _merged(moments)))

    def _find(self, reading: _Reading, window: Sequence[NumberedStep]) -> FindReply:
        numbers = [step.number for step in window]
        data = as_data(window, reading.session, self._salt)
        messages = self._messages(prompt("find", self._rubric), data)
        return self._ask(
            reading,
            messages,
            find_schema(self._rubric),
            lambda reply: read_find(reply, self._rubric, numbers),
        )

    def _verified(
        self, reading: _Reading, window: Sequence[NumberedStep], reply: FindReply
    ) -> list[FoundMoment]:
        """The moments of a window that hold, with the verifier's severity and confidence."""
        candidates = [m for m in reply.moments if _applies(m, reading.session)]
        if not candidates:
            return []
        claims = "\n".join(
            f"{n}. {m.polarity} {m.type} at step {m.step}"
            for n, m in enumerate(candidates, start=1)
        )
        near = [step for step in window if _is_near(step.number, candidates)]
        data = as_data(near, reading.session, self._salt)
        verdicts = self._ask(
            reading,
            self._messages(prompt("verify", self._rubric), f"{claims}\n\n{data}"),
            verify_schema(),
            lambda answer: read_verify(answer, len(candidates)),
        )
        return [
            m.model_copy(update={"severity": v.severity, "confidence": v.confidence})
            for m, v in zip(candidates, verdicts, strict=True)
            if v.holds
        ]

    def _ask(
        self,
        reading: _Reading,
        messages: list[ChatMessage],
        schema: ResponseSchema,
        read: Callable[[ModelReply], _Read],
    ) -> _Read:
        """One call and, where its answer is unusable, one more that says why."""
        reply = self._call(reading, messages, schema)
        try:
            return read(reply)
        except Unusable as error:
            again = [
                *messages,
                ChatMessage("assistant", reply.text or reply.refusal or "(empty)"),
                ChatMessage("user", f"This answer cannot be used: {error.words}. Answer again."),
            ]
            return read(self._call(reading, again, schema))

    def _call(
        self, reading: _Reading, messages: list[ChatMessage], schema: ResponseSchema
    ) -> ModelReply:
        reply = self._model(messages, response_schema=schema)
        reading.spent.sent += reply.tokens.input
        reading.spent.received += reply.tokens.output
        return reply

    def _messages(self, instructions: str, data: str) -> list[ChatMessage]:
        """Stable text first, so that an endpoint can cache the prefix."""
        return [ChatMessage("system", instructions), ChatMessage("user", data)]

    def _worded(
        self,
        reading: _Reading,
        replies: Sequence[FindReply],
        found: Sequence[FoundMoment],
    ) -> tuple[str, list[Moment]]:
        """The summary and the moments with texts that passed the filter, or templates."""
        texts = [" ".join(reply.summary for reply in replies), *(m.citation for m in found)]
        passed = self._filtered(reading, texts)
        moments = [
            self._moment(reading, moment, text)
            for moment, text in zip(found, passed[1:], strict=True)
        ]
        views = [scene.view for scene in reading.scenes]
        outcome = replies[-1].outcome
        return passed[0] or summary(reading.session, views, moments, outcome), moments

    def _filtered(self, reading: _Reading, texts: Sequence[str]) -> list[str | None]:
        """Each text, or its rewriting, that passes; None where neither does."""
        reasons = [reading.privacy.check(text) for text in texts]
        failed = [n for n, reason in enumerate(reasons) if reason is not None]
        passed: list[str | None] = [
            text if reason is None and text.strip() else None
            for text, reason in zip(texts, reasons, strict=True)
        ]
        if failed:
            asked = [(texts[n], reasons[n] or "") for n in failed]
            for n, text in zip(failed, self._rewritten(reading, asked), strict=True):
                passed[n] = text if reading.privacy.check(text) is None and text.strip() else None
        return passed

    def _rewritten(self, reading: _Reading, asked: Sequence[tuple[str, str]]) -> list[str]:
        """One attempt; where it fails, empty texts, which the templates replace."""
        listed = "\n".join(f"{n}. ({why}) {text}" for n, (text, why) in enumerate(asked, start=1))
        try:
            reply = self._call(
                reading, self._messages(prompt("rewrite", self._rubric), listed), rewrite_schema()
            )
            return read_rewrite(reply, len(asked))
        except (Unusable, ModelReplyError):
            return [""] * len(asked)

    def _moment(self, reading: _Reading, found: FoundMoment, citation: str | None) -> Moment:
        scene = reading.scene_of(found.step)
        made = self._maker.moment(found.polarity, found.type, found.confidence, scene)
        return replace(
            made,
            severity=found.severity,
            source_ref=reading.steps[found.step - 1].step.source_ref,
            citation=citation or made.citation,
            evidence=("model", *made.evidence),
        )

    def _judgement(
        self, reading: _Reading, replies: Sequence[FindReply], worded: tuple[str, list[Moment]]
    ) -> Judgement:
        text, moments = worded
        return Judgement(
            session_key=reading.session.key,
            identity=self.identity,
            status="judged",
            summary=text,
            moments=tuple(moments),
            turns=tuple(_turn_scores(reading.scenes, moments)),
            facets={"intent": replies[0].intent, "outcome": replies[-1].outcome},
            friction_score=_highest(moments, "friction"),
            delight_score=_highest(moments, "delight"),
            tokens_sent=reading.spent.sent,
            tokens_received=reading.spent.received,
        )

    def _unscored(self, session: Session, reason: str, spent: _Spent) -> Judgement:
        return Judgement(
            session.key,
            self.identity,
            "unscored",
            reason,
            tokens_sent=spent.sent,
            tokens_received=spent.received,
        )


def _applies(moment: FoundMoment, session: Session) -> bool:
    """Of an autonomous run only errors count: nobody is there to feel the rest."""
    return not session.is_autonomous or moment.type == "error_event"


def _is_near(number: int, moments: Sequence[FoundMoment]) -> bool:
    return any(abs(number - moment.step) <= _CONTEXT_STEPS for moment in moments)


def _merged(moments: Sequence[FoundMoment]) -> list[FoundMoment]:
    """Overlapping windows find the same moment twice: the more certain one stays."""
    best: dict[tuple[str, str, int], FoundMoment] = {}
    for moment in sorted(moments, key=lambda m: m.confidence):
        best[moment.polarity, moment.type, moment.step] = moment
    return sorted(best.values(), key=lambda m: (m.step, m.polarity != "friction", m.type))


def _turn_scores(scenes: Sequence[Scene], moments: Sequence[Moment]) -> list[TurnScore]:
    scores = []
    for scene in scenes:
        ref, turn = scene.view.segment.turn_ref, scene.view.segment.turn
        if ref is not None and turn is not None:
            here = [moment for moment in moments if moment.turn_ref == ref]
            scores.append(
                TurnScore(ref, turn, _highest(here, "friction"), _highest(here, "delight"))
            )
    return scores


def _highest(moments: Sequence[Moment], polarity: str) -> float:
    return max((m.confidence for m in moments if m.polarity == polarity), default=0.0)
