"""The values of a session's facets: from its log, from what a judge said, or by distance."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from agent_core.session import Session
from facets.log_rules import LOG_RULES
from facets.resolution import Vectors, resolve, without_vector
from facets.schema import Facet, FacetSchema, Provenance

Value = str | list[str] | int | bool | None


class FacetValue(NamedTuple):
    """One facet of a session; `value` is None where it is not known, never a guess."""

    facet: str
    value: Value
    provenance: Provenance


def values_from_log(
    session: Session, schema: FacetSchema, facets: Iterable[str]
) -> list[FacetValue]:
    """The named facets of `schema` that a rule over the log gives, in the order of the schema."""
    wanted = frozenset(facets)
    return [
        FacetValue(facet.name, _from_rule(LOG_RULES[facet.rule](session), facet, schema), "log")
        for facet in schema.facets
        if facet.rule is not None and facet.name in wanted
    ]


def values_as_judged(
    said: Sequence[Any], vectors: Vectors, schema: FacetSchema, name: str, model_id: str
) -> list[FacetValue]:
    """What `schema` makes of a judge's words on the facet `name`, in the order of the sessions.

    `vectors` has the unit row of each session's summary (`facets.resolution.resolve_types`). Words
    of another type, or outside the values that the facet has or had, become None: they are not
    coerced to a near one.
    """
    facet = schema.required_facet(name)
    past = frozenset(former.name for former in facet.former)
    valid = [_valid(facet, value, frozenset(facet.values) | past) for value in said]
    if facet.type == "list":
        return [FacetValue(name, _renamed(value, schema, name), "judge") for value in valid]
    if facet.type not in ("category", "ordinal"):
        return [FacetValue(name, value, "judge") for value in valid]
    texts = [value if isinstance(value, str) else None for value in valid]
    by_distance = {origin.name for origin in facet.origins if origin.prototypes}
    return [
        FacetValue(name, value, "distance" if value in by_distance else "judge")
        for value in resolve(texts, vectors, schema, name, model_id)
    ]


def values_by_distance(
    owners: Sequence[int],
    vectors: Vectors,
    schema: FacetSchema,
    name: str,
    model_id: str,
    *,
    sessions: int,
) -> list[FacetValue]:
    """The values of a list facet that each of `sessions` sessions' items lie inside of, sorted.

    Item i belongs to session `owners[i]`, in [0, sessions), and has the unit row `vectors[i]`.
    None where an item of the session has no vector: what it is cannot be told.
    """
    unknown = set(np.asarray(owners)[without_vector(vectors)].tolist())
    found: list[set[str]] = [set() for _ in range(sessions)]
    items: list[str | None] = [None] * len(owners)
    for owner, value in zip(owners, resolve(items, vectors, schema, name, model_id), strict=True):
        found[owner] |= {value} if value is not None else set()
    return [
        FacetValue(name, None if number in unknown else sorted(values), "distance")
        for number, values in enumerate(found)
    ]


def _from_rule(found: Value, facet: Facet, schema: FacetSchema) -> Value:
    if isinstance(found, list):
        return _renamed(found, schema, facet.name)
    return _valid(facet, found, frozenset(facet.values))


def _renamed(values: Value, schema: FacetSchema, name: str) -> Value:
    """A list as the schema calls its values; what is none of them is left out, None stays None.

    The vocabulary of a rule may be wider than the schema's.
    """
    if not isinstance(values, list):
        return None
    no_vectors = np.full((len(values), 0), np.nan)
    known = frozenset(schema.known_values(name))
    called = resolve(values, no_vectors, schema, name, "")
    return sorted({value for value in called if value is not None and value in known})


def _valid(facet: Facet, value: Any, known: frozenset[str]) -> Value:
    match facet.type, value:
        case "category" | "ordinal", str() if value in known:
            return value
        case "list", list() if all(isinstance(v, str) and v in known for v in value):
            return sorted(set(value))
        case "boolean", bool():
            return value
        case "count", int() if not isinstance(value, bool) and value >= 0:
            return value
    return None
