"""Evolution: what the schema has no name for becomes a proposal, with the evidence for it.

Items without a value that map to none by a calibrated distance (`facets.mapping`) are grouped
(`facets.evolution_groups`). A group is proposed where enough sessions and users stand behind it, it
comes back under resampling, words tell it, and a region learned on some sessions holds it in
others, and little of the known values.
"""

import re
from collections import Counter
from collections.abc import Mapping as TypingMapping
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from facets.clustering import Clustering, cluster
from facets.clustering_regions import Vectors
from facets.evolution_groups import MIN_OWN_WORDS
from facets.evolution_novelty import Novelty, by_nearness, distinct_texts, find_novelties
from facets.identity import KnownCluster
from facets.mapping import UNMAPPED, Mapping, Values, map_items
from facets.naming import name_clusters
from facets.proposal import Proposal, ProposalKind, proposal_id
from facets.prototype import OUTSIDE, Prototype, assign
from facets.schema import OTHER, UNCLEAR, FacetSchema

ITEMS_SCHEMA: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "text": pl.String(),
    "type": pl.String(),
    "session_key": pl.String(),
    "user_id": pl.String(),
    "is_told": pl.Boolean(),
}
"""Items of one target: `text` is an abstract, `type` the value it carries now (null: none);
`is_told` says whether the abstract tells what happened, not only where."""
UNNAMED = frozenset({OTHER, UNCLEAR})


@dataclass(frozen=True, slots=True)
class Floors:
    """Below any of these nothing is proposed."""

    min_sessions: int = 5
    min_users: int = 1
    """3 in team mode."""
    min_stability: float = 0.6
    """Under 0.6 a cluster should not be trusted (Hennig 2007)."""
    min_gain_bits: float = 2.0
    """In sessions left out an unmapped item is four times as likely inside as a known one."""
    min_recaptured: float = 0.5
    """Share of the members of sessions left out that the others' region holds."""
    min_own_words: float = MIN_OWN_WORDS
    min_told: float = 0.5
    """Share of the members that tell what happened: a kind of which nothing is told has no name."""


class ClusterSummary(NamedTuple):
    """A cluster against the schema, counted over its core."""

    cluster: int
    name: str
    terms: tuple[str, ...]
    size: int
    sessions: int
    users: int
    maps_to: str | None
    """The schema's value; None: maps nowhere."""
    purity: float
    """Share of the members that carry or map to `maps_to`, where it is None that do to no value."""
    persistence: float | None
    examples: tuple[str, ...]
    """Distinct texts, the nearest to the centroid first."""


class Rejected(NamedTuple):
    """A proposal that a person turned down: it does not come back under another wording."""

    cluster_id: str | None
    prototype: Prototype | None


class Discovery(NamedTuple):
    """Everything one target's items show."""

    clustering: Clustering
    clusters: tuple[ClusterSummary, ...]
    mapping: Mapping
    novelties: tuple[Novelty, ...]
    """All that have the floors of sessions and users, proposed or not."""
    proposals: tuple[Proposal, ...]


def discover(
    items: pl.DataFrame,
    vectors: Vectors,
    schema: FacetSchema,
    target: str,
    *,
    model: str = "",
    floors: Floors | None = None,
    known: Sequence[KnownCluster] = (),
    rejected: Sequence[Rejected] = (),
    seed: int = 0,
) -> Discovery:
    """Cluster one target's items (ITEMS_SCHEMA, a unit row of `vectors` each), map, propose.

    `target` is `friction`, `delight` or a category facet; `model` the id of the vectors' model;
    `known` are earlier runs' groups, whose ids are kept. Raises ConfigError where the schema does
    not have the target.
    """
    floors = floors if floors is not None else Floors()
    values = values_of(items, schema, target)
    clustering = cluster(vectors, assign="core", seed=seed)
    mapping = map_items(vectors, values, items["session_key"].to_list(), seed=seed)
    novelties = find_novelties(
        items,
        vectors,
        values,
        mapping,
        is_enough=lambda one: passes(one, floors),
        min_sessions=floors.min_sessions,
        min_users=floors.min_users,
        known=known,
        seed=seed,
    )
    proposed = [
        one
        for one in novelties
        if passes(one, floors) and not _was_rejected(one, vectors, model, rejected)
    ]
    taken = frozenset(schema.known_values(target))
    return Discovery(
        clustering,
        tuple(summarise(items, vectors, clustering, mapping.values(values))),
        mapping,
        tuple(novelties),
        propose(proposed, target, model, taken),
    )


def values_of(items: pl.DataFrame, schema: FacetSchema, target: str) -> Values:
    """The value of the schema that each item carries; UNMAPPED where it carries none."""
    known = frozenset(schema.known_values(target)) - UNNAMED
    carried = [value if value in known else UNMAPPED for value in items["type"].to_list()]
    return np.array(carried, dtype=str)


