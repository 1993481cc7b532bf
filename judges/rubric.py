"""The rubric: what counts as friction and delight, as versioned data."""

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from agent_core.errors import ConfigError
from judges.verdict import Polarity


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MomentType(_Strict):
    """One type of moment, with what it is and what it is not."""

    name: str
    definition: str
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()


class Unit(_Strict):
    """What is judged, and what is never friction."""

    definition: str
    not_friction: tuple[str, ...]


class SeverityRules(_Strict):
    """What each degree of friction means."""

    low: str
    medium: str
    high: str


class Rubric(_Strict):
    """The whole rubric; names are unique within a polarity and both hold `other`."""

    version: str
    unit: Unit
    severity: SeverityRules
    friction: tuple[MomentType, ...]
    delight: tuple[MomentType, ...]

    @model_validator(mode="after")
    def _check_names(self) -> "Rubric":
        for polarity in ("friction", "delight"):
            names = [kind.name for kind in getattr(self, polarity)]
            if len(set(names)) != len(names):
                raise ValueError(f"a {polarity} type is named twice")
            if "other" not in names:
                raise ValueError(f"{polarity} lacks the type 'other', which feeds discovery")
        return self

    def names(self, polarity: Polarity) -> tuple[str, ...]:
        """The types of a polarity, in the rubric's order."""
        kinds = self.friction if polarity == "friction" else self.delight
        return tuple(kind.name for kind in kinds)


def load_rubric(path: Path | None = None) -> Rubric:
    """The rubric of a file, by default the shipped one; raises ConfigError naming the file."""
    try:
        source = _shipped() if path is None else path.read_text(encoding="utf-8")
        return Rubric.model_validate(tomllib.loads(source))
    except (OSError, ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"rubric {path or 'rubric.toml'} cannot be used: {reason}") from error


def _shipped() -> str:
    return resources.files(__package__).joinpath("rubric.toml").read_text(encoding="utf-8")
