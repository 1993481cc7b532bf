"""Evolution: clusters that the schema has no name for become proposals, with their evidence.

Each cluster's core is mapped to the value that most of its members carry; where most carry none
(`other`, `unclear`, or a value the schema does not know) it maps nowhere, and if enough
sessions and users stand behind it and it comes back under resampling, it is proposed.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facets.clustering import Clustering, Vectors, cluster
from facets.naming import ClusterName, name_clusters
from facets.proposal import Proposal, ProposalKind, proposal_id
from facets.schema import OTHER, FacetSchema
from facets.stability import resampled_stability

ITEMS_SCHEMA: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "text": pl.String(),
    "type": pl.String(),
    "session_key": pl.String(),
    "user_id": pl.String(),
}
"""Items of one target: `text` is an abstract, `type` the value it carries now (null: none)."""
UNNAMED = frozenset({OTHER, "unclear"})
EXAMPLES = 5
_ID_TERMS = 3


@dataclass(frozen=True, slots=True)
class Floors:
    """Below any of these nothing is proposed."""

    min_sessions: int = 5
    min_users: int = 1
    """3 in team mode."""
    min_stability: float = 0.6
    """Under 0.6 a cluster should not be trusted (Hennig 2007)."""


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
    """Share of the members that carry `maps_to`, or where it is None that carry no value."""
    persistence: float | None


class Discovery(NamedTuple):
    """Everything one target's items show."""

    clustering: Clustering
    clusters: tuple[ClusterSummary, ...]
    proposals: tuple[Proposal, ...]


def discover(
    items: pl.DataFrame,
    vectors: Vectors,
    schema: FacetSchema,
    target: str,
    *,
    floors: Floors | None = None,
    seed: int = 0,
) -> Discovery:
    """Cluster one target's items (ITEMS_SCHEMA, a unit row of `vectors` each), name, propose.

    `target` is `friction`, `delight` or a category facet. Raises ConfigError where the schema
    does not have it.
    """
    clustering = cluster(vectors, assign="core", seed=seed)
    names = name_clusters(items["text"].to_list(), clustering.labels)
    clusters = map_clusters(items, clustering, names, schema, target)
    floors = floors or Floors()
    stability: NDArray[np.float64] | None = None
    if any(_supported(one, floors) for one in clusters):  # resampling costs ten clusterings
        sessions = items["session_key"].to_list()
        stability = resampled_stability(vectors, clustering, sessions, seed=seed)
    proposals = propose(items, vectors, clustering, clusters, target, floors, stability)
    return Discovery(clustering, tuple(clusters), tuple(proposals))


def map_clusters(
    items: pl.DataFrame,
    clustering: Clustering,
    names: Mapping[int, ClusterName],
    schema: FacetSchema,
    target: str,
) -> list[ClusterSummary]:
    """Each cluster with the value of the schema that its members carry, if most carry one."""
    known = frozenset(schema.known_values(target)) - UNNAMED
    return [
        _summary(items.filter(pl.Series(clustering.core == label)), label, clustering, names, known)
        for label in range(clustering.count)
    ]


def propose(
    items: pl.DataFrame,
    vectors: Vectors,
    clustering: Clustering,
    clusters: list[ClusterSummary],
    target: str,
    floors: Floors,
    stability: NDArray[np.float64] | None,
) -> list[Proposal]:
    """A proposal for each cluster that maps nowhere and passes every floor, the widest first.

    `stability` has one figure a cluster; None where no cluster has the support.
    """
    proposals = []
    for one in clusters:
        if stability is None or not _supported(one, floors):
            continue
        held = float(stability[one.cluster])
        if held >= floors.min_stability:  # NaN, never measured, is below
            examples = _most_central(items, vectors, clustering, one.cluster)
            proposals.append(_proposal(one, target, held, examples))
    return sorted(proposals, key=lambda proposal: (-proposal.sessions, proposal.proposal_id))


def _summary(
    members: pl.DataFrame,
    label: int,
    clustering: Clustering,
    names: Mapping[int, ClusterName],
    known: frozenset[str],
) -> ClusterSummary:
    maps_to, purity = _mapping(members["type"].to_list(), known)
    persistence = float(clustering.persistence[label])
    return ClusterSummary(
        cluster=label,
        name=names[label].name,
        terms=names[label].terms,
        size=members.height,
        sessions=members["session_key"].n_unique(),
        users=members["user_id"].n_unique(),  # null, the unknown user, is one value
        maps_to=maps_to,
        purity=purity,
        persistence=None if np.isnan(persistence) else persistence,
    )


def _mapping(types: list[str | None], known: frozenset[str]) -> tuple[str | None, float]:
    """The commonest known value unless more than half carry none, and its share."""
    named = Counter(value for value in types if value in known)
    unnamed = len(types) - named.total()
    if 2 * unnamed > len(types) or not named:
        return None, unnamed / max(len(types), 1)
    value, carried = min(named.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return value, carried / len(types)


def _supported(one: ClusterSummary, floors: Floors) -> bool:
    return (
        one.maps_to is None
        and one.sessions >= floors.min_sessions
        and one.users >= floors.min_users
    )


def _most_central(
    items: pl.DataFrame, vectors: Vectors, clustering: Clustering, label: int
) -> list[str]:
    """Distinct texts of the core, the nearest to the centroid first."""
    members = np.flatnonzero(clustering.core == label)
    nearness = (vectors[members] @ clustering.centroids[label]).round(6)
    ordered = members[np.argsort(-nearness, kind="stable")]
    texts = items["text"].gather(ordered.tolist()).to_list()
    return list(dict.fromkeys(texts))[:EXAMPLES]


def _proposal(one: ClusterSummary, target: str, stability: float, examples: list[str]) -> Proposal:
    kind: ProposalKind = "new_type" if target in ("friction", "delight") else "new_value"
    return Proposal(
        proposal_id=proposal_id(kind, target, one.terms[:_ID_TERMS] or (one.name,)),
        kind=kind,
        target=target,
        name=_identifier(one.name),
        definition=f"Such as: {examples[0].rstrip('.')}.",
        support=one.size,
        sessions=one.sessions,
        users=one.users,
        stability=round(stability, 3),
        evidence={
            "terms": list(one.terms),
            "examples": examples,
            "unmapped_share": round(one.purity, 3),
        },
    )


def _identifier(name: str) -> str:
    """The name as the schema wants it: lower-case ASCII words, joined by underscores."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    joined = "_".join(dict.fromkeys(words))
    return joined if re.match(r"[a-z]", joined) else f"kind_{joined}".rstrip("_")
