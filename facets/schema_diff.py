"""How two versions of the schema differ, in words that a person can weigh."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from facets.schema import FacetSchema, Former, MomentType, ValueOrigin, is_polarity


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
        changes += _differences(target, _texts(before, target), _texts(after, target))
    changes += _differences("facet", _facet_texts(before), _facet_texts(after))
    for facet in after.facets:
        if before.facet(facet.name) is not None:
            name = facet.name
            changes += _differences(name, _texts(before, name), _texts(after, name))
    return changes


def told_by(part: MomentType | ValueOrigin | Former) -> str:
    """In words what a value takes in besides its own name; empty where nothing."""
    if part.prototypes:
        return f"by distance{', from ' if part.takes else ''}{' or '.join(part.takes)}"
    return f"takes in {', '.join(part.takes)}" if part.takes else ""


def _texts(schema: FacetSchema, target: str) -> dict[str, str]:
    told = {part.name: told_by(part) for part in schema.origins(target)}
    if is_polarity(target):
        definitions = {one.name: one.definition for one in schema.types(target)}
    else:
        definitions = schema.required_facet(target).value_definitions
    return {
        name: " ".join(
            filter(None, (definitions.get(name, ""), f"({told[name]})" if told.get(name) else ""))
        )
        for name in schema.known_values(target)
    }


def _facet_texts(schema: FacetSchema) -> dict[str, str]:
    return {
        facet.name: " ".join(filter(None, (facet.type, facet.rule, facet.definition)))
        for facet in schema.facets
    }


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
