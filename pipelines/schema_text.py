"""The facet schema, its proposals and what was decided on them, in lines for a person."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from facets.proposal import Proposal, ProposalKind
from facets.schema import Facet, FacetSchema
from facets.schema_diff import SchemaChange, told_by
from pipelines.proposal_words import figures_in_words
from pipelines.schema_decisions import Decided
from pipelines.schema_proposals import StoredProposal
from pipelines.schemas import StoredVersion

_KINDS: Mapping[ProposalKind, str] = {
    "new_type": "a new type of",
    "new_value": "a new value of",
    "new_facet": "a new facet",
    "split": "split off a part of",
    "merge": "merge in",
    "retire": "retire from",
    "capability_gap": "a missing capability for",
}
_EXAMPLES = 3


def schema_lines(schema: FacetSchema) -> Iterator[str]:
    """Every type and facet: definition, where its values come from, and since which version."""
    for polarity in ("friction", "delight"):
        yield polarity
        for one in schema.types(polarity):
            yield f"  {one.name}: {one.definition} [{_origin(one.provenance, one)}]"
        yield from _former_lines(schema, polarity)
    yield "facets"
    for facet in schema.facets:
        yield from _facet_lines(schema, facet)


def proposal_lines(stored: StoredProposal, in_force: Collection[str]) -> Iterator[str]:
    """A proposal with its evidence; `in_force` are those that the current schema has taken in."""
    proposal = stored.proposal
    yield f"{proposal.proposal_id}  {_state(stored, in_force)}: {_what(proposal)}"
    if proposal.definition:
        yield f"    {proposal.definition}"
    yield f"    {figures_in_words(proposal)}"
    if terms := proposal.evidence.get("terms"):
        yield f"    terms: {', '.join(map(str, terms))}"
    for example in list(proposal.evidence.get("examples", ()))[:_EXAMPLES]:
        yield f"    such as: {example}"


def _state(stored: StoredProposal, in_force: Collection[str]) -> str:
    """An open one that later runs do not find again stays: the day tells."""
    if stored.status == "open":
        return f"open, found last on {stored.found_at:%Y-%m-%d}" if stored.found_at else "open"
    decided = f" on {stored.decided_at:%Y-%m-%d}" if stored.decided_at else ""
    undone = stored.status == "accepted" and stored.proposal.proposal_id not in in_force
    return f"{stored.status}{decided}{', rolled back since' if undone else ''}"


def decided_lines(decided: Decided) -> Iterator[str]:
    """What a decision changed."""
    yield from change_lines(decided.changes)
    yield f"moments with another type now: {decided.moments}; sessions changed: {decided.sessions}"
    if decided.sessions_to_read:
        yield pending_line(decided.sessions_to_read)


def pending_line(sessions: int) -> str:
    """How many older sessions wait for what this version asks of their logs."""
    return (
        f"older sessions still to be read for this version: {sessions}; signals evolve and signals "
        "run do it, within [facets]"
    )


def change_lines(changes: Sequence[SchemaChange]) -> Iterator[str]:
    """One line a difference."""
    for change in changes:
        text = change.before if change.kind == "removed" else change.after
        yield f"{change.kind:<8} {change.target:<12} {change.name}: {text}"


def foreign_line(prototypes: int) -> str:
    """What it means that the embedding model was changed."""
    return (
        f"prototypes of another embedding model than the configured one: {prototypes}; nothing is "
        "inside them until it is configured again ([embedding] model_dir)"
    )


def history_lines(versions: Sequence[StoredVersion], in_force: Sequence[int]) -> Iterator[str]:
    """One line a version."""
    for known in versions:
        number = known.schema.version
        state = "current" if known.is_current else "" if number in in_force else "not in force"
        made = f"{known.origin}{f', from version {known.base}' if known.base else ''}"
        yield f"{number:>4}  {known.created_at:%Y-%m-%d %H:%M}  {made:<44} {state}".rstrip()


def decision_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line a decision, as `schema_decisions` keeps it."""
    for row in rows:
        what = " ".join(filter(None, (row["decision"].replace("_", " "), row["proposal_id"])))
        reason = f" ({row['reason']})" if row["reason"] else ""
        yield (
            f"{row['decided_at']:%Y-%m-%d %H:%M}  {what}, by {row['decided_by']}: version "
            f"{row['version']}; moments changed: {row['moments']}, sessions: {row['sessions']}"
            f"{reason}"
        )


def _origin(provenance: str, part: Any) -> str:
    return ", ".join(filter(None, (told_by(part) or provenance, f"since version {part.since}")))


def _facet_lines(schema: FacetSchema, facet: Facet) -> Iterator[str]:
    source = f"rule {facet.rule}" if facet.rule else facet.provenance
    yield (
        f"  {facet.name} ({facet.type}): {facet.definition} [{source}, since version {facet.since}]"
    )
    proposed = {origin.name: origin for origin in facet.origins}
    told = [value for value in facet.values if facet.value_definitions.get(value)]
    for value in told:
        origin = f" [{_origin('judge', proposed[value])}]" if value in proposed else ""
        yield f"    {value}: {facet.value_definitions[value]}{origin}"
    if others := [value for value in facet.values if value not in told]:
        yield f"    {', '.join(others)}"
    yield from _former_lines(schema, facet.name)


def _former_lines(schema: FacetSchema, target: str) -> Iterator[str]:
    for past in schema.former(target):
        if past.became != past.name:
            became = past.became or "no value"
            yield f"    no more: {past.name}, since version {past.until}; now {became}"


def _what(proposal: Proposal) -> str:
    parts = ", ".join(proposal.parts)
    match proposal.kind:
        case "merge":
            return f"merge {parts} of {proposal.target} into {proposal.name}"
        case "split":
            return f"split {proposal.name} off {parts} of {proposal.target}"
        case "retire":
            return f"retire {proposal.name} from {proposal.target}"
        case "new_facet":
            return f"a new facet, {proposal.name}"
        case kind:
            return f"{_KINDS[kind]} {proposal.target}, {proposal.name}"
