"""From evidence to a score: a logistic combination with readable weights."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Scale:
    """Bias and weights in log odds; `operating_point` is the score that makes a moment.

    No pydantic here: a hook's call would spend most of its time on loading it.
    """

    operating_point: float
    bias: float
    weights: Mapping[str, float]

    def score(self, evidence: Mapping[str, float]) -> float:
        """Score in [0, 1]; evidence without a weight does not count."""
        odds = self.bias + sum(w * evidence.get(name, 0.0) for name, w in self.weights.items())
        return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True, slots=True)
class Weights:
    """The scales and their version."""

    version: str
    friction: Scale
    errors: Scale
    delight: Scale


@cache
def shipped_weights() -> Weights:
    """The weights beside the code (`weights.toml`); an unknown key there is a TypeError."""
    source = Path(__file__).with_name("weights.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(source)
    version = listed.pop("version")
    return Weights(version, **{name: Scale(**scale) for name, scale in listed.items()})
