"""How one version of the schema becomes the next: a proposal carried out."""

import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from agent_core.errors import ConfigError
from facets.proposal import Proposal, ProposalKind
from facets.prototype import Prototype
from facets.schema import (
    CLOSED,
    MISSING_CAPABILITIES,
    OTHER,
    UNCLEAR,
    Facet,
    FacetSchema,
    Former,
    MomentType,
    Polarity,
    ValueOrigin,
    first_problem,
    is_polarity,
    load_seed_schema,
    parse_schema,
)

UNNAMED = (OTHER, UNCLEAR)
"""Values that say that there is no name: what is new is taken from them, and they stay."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NEEDS_PROTOTYPE: frozenset[ProposalKind] = frozenset({"split", "capability_gap"})


def apply_proposal(schema: FacetSchema, proposal: Proposal) -> FacetSchema:
    """The next version, with the proposal carried out.

    Raises ConfigError, naming the proposal, where this schema cannot take it.
    """
    where = f"proposal {proposal.proposal_id}: {proposal.target}"
    try:
        changed = _changed(schema, proposal, schema.version + 1, where)
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error
    return parse_schema({**changed.model_dump(), "version": schema.version + 1}, where=where)


def _changed(schema: FacetSchema, proposal: Proposal, version: int, where: str) -> FacetSchema:
    changed = _with_gap_facet(schema) if proposal.kind == "capability_gap" else schema
    if proposal.kind == "new_facet":
        facets = (*schema.facets, _new_facet(schema, proposal, version, where))
        return schema.model_copy(update={"facets": facets})
    if is_polarity(proposal.target):
        _check(changed, proposal, "new_type", where)
        return _with_types(changed, proposal, proposal.target, version)
    facet = changed.required_facet(proposal.target)
    _check_facet(changed, facet, proposal, where)
    return _with_facet(changed, _changed_facet(facet, proposal, version))


def _with_gap_facet(schema: FacetSchema) -> FacetSchema:
    """A version from before there were capability gaps gets the facet that they are values of."""
    if schema.facet(MISSING_CAPABILITIES):
        return schema
    facet = load_seed_schema().required_facet(MISSING_CAPABILITIES)
    return schema.model_copy(update={"facets": (*schema.facets, facet)})


def _new_facet(schema: FacetSchema, proposal: Proposal, version: int, where: str) -> Facet:
    if schema.facet(proposal.name):
        raise ConfigError(f"{where}: there is a facet {proposal.name} already")
    given = {"name": proposal.name, "definition": proposal.definition, **(proposal.facet or {})}
    facet = Facet.model_validate({**given, "since": version})
    if facet.provenance != "log" or facet.name != proposal.name:
        raise ConfigError(f"{where}: a new facet is {proposal.name}, by a rule over the log")
    return facet


def _check_facet(schema: FacetSchema, facet: Facet, proposal: Proposal, where: str) -> None:
    if facet.type not in CLOSED:
        raise ConfigError(f"{where} has no closed values")
    by_distance = facet.provenance == "distance" or (
        facet.provenance == "judge" and facet.type == "category"
    )
    if proposal.prototype and not by_distance:
        raise ConfigError(f"{where} is not told by distance")
    if facet.type == "ordinal" and proposal.kind in ("new_value", "split"):
        raise ConfigError(f"{where} is a scale, in which a new value has no place")
    arrives: ProposalKind = "capability_gap" if facet.provenance == "distance" else "new_value"
    _check(schema, proposal, arrives, where)


def _check(schema: FacetSchema, proposal: Proposal, arrives: ProposalKind, where: str) -> None:
    """Whether names and parts are there, or not there, as the kind needs it."""
    kind, name, known = proposal.kind, proposal.name, schema.known_values(proposal.target)
    if kind == "retire":
        if name not in known or name in UNNAMED:
            raise ConfigError(f"{where} has no {name} that could be retired")
        return
    if kind not in (arrives, "split", "merge"):
        raise ConfigError(f"{where} cannot take a {kind}")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} is not a lower-case name")
    own = proposal.parts if kind == "merge" else ()
    if (name in known and name not in own) or name in UNNAMED:
        raise ConfigError(f"{where} has {name} already")
    _check_parts(proposal, known, where)
    if proposal.prototype is None and kind in _NEEDS_PROTOTYPE:
        raise ConfigError(f"{where}: a {kind} needs a prototype that tells its items")
    past = [former.became for former in schema.former(proposal.target) if former.name == name]
    if proposal.prototype is None and kind == arrives and past and past[-1] not in (*UNNAMED, None):
        raise ConfigError(f"{where}: {name} became {past[-1]}; split that one instead")


def _check_parts(proposal: Proposal, known: Sequence[str], where: str) -> None:
    parts = proposal.parts
    missing = [part for part in parts if part not in known]
    if proposal.kind in ("split", "merge") and missing:
        raise ConfigError(f"{where} has no {missing[0]} any more")
    if proposal.kind == "split" and len(parts) != 1:
        raise ConfigError(f"{where}: a split is taken from one value")
    if proposal.kind == "merge" and (len(set(parts)) < 2 or set(parts) & set(UNNAMED)):
        raise ConfigError(f"{where}: a merge takes in two named values or more")


def _with_types(
    schema: FacetSchema, proposal: Proposal, polarity: Polarity, version: int
) -> FacetSchema:
    types = {one.name: one for one in schema.types(polarity)}
    left = _departed(types.values(), proposal, OTHER, version)
    former = _without_returned(schema.former(polarity), proposal)
    if proposal.kind != "retire":
        types[proposal.name] = MomentType(
            name=proposal.name,
            definition=proposal.definition,
            provenance="distance" if _prototypes(proposal) else "judge",
            since=version,
            takes=_takes(proposal, list(types)),
            prototypes=_prototypes(proposal),
        )
    ordered = _ordered([one.name for one in schema.types(polarity)], proposal)
    return schema.model_copy(
        update={
            polarity: tuple(types[name] for name in ordered),
            f"former_{polarity}": (*former, *left),
        }
    )


def _with_facet(schema: FacetSchema, changed: Facet) -> FacetSchema:
    facets = tuple(changed if facet.name == changed.name else facet for facet in schema.facets)
    return schema.model_copy(update={"facets": facets})


def _changed_facet(facet: Facet, proposal: Proposal, version: int) -> Facet:
    origins = {one.name: one for one in facet.origins}
    fallback = next((value for value in UNNAMED if value in facet.values), None)
    parts = [origins.get(value) or ValueOrigin(name=value, since=1) for value in facet.values]
    left = _departed(parts, proposal, fallback, version, facet.value_definitions)
    if proposal.kind != "retire":
        origins[proposal.name] = ValueOrigin(
            name=proposal.name,
            since=version,
            takes=_takes(proposal, facet.values),
            prototypes=_prototypes(proposal),
        )
    values = _ordered(facet.values, proposal)
    definitions = {**facet.value_definitions, proposal.name: proposal.definition}
    return facet.model_copy(
        update={
            "values": tuple(values),
            "value_definitions": {k: v for k, v in definitions.items() if k in values},
            "origins": tuple(origin for origin in origins.values() if origin.name in values),
            "former": (*_without_returned(facet.former, proposal), *left),
            "since": version,
        }
    )


def _takes(proposal: Proposal, known: Iterable[str]) -> tuple[str, ...]:
    if proposal.kind in ("new_type", "new_value"):
        return tuple(name for name in UNNAMED if name in known and proposal.prototype)
    return tuple(part for part in proposal.parts if part != proposal.name)


def _prototypes(proposal: Proposal) -> tuple[Prototype, ...]:
    return (proposal.prototype,) if proposal.prototype and proposal.kind != "merge" else ()


def _departed(
    parts: Iterable[MomentType | ValueOrigin],
    proposal: Proposal,
    fallback: str | None,
    version: int,
    definitions: Mapping[str, str] | None = None,
) -> list[Former]:
    """Of the parts those that leave, or whose name goes on to mean something wider."""
    retired = proposal.kind == "retire"
    leaving = {proposal.name} if retired else _merged(proposal)
    return [
        Former(
            name=part.name,
            definition=(definitions or {}).get(part.name, getattr(part, "definition", "")),
            since=part.since,
            until=version,
            became=fallback if retired else proposal.name,
            takes=part.takes,
            prototypes=part.prototypes,
        )
        for part in parts
        if part.name in leaving
        and (retired or part.name != proposal.name or part.takes or part.prototypes)
    ]


def _without_returned(former: Sequence[Former], proposal: Proposal) -> tuple[Former, ...]:
    """A name that comes back as the judge says it is not a former one any more."""
    returns = proposal.kind in ("new_type", "new_value") and proposal.prototype is None
    return tuple(past for past in former if not (returns and past.name == proposal.name))


def _ordered(names: Sequence[str], proposal: Proposal) -> list[str]:
    """A merged value stands where its first part stood, a new one before those without a name."""
    if proposal.kind == "retire":
        return [name for name in names if name != proposal.name]
    merged = _merged(proposal)
    stops = [i for i, name in enumerate(names) if name in merged or name in UNNAMED]
    before, after = names[: stops[0]] if stops else names, names[stops[0] :] if stops else ()
    return [*before, proposal.name, *(name for name in after if name not in merged)]


def _merged(proposal: Proposal) -> frozenset[str]:
    return frozenset(proposal.parts) if proposal.kind == "merge" else frozenset()
