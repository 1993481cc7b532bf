"""From evidence to a score: a logistic combination with readable weights."""

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class Scale(BaseModel):
    """Bias and weights in log odds; `operating_point` is the score that makes a moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operating_point: float
    bias: float
    weights: Mapping[str, float]

    def score(self, evidence: Mapping[str, float]) -> float:
        """Score in [0, 1]; evidence without a weight does not count."""
        odds = self.bias + sum(w * evidence.get(name, 0.0) for name, w in self.weights.items())
        return 1 / (1 + math.exp(-odds))


class Weights(BaseModel):
    """The scales and their version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    friction: Scale
    errors: Scale
    delight: Scale


@cache
def shipped_weights() -> Weights:
    """The weights beside the code (`weights.toml`)."""
    source = resources.files(__package__).joinpath("weights.toml").read_text(encoding="utf-8")
    return Weights.model_validate(tomllib.loads(source))