def summarise(
    items: pl.DataFrame, vectors: Vectors, clustering: Clustering, values: Values
) -> list[ClusterSummary]:
    """Each cluster's core: its name, whom it concerns, and what it is to the schema.

    `values` are those that the items carry or map to, UNMAPPED for none.
    """
    names = name_clusters(items["text"].to_list(), clustering.core)
    found = []
    for label in range(clustering.count):
        members = by_nearness(vectors, np.flatnonzero(clustering.core == label))
        rows = items[members.tolist()]
        maps_to, purity = majority(values[members].tolist())
        found.append(
            ClusterSummary(
                cluster=label,
                name=names[label].name,
                terms=names[label].terms,
                size=rows.height,
                sessions=rows["session_key"].n_unique(),
                users=rows["user_id"].n_unique(),  # null, the unknown user, is one value
                maps_to=maps_to,
                purity=purity,
                persistence=_measured(clustering.persistence[label]),
                examples=distinct_texts(rows),
            )
        )
    return found


def majority(values: Sequence[str]) -> tuple[str | None, float]:
    """The commonest value and its share; None, with theirs, where over half are UNMAPPED."""
    named = Counter(value for value in values if value != UNMAPPED)
    unnamed = len(values) - named.total()
    if 2 * unnamed > len(values) or not named:
        return None, unnamed / max(len(values), 1)
    value, carried = min(named.items(), key=lambda pair: (-pair[1], pair[0]))
    return value, carried / len(values)


def passes(one: Novelty, floors: Floors) -> bool:
    """Each figure at its floor or above; NaN, never measured, passes none."""
    return (
        one.sessions >= floors.min_sessions
        and one.users >= floors.min_users
        and one.stability >= floors.min_stability
        and one.held_out.gain_bits >= floors.min_gain_bits
        and one.held_out.recaptured >= floors.min_recaptured
        and one.own_words >= floors.min_own_words
        and one.told >= floors.min_told
    )


def propose(
    novelties: Sequence[Novelty], target: str, model: str, taken: frozenset[str]
) -> tuple[Proposal, ...]:
    """A proposal for each, the widest first; none has a name of `taken`, nor another's."""
    found: list[Proposal] = []
    for one in sorted(novelties, key=lambda one: (-one.sessions, one.cluster_id)):
        names = taken.union(proposal.name for proposal in found)
        found.append(_proposal(one, target, model, _free(_identifier(one.name.name), names)))
    return tuple(found)


def named(
    proposals: Sequence[Proposal], names: TypingMapping[str, tuple[str, str]]
) -> list[Proposal]:
    """With the name and the definition that `names` has for a proposal's cluster."""
    found: list[Proposal] = []
    for one in proposals:
        name, definition = names.get(one.cluster_id or "", (one.name, one.definition))
        taken = frozenset(other.name for other in (*found, *proposals) if other is not one)
        found.append(replace(one, name=_free(_identifier(name), taken), definition=definition))
    return found


def _measured(persistence: float) -> float | None:
    return None if np.isnan(persistence) else float(persistence)


def _was_rejected(one: Novelty, vectors: Vectors, model: str, rejected: Sequence[Rejected]) -> bool:
    """Under the same identity, or where most of its members lie in the region turned down."""
    rows = vectors[one.members]
    return any(
        past.cluster_id == one.cluster_id
        or (
            past.prototype is not None
            and past.prototype.model == model
            and 2 * int((assign(rows, [past.prototype]) != OUTSIDE).sum()) > len(rows)
        )
        for past in rejected
    )


def _proposal(one: Novelty, target: str, model: str, name: str) -> Proposal:
    kind: ProposalKind = "new_type" if target in ("friction", "delight") else "new_value"
    return Proposal(
        proposal_id=proposal_id(kind, target, one.cluster_id),
        kind=kind,
        target=target,
        name=name,
        definition=f"Such as: {one.examples[0].rstrip('.')}.",
        prototype=one.region.prototype(model),
        cluster_id=one.cluster_id,
        support=len(one.members),
        sessions=one.sessions,
        users=one.users,
        stability=round(one.stability, 3),
        evidence={
            "terms": list(one.name.terms),
            "own_words": list(one.words),
            "own_words_a_member": round(one.own_words, 2),
            "told_share": round(one.told, 2),
            "coherence": round(one.coherence, 3),
            **one.held_out.figures(),
            "examples": list(one.examples),
        },
    )


def _identifier(name: str) -> str:
    """The name as the schema wants it: lower-case ASCII words, joined by underscores."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    joined = "_".join(dict.fromkeys(words))
    return joined if re.match(r"[a-z]", joined) else f"kind_{joined}".rstrip("_")


def _free(name: str, taken: frozenset[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name}_{n}" for n in range(2, len(taken) + 3) if f"{name}_{n}" not in taken)
