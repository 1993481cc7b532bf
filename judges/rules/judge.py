"""The rules judge: evidence in structure and words, no model and no network."""

from collections.abc import Sequence
from typing import Any

from agent_core.session import Session, Step
from judges.rubric import Rubric, load_rubric
from judges.rules.evidence import gather
from judges.rules.intent import intent, outcome
from judges.rules.moments import MomentMaker, delight_score, friction_score
from judges.rules.restatement import Embed
from judges.rules.scoring import Weights, shipped_weights
from judges.rules.session_score import (
    SessionScore,
    highest_score,
    session_friction,
    shipped_session_weights,
)
from judges.rules.structural import error_run
from judges.rules.view import segment_views
from judges.rules.wording import Scene, scene_place, summary
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore

RULES_VERSION = "2"
"""Of what the rules see and how; with the versions of both weights it is the judge's version."""


class RulesJudge:
    """Judges by rules; the same session gives the same judgement.

    `salt` hides error signatures; `embed` (of the model `embedding_model`) adds likeness of
    meaning to restatements;
    `target_tools` are names of the target's own tools that may appear in what is published.
    """

    def __init__(
        self,
        salt: bytes,
        rubric: Rubric | None = None,
        embed: Embed | None = None,
        *,
        embedding_model: str = "embeddings",
        target_tools: frozenset[str] = frozenset(),
        weights: Weights | None = None,
    ) -> None:
        self._rubric = rubric or load_rubric()
        self._weights = weights or shipped_weights()
        self._embed = embed
        self._model = "words" if embed is None else f"words+{embedding_model}"
        self._maker = MomentMaker(self._rubric, self._weights, salt, target_tools)

    @property
    def identity(self) -> JudgeIdentity:
        return JudgeIdentity(
            judge="rules",
            judge_version=".".join(
                (RULES_VERSION, self._weights.version, shipped_session_weights().version)
            ),
            prompt_version="",
            model=self._model,
            rubric_version=self._rubric.version,
        )

    def __call__(self, session: Session) -> Judgement:
        """The judgement; what goes wrong with one session is `unscored`, never raised."""
        reason = unscorable(session)
        if reason is not None:
            return self._unscored(session, reason)
        try:
            return self._judged(session)
        except Exception as error:  # noqa: BLE001 - the per-session edge: becomes a row
            return self._unscored(session, f"judge failed: {type(error).__name__}")

    def _judged(self, session: Session) -> Judgement:
        scenes = read_scenes(session, self._embed)
        moments = tuple(moment for scene in scenes for moment in self._maker.moments(scene))
        turns = tuple(self._turn_scores(scenes))
        score = session_friction(scenes, turns, moments, self._weights)
        facets = _facets(scenes, moments, score)
        views = [scene.view for scene in scenes]
        return Judgement(
            session_key=session.key,
            identity=self.identity,
            status="judged",
            summary=summary(session, views, moments, facets["outcome"]),
            moments=moments,
            turns=turns,
            facets=facets,
            friction_score=score.friction,
            delight_score=highest_score(turns, moments, "delight"),
        )

    def _turn_scores(self, scenes: Sequence[Scene]) -> list[TurnScore]:
        return [
            TurnScore(
                segment.turn_ref,
                segment.turn,
                round(friction_score(scene, self._weights), 4),
                round(delight_score(scene, self._weights), 4),
            )
            for scene in scenes
            if (segment := scene.view.segment).turn is not None and segment.turn_ref is not None
        ]

    def _unscored(self, session: Session, reason: str) -> Judgement:
        return Judgement(session.key, self.identity, "unscored", reason)


def _facets(
    scenes: Sequence[Scene], moments: Sequence[Moment], score: SessionScore
) -> dict[str, Any]:
    views = [scene.view for scene in scenes]
    return {"intent": intent(views), "outcome": outcome(scenes, moments, score)}


def read_scenes(session: Session, embed: Embed | None = None) -> list[Scene]:
    """The segments of a session with their evidence, in order."""
    views = segment_views(session)
    return [
        Scene(view, gather(view, embed), error_run(view), scene_place(i, len(views)))
        for i, view in enumerate(views)
    ]


def unscorable(session: Session) -> str | None:
    """Why a session cannot be judged by anyone; None when it can."""
    own = [step for step in session.steps if not step.is_copied_context]
    if not own:
        return "no steps of its own"
    if all(_is_blank(step) for step in own):
        return "purged"
    return None


def _is_blank(step: Step) -> bool:
    said = step.text or step.reasoning or step.event
    return not (said or step.tool_calls or any(o.content for o in step.observations))
