"""From a session to the values of its facets."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from agent_core.session import Session
from facets.log_rules import LOG_RULES
from facets.schema import Facet, FacetSchema, Provenance


class FacetValue(NamedTuple):
    """One facet of a session; `value` is None where it is not known, never a guess."""

    facet: str
    value: str | list[str] | int | bool | None
    provenance: Provenance


def extract_facets(
    session: Session, schema: FacetSchema, judged: Mapping[str, Any]
) -> list[FacetValue]:
    """A value for each facet of `schema`, in its order.

    `judged` holds what a judge said by facet name. A judged value of another type, or outside
    the closed values, becomes None: it is not coerced to a near one.
    """
    return [
        FacetValue(facet.name, _value(facet, session, judged), facet.provenance)
        for facet in schema.facets
    ]


def _value(
    facet: Facet, session: Session, judged: Mapping[str, Any]
) -> str | list[str] | int | bool | None:
    if facet.rule is None:
        return _valid(facet, judged.get(facet.name))
    found = LOG_RULES[facet.rule](session)
    if isinstance(found, list):  # the vocabulary of a rule may be wider than the schema's
        return [value for value in found if value in facet.values]
    return _valid(facet, found)


def _valid(facet: Facet, value: Any) -> str | list[str] | int | bool | None:
    match facet.type, value:
        case "category" | "ordinal", str() if value in facet.values:
            return value
        case "list", list() if all(isinstance(v, str) and v in facet.values for v in value):
            return sorted(set(value))
        case "boolean", bool():
            return value
        case "count", int() if not isinstance(value, bool) and value >= 0:
            return value
    return None
