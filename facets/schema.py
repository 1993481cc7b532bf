"""The schema: which facets a session has, and which types of friction and delight are known.

Typed, closed where values can be closed, and versioned: a change makes version N+1, and two
versions can be compared. It holds no data of any session.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent_core.errors import ConfigError
from facets.log_rules import LOG_RULES
from facets.proposal import Proposal

FacetType = Literal["category", "list", "count", "boolean", "ordinal"]
Provenance = Literal["log", "judge"]
Polarity = Literal["friction", "delight"]

OTHER = "other"
"""Real, but of no known type: what evolution looks at."""
SEED_SCHEMA = Path(__file__).with_name("seed_schema.toml")
_CLOSED: frozenset[FacetType] = frozenset({"category", "list", "ordinal"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NameField = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    since: int = Field(default=1, ge=1)
    """The schema version that brought or last redefined it."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.provenance == "log") != (self.rule is not None):
            raise ValueError(f"facet {self.name}: a log facet has a rule, a judge's has none")
        if self.rule is not None and self.rule not in LOG_RULES:
            raise ValueError(f"facet {self.name}: there is no rule {self.rule}")
        if (self.type in _CLOSED) != bool(self.values):
            raise ValueError(f"facet {self.name}: values belong to category, list and ordinal")
        _refuse_repeats(f"facet {self.name}: value", self.values)
        unknown = sorted(set(self.value_definitions) - set(self.values))
        if unknown:
            raise ValueError(f"facet {self.name}: defines {unknown[0]}, which is not a value")
        return self


class MomentType(_Part):
    """A kind of friction or delight."""

    name: _NameField
    definition: str = Field(min_length=1)
    since: int = Field(default=1, ge=1)


class FacetSchema(_Part):
    """All facets and moment types of one version."""

    version: int = Field(ge=1)
    facets: tuple[Facet, ...]
    friction: tuple[MomentType, ...]
    delight: tuple[MomentType, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        _refuse_repeats("facet", (facet.name for facet in self.facets))
        for polarity in ("friction", "delight"):
            _refuse_repeats(f"{polarity} type", self.known_values(polarity))
        return self

    def facet(self, name: str) -> Facet | None:
        """The facet of that name, or None."""
        return next((facet for facet in self.facets if facet.name == name), None)

    def known_values(self, target: str) -> tuple[str, ...]:
        """Type names of a polarity, or values of a facet. Raises ConfigError for another name."""
        if target == "friction" or target == "delight":
            types = self.friction if target == "friction" else self.delight
            return tuple(moment_type.name for moment_type in types)
        facet = self.facet(target)
        if facet is None:
            raise ConfigError(f"facet schema version {self.version}: it has no facet {target}")
        return facet.values


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
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {place + ': ' if place else ''}{message}") from error


def apply_proposal(schema: FacetSchema, proposal: Proposal) -> FacetSchema:
    """The next version, with the proposal carried out. Raises ConfigError where it cannot be."""
    _check_applicable(schema, proposal)
    version = schema.version + 1
    if proposal.target == "friction" or proposal.target == "delight":
        types: tuple[MomentType, ...] = getattr(schema, proposal.target)
        changes: dict[str, Any] = {proposal.target: _changed_types(types, proposal, version)}
    else:
        changes = {
            "facets": tuple(
                _changed_facet(facet, proposal, version) if facet.name == proposal.target else facet
                for facet in schema.facets
            )
        }
    return parse_schema(
        {**schema.model_dump(), **_dumped(changes), "version": version},
        where=f"proposal {proposal.proposal_id}",
    )


class SchemaChange(NamedTuple):
    """One difference between two versions; `before` or `after` is None where there is none."""

    target: str
    """`facet`, `friction`, `delight`, or the name of the facet whose value it is."""
    name: str
    kind: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None


def diff_schemas(before: FacetSchema, after: FacetSchema) -> list[SchemaChange]:
    """What `after` has, lacks or defines otherwise, by target in the order of the schema."""
    changes: list[SchemaChange] = []
    for target in ("friction", "delight"):
        changes += _differences(target, _type_texts(before, target), _type_texts(after, target))
    changes += _differences("facet", _facet_texts(before), _facet_texts(after))
    for facet in after.facets:
        earlier = before.facet(facet.name)
        if earlier is not None:
            changes += _differences(facet.name, _value_texts(earlier), _value_texts(facet))
    return changes


def _refuse_repeats(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name} stands there twice")
        seen.add(name)


def _check_applicable(schema: FacetSchema, proposal: Proposal) -> None:
    is_moment = proposal.target in ("friction", "delight")
    known = schema.known_values(proposal.target)
    where = f"proposal {proposal.proposal_id}: {proposal.target}"
    if not is_moment and not known:
        raise ConfigError(f"{where} has no closed values")
    if proposal.kind == "retire":
        if proposal.name not in known or proposal.name == OTHER:
            raise ConfigError(f"{where} has no {proposal.name} that could be retired")
        return
    if (proposal.kind == "new_type") != is_moment:
        raise ConfigError(f"{where} cannot take a {proposal.kind}")
    if not _NAME.fullmatch(proposal.name):
        raise ConfigError(f"{where}: {proposal.name!r} is not a lower-case name")
    if proposal.name in known:
        raise ConfigError(f"{where} has {proposal.name} already")


def _changed_types(
    types: tuple[MomentType, ...], proposal: Proposal, version: int
) -> tuple[MomentType, ...]:
    if proposal.kind == "retire":
        return tuple(kept for kept in types if kept.name != proposal.name)
    added = MomentType(name=proposal.name, definition=proposal.definition, since=version)
    # `other` stays last: it is what remains after all the named types.
    named = tuple(kept for kept in types if kept.name != OTHER)
    return (*named, added, *(kept for kept in types if kept.name == OTHER))


def _changed_facet(facet: Facet, proposal: Proposal, version: int) -> Facet:
    if proposal.kind == "retire":
        values = tuple(value for value in facet.values if value != proposal.name)
        definitions = {k: v for k, v in facet.value_definitions.items() if k in values}
    else:
        named = tuple(value for value in facet.values if value != OTHER)
        values = (*named, proposal.name, *(value for value in facet.values if value == OTHER))
        definitions = {**facet.value_definitions, proposal.name: proposal.definition}
    return facet.model_copy(
        update={"values": values, "value_definitions": definitions, "since": version}
    )


def _dumped(changes: Mapping[str, tuple[BaseModel, ...]]) -> dict[str, Any]:
    return {key: [part.model_dump() for part in parts] for key, parts in changes.items()}


def _type_texts(schema: FacetSchema, polarity: str) -> dict[str, str]:
    types = schema.friction if polarity == "friction" else schema.delight
    return {moment_type.name: moment_type.definition for moment_type in types}


def _facet_texts(schema: FacetSchema) -> dict[str, str]:
    return {
        facet.name: " ".join(filter(None, (facet.type, facet.rule, facet.definition)))
        for facet in schema.facets
    }


def _value_texts(facet: Facet) -> dict[str, str]:
    return {value: facet.value_definitions.get(value, "") for value in facet.values}


def _differences(
    target: str, before: Mapping[str, str], after: Mapping[str, str]
) -> list[SchemaChange]:
    changes = [
        SchemaChange(target, name, "removed", text, None)
        for name, text in before.items()
        if name not in after
    ]
    for name, text in after.items():
        if name not in before:
            changes.append(SchemaChange(target, name, "added", None, text))
        elif before[name] != text:
            changes.append(SchemaChange(target, name, "changed", before[name], text))
    return changes
