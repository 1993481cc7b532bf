"""The model judge as one callable, and as a generator that leaves the calls to others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import ChatModel, ModelReply
from agent_core.privacy import PrivacyFilter
from agent_core.session import Session
from judges.llm.passes import Passes
from judges.llm.reading import CostOf, Reading, Spent, unknown_cost
from judges.llm.request import Answer, Judging, ModelRequest
from judges.llm.rounds import Round, call
from judges.prompts import prompt_version
from judges.replies import FindReply, FoundMoment, Unusable
from judges.rubric import Rubric, load_rubric
from judges.rules.judge import read_scenes, unscorable
from judges.rules.moments import MomentMaker
from judges.rules.scoring import shipped_weights
from judges.rules.vocabulary import KNOWN_TOOLS
from judges.rules.wording import Scene, summary
from judges.transcript import WINDOW_CHARS, numbered_steps, session_names, session_texts, windows
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore

LLM_VERSION = "2"

Privacy = Callable[[Iterable[str], frozenset[str], Iterable[str]], PrivacyFilter]


def drive(judging: Judging, answer: Callable[[ModelRequest], Answer]) -> Judgement:
    """The judgement of a session whose requests are answered one after the other."""
    try:
        requests = next(judging)
        while True:
            requests = judging.send([answer(request) for request in requests])
    except StopIteration as done:
        judgement: Judgement = done.value
        return judgement


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
        cost_of: CostOf = unknown_cost,
    ) -> None:
        self._model = model
        self._rubric = rubric or load_rubric()
        self._privacy = privacy
        self._target_tools = target_tools
        self._window_chars = window_chars
        self._cost_of = cost_of
        self._passes = Passes(model.name, self._rubric, salt)
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
        return drive(self.judging(session), self.answer)

    def answer(self, request: ModelRequest) -> Answer:
        """What the model says to a request; raises ModelError when it cannot be used at all."""
        try:
            return self._model(request.messages, response_schema=request.schema)
        except ModelReplyError as failed:
            return failed

    def charged(self, judgement: Judgement, replies: Iterable[ModelReply]) -> Judgement:
        """The judgement with what `replies` took, in place of what all its answers did."""
        spent = Spent(self._cost_of)
        for reply in replies:
            spent.add(reply)
        return spent.on(judgement)

    def judging(self, session: Session) -> Judging:
        """The session's requests in rounds, and its judgement at the end; calls nobody.

        First each window is searched, then what was found is verified, then texts that the
        privacy filter turned down are rewritten; a repair round follows where answers were
        unusable. Raises nothing.
        """
        reason = unscorable(session)
        if reason is not None:
            return self._unscored(session, reason)
        spent = Spent(self._cost_of)
        try:
            judgement = yield from self._judged(self._reading(session, spent))
        except Unusable as error:
            judgement = self._unscored(session, f"model answer: {error.problem}")
            judgement = replace(judgement, unusable=error.requests)
        except ModelError as error:
            judgement = self._unscored(session, _why_failed(error))
        except Exception as error:  # noqa: BLE001 - the per-session edge: becomes a row
            judgement = self._unscored(session, f"judge failed: {type(error).__name__}")
        return spent.on(judgement)

    def _reading(self, session: Session, spent: Spent) -> Reading:
        allowed = KNOWN_TOOLS | self._target_tools
        names = (*self._rubric.names("friction"), *self._rubric.names("delight"))
        privacy = self._privacy(
            session_texts(session), allowed | frozenset(names), session_names(session)
        )
        return Reading(session, numbered_steps(session), read_scenes(session), privacy, spent)

    def _judged(self, reading: Reading) -> Judging:
        cut = windows(reading.steps, budget=self._window_chars)
        replies = yield from self._passes.find(reading, cut)
        found = yield from self._passes.verify(reading, cut, replies)
        text, moments = yield from self._worded(reading, replies, found)
        return self._judgement(reading, replies, text, moments)

    def _worded(
        self, reading: Reading, replies: Sequence[FindReply], found: Sequence[FoundMoment]
    ) -> Round[tuple[str, list[Moment]]]:
        """The summary and the moments with texts that passed the filter, or templates."""
        texts = [" ".join(reply.summary for reply in replies), *(m.citation for m in found)]
        passed = yield from self._filtered(reading, texts)
        moments = [
            self._moment(reading, moment, text)
            for moment, text in zip(found, passed[1:], strict=True)
        ]
        views = [scene.view for scene in reading.scenes]
        return passed[0] or summary(reading.session, views, moments, replies[-1].outcome), moments

    def _filtered(self, reading: Reading, texts: Sequence[str]) -> Round[list[str | None]]:
        """Each text, or its rewriting, that passes; None where neither does."""
        reasons = [reading.privacy.check(text) for text in texts]
        failed = [n for n, reason in enumerate(reasons) if reason is not None]
        passed: list[str | None] = [
            text if reason is None and text.strip() else None
            for text, reason in zip(texts, reasons, strict=True)
        ]
        if failed:
            asked = [(texts[n], reasons[n] or "") for n in failed]
            rewritten = yield from self._rewritten(reading, asked)
            for n, text in zip(failed, rewritten, strict=True):
                passed[n] = text if reading.privacy.check(text) is None and text.strip() else None
        return passed

    def _rewritten(self, reading: Reading, asked: Sequence[tuple[str, str]]) -> Round[list[str]]:
        """One attempt; where it fails, empty texts, which the templates replace."""
        question = self._passes.rewriting(reading.session, asked)
        try:
            (reply,) = yield from call([question.request], reading.spent)
            return question.read(reply)
        except (Unusable, ModelReplyError):
            return [""] * len(asked)

    def _moment(self, reading: Reading, found: FoundMoment, citation: str | None) -> Moment:
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
        self, reading: Reading, replies: Sequence[FindReply], text: str, moments: list[Moment]
    ) -> Judgement:
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
        )

    def _unscored(self, session: Session, reason: str) -> Judgement:
        return Judgement(session.key, self.identity, "unscored", reason)


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


def _why_failed(error: ModelError) -> str:
    """Which kind of failure it was; an endpoint's own words may hold the session's."""
    if not isinstance(error, ModelReplyError):
        return "model call failed"
    return f"model call failed: {'no usable answer came' if error.is_endpoints else 'refused'}"
