"""How probable it is that a session went badly, and by what evidence."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from judges.rules.moments import friction_score
from judges.rules.scoring import Weights
from judges.rules.session_evidence import is_errand, session_evidence
from judges.rules.wording import Scene
from judges.verdict import Moment, Polarity, TurnScore

_LIKELY = 0.5


class SessionScore(NamedTuple):
    """Score in [0, 1]; `evidence` names what speaks for it, heaviest first."""

    friction: float
    evidence: tuple[str, ...]
    is_errand: bool = False

    @property
    def is_likely_bad(self) -> bool:
        """Whether an errand rather went badly than well, whatever the agent says at its end."""
        return self.is_errand and self.friction >= _LIKELY


class Part(BaseModel):
    """Weight in log odds of the strength of a piece of evidence.

    The strength is 0 at `low`, 1 at `high` and never beyond: a session far longer than those
    that were fitted counts like the longest of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float
    low: float
    high: float

    def strength(self, amount: float) -> float:
        """How strong an amount is, in [0, 1]."""
        return min(1.0, max(0.0, (amount - self.low) / (self.high - self.low)))


class SessionWeights(BaseModel):
    """The coefficients of `session_weights.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    bias: float
    sure: float
    evidence: Mapping[str, Part]


@cache
def shipped_session_weights() -> SessionWeights:
    """The weights beside the code (`session_weights.toml`)."""
    source = resources.files(__package__).joinpath("session_weights.toml")
    return SessionWeights.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))


def session_friction(
    scenes: Sequence[Scene],
    turns: Sequence[TurnScore],
    moments: Sequence[Moment],
    weights: Weights,
) -> SessionScore:
    """How probable it is that the session went badly.

    An autonomous run is judged by failures of tools and by its end, an errand by what was asked
    and done and by its turns, any other session by its turns alone. More friction in a turn never
    makes the score lower.
    """
    highest = highest_score(turns, moments, "friction")
    if any(scene.view.is_autonomous for scene in scenes):
        errors = max((weights.errors.score(scene.evidence) for scene in scenes), default=0.0)
        return SessionScore(max(highest, round(errors, 4)), ("errors",))
    if not is_errand(scenes):
        return SessionScore(highest, ("turns",))
    evidence = session_evidence(scenes, felt(scenes, weights))
    return errand_score(evidence, highest, shipped_session_weights())


def felt(scenes: Sequence[Scene], weights: Weights) -> list[float]:
    """The friction of each scene; 0 in the tail, where nobody speaks."""
    return [
        0.0 if scene.view.closing is None else friction_score(scene, weights) for scene in scenes
    ]


def highest_score(
    turns: Sequence[TurnScore], moments: Sequence[Moment], polarity: Polarity
) -> float:
    """The score of the worst (or best) turn or moment; 0 without any."""
    scores = [
        (turn.friction_score if polarity == "friction" else turn.delight_score) or 0.0
        for turn in turns
    ]
    found = [moment.confidence for moment in moments if moment.polarity == polarity]
    return max([*scores, *found], default=0.0)


def errand_score(
    evidence: Mapping[str, float], highest: float, weights: SessionWeights
) -> SessionScore:
    """By the logistic model; a turn that is surely friction counts by itself, whatever else is."""
    parts = {
        name: part.weight * part.strength(evidence[name]) for name, part in weights.evidence.items()
    }
    score = 1 / (1 + math.exp(-(weights.bias + sum(parts.values()))))
    if highest >= weights.sure:
        score = max(score, highest)
    named = sorted((name for name, odds in parts.items() if odds > 0), key=lambda n: -parts[n])
    return SessionScore(round(score, 4), tuple(named), is_errand=True)
