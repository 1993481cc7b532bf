"""The schema: which facets a session has, and which types of friction and delight are known.

Typed, closed where values can be closed, and versioned: a change makes version N+1
(`facets.schema_change`). Every value says what it takes in, so that a version alone decides what
everything is called under it (`facets.resolution`). It holds no data of any session.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent_core.errors import ConfigError
from facets.log_rules import LOG_RULES
from facets.prototype import Prototype

FacetType = Literal["category", "list", "count", "boolean", "ordinal"]
Provenance = Literal["log", "judge", "distance"]
"""From a rule over the log, as a judge says it, or by the distance to a prototype."""
Polarity = Literal["friction", "delight"]

OTHER = "other"
"""Real, but of no known type: what evolution looks at."""
UNCLEAR = "unclear"
MISSING_CAPABILITIES = "missing_capabilities"
"""The list facet that accepted capability gaps become values of."""
SEED_SCHEMA = Path(__file__).with_name("seed_schema.toml")
CLOSED: frozenset[FacetType] = frozenset({"category", "list", "ordinal"})
_NameField = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_Version = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MomentType(_Part):
    """A kind of friction or delight."""

    name: _NameField
    definition: str = Field(min_length=1)
    provenance: Provenance = "judge"
    since: _Version = 1
    """The schema version that brought or last redefined it."""
    takes: tuple[str, ...] = ()
    """Types that it takes in besides its own name, as they were called before it came."""
    prototypes: tuple[Prototype, ...] = ()
    """Of `takes` only what lies inside one of these; none: all of it."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.provenance != ("distance" if self.prototypes else "judge"):
            raise ValueError(f"type {self.name}: the distance decides where it has a prototype")
        _refuse_idle_prototypes(f"type {self.name}", self.takes, self.prototypes)
        return self


class ValueOrigin(_Part):
    """What a value that was proposed takes in; its definition stands with the facet's others."""

    name: str = Field(min_length=1)
    since: _Version
    takes: tuple[str, ...] = ()
    prototypes: tuple[Prototype, ...] = ()


class Former(_Part):
    """A type or value that is no more; what it took in is remembered, to be found again."""

    name: str = Field(min_length=1)
    definition: str
    since: _Version
    until: _Version
    """The version that it is not in any more."""
    became: str | None
    """What its items are called from then on; None: nothing, they have no value."""
    takes: tuple[str, ...] = ()
    prototypes: tuple[Prototype, ...] = ()


class Facet(_Part):
    """One thing to know about every session."""

    name: _NameField
    type: FacetType
    definition: str = Field(min_length=1)
    provenance: Provenance
    rule: str | None = None
    """Of a log facet: the name of its rule in `facets.log_rules`."""
    values: tuple[str, ...] = ()
    """Closed values of a category, list or ordinal (an ordinal's from low to high)."""
    value_definitions: dict[str, str] = {}
    origins: tuple[ValueOrigin, ...] = ()
    """Of the values that proposals brought."""
    former: tuple[Former, ...] = ()
    since: _Version = 1
    """The schema version that brought or last redefined it."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        where = f"facet {self.name}"
        if (self.provenance == "log") != (self.rule is not None):
            raise ValueError(f"{where}: a log facet has a rule, any other has none")
        if self.rule is not None and self.rule not in LOG_RULES:
            raise ValueError(f"{where}: there is no rule {self.rule}")
        if self.provenance == "distance" and self.type != "list":
            raise ValueError(f"{where}: only a list is told by distance alone")
        # What is told by distance alone begins empty: evolution finds its values.
        if (self.type in CLOSED) != bool(self.values) and self.provenance != "distance":
            raise ValueError(f"{where}: values belong to category, list and ordinal")
        _refuse_repeats(f"{where}: value", self.values)
        _refuse_strangers(f"{where}: defines", self.value_definitions, self.values)
        _refuse_strangers(f"{where}: has the origin of", self._origin_names(), self.values)
        return self

    def _origin_names(self) -> list[str]:
        return [origin.name for origin in self.origins]


class FacetSchema(_Part):
    """All facets and moment types of one version."""

    version: _Version
    facets: tuple[Facet, ...]
    friction: tuple[MomentType, ...]
    delight: tuple[MomentType, ...]
    former_friction: tuple[Former, ...] = ()
    former_delight: tuple[Former, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        _refuse_repeats("facet", (facet.name for facet in self.facets))
        for polarity in ("friction", "delight"):
            _refuse_repeats(f"{polarity} type", self.known_values(polarity))
        return self

    def facet(self, name: str) -> Facet | None:
        """The facet of that name, or None."""
        return next((facet for facet in self.facets if facet.name == name), None)

    def types(self, polarity: Polarity) -> tuple[MomentType, ...]:
        """The types of a polarity."""
        return self.friction if polarity == "friction" else self.delight

    def known_values(self, target: str) -> tuple[str, ...]:
        """Type names of a polarity, or values of a facet. Raises ConfigError for another name."""
        if is_polarity(target):
            return tuple(moment_type.name for moment_type in self.types(target))
        return self.required_facet(target).values

    def origins(self, target: str) -> Sequence[MomentType | ValueOrigin]:
        """What each type of a polarity, or each proposed value of a facet, takes in."""
        if is_polarity(target):
            return self.types(target)
        return self.required_facet(target).origins

    def former(self, target: str) -> tuple[Former, ...]:
        """The types or values of `target` that are no more."""
        if is_polarity(target):
            return self.former_friction if target == "friction" else self.former_delight
        return self.required_facet(target).former

    def required_facet(self, name: str) -> Facet:
        """The facet of that name. Raises ConfigError where there is none."""
        facet = self.facet(name)
        if facet is None:
            raise ConfigError(f"facet schema version {self.version}: it has no facet {name}")
        return facet


def is_polarity(target: str) -> TypeGuard[Polarity]:
    """Whether a target of proposals is the types of a polarity; else it is a facet."""
    return target in ("friction", "delight")


def load_seed_schema() -> FacetSchema:
    """Version 1, as shipped."""
    return load_schema(SEED_SCHEMA)


@cache
def load_schema(path: Path) -> FacetSchema:
    """A schema from a TOML file. Raises ConfigError naming the file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"facet schema {path}: cannot be read ({error})") from error
    return parse_schema(document, where=str(path))


def parse_schema(document: Mapping[str, Any], *, where: str = "facet schema") -> FacetSchema:
    """A schema from its document (`FacetSchema.model_dump`). Raises ConfigError."""
    try:
        return FacetSchema.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """Where a document is wrong and how, in one line."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place + ': ' if place else ''}{message}"


def _refuse_repeats(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name} stands there twice")
        seen.add(name)


def _refuse_strangers(what: str, names: Iterable[str], values: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(values))
    if unknown:
        raise ValueError(f"{what} {unknown[0]}, which is not a value")


def _refuse_idle_prototypes(
    what: str, takes: Sequence[str], prototypes: Sequence[Prototype]
) -> None:
    if prototypes and not takes:
        raise ValueError(f"{what}: it has a prototype and takes nothing in")
