"""Evolution: clusters that the schema has no name for become proposals, with their evidence.

Each cluster's core is mapped to the value that most of its members carry; where most carry none
(`other`, `unclear`, or a value the schema does not know) it maps nowhere, and if enough
sessions and users stand behind it and it comes back under resampling, it is proposed.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facets.clustering import NOISE, Clustering, Labels, Vectors, cluster
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
    examples: tuple[str, ...]
    """Distinct texts, the nearest to the centroid first."""


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
    floors = floors or Floors()
    clustering = cluster(vectors, assign="core", seed=seed)
    clusters = summarise(items, vectors, clustering, schema, target)
    stability = np.full(clustering.count, np.nan)
    if any(_is_new(one, floors) for one in clusters):  # resampling costs ten clusterings
        sessions = items["session_key"].to_list()
        stability = resampled_stability(vectors, clustering, sessions, seed=seed)
    proposals = propose(clusters, stability, target, floors)
    return Discovery(clustering, tuple(clusters), tuple(proposals))


def map_to_schema(
    items: pl.DataFrame, labels: Labels, schema: FacetSchema, target: str
) -> dict[int, str | None]:
    """For each cluster of `labels` the value most members carry; None: it maps nowhere."""
    known = _known(schema, target)
    return {
        int(label): _mapping(items.filter(pl.Series(labels == label))["type"].to_list(), known)[0]
        for label in np.unique(labels[labels != NOISE])
    }


def summarise(
    items: pl.DataFrame,
    vectors: Vectors,
    clustering: Clustering,
    schema: FacetSchema,
    target: str,
) -> list[ClusterSummary]:
    """Each cluster's core: its name, whom it concerns, and what it is to the schema."""
    names = name_clusters(items["text"].to_list(), clustering.core)
    known = _known(schema, target)
    return [
        _summary(items, _by_nearness(vectors, clustering, label), names[label], known)._replace(
            cluster=label, persistence=_measured(clustering.persistence[label])
        )
        for label in range(clustering.count)
    ]


def propose(
    clusters: Sequence[ClusterSummary],
    stability: NDArray[np.float64],
    target: str,
    floors: Floors,
) -> list[Proposal]:
    """A proposal for each cluster that maps nowhere and passes every floor, the widest first.

    `stability` has one figure a cluster, in [0, 1]; NaN, never measured, passes no floor.
    """
    proposals = [
        _proposal(one, target, float(stability[one.cluster]))
        for one in clusters
        if _is_new(one, floors) and stability[one.cluster] >= floors.min_stability
    ]
    return sorted(proposals, key=lambda proposal: (-proposal.sessions, proposal.proposal_id))


def _known(schema: FacetSchema, target: str) -> frozenset[str]:
    return frozenset(schema.known_values(target)) - UNNAMED


def _by_nearness(vectors: Vectors, clustering: Clustering, label: int) -> NDArray[np.intp]:
    """Items of a cluster's core, the nearest to its centroid first."""
    members = np.flatnonzero(clustering.core == label)
    # Rounded, so that the order of summation does not decide between equal texts.
    nearness = (vectors[members] @ clustering.centroids[label]).round(6)
    return members[np.argsort(-nearness, kind="stable")]


def _summary(
    items: pl.DataFrame, members: NDArray[np.intp], name: ClusterName, known: frozenset[str]
) -> ClusterSummary:
    rows = items[members.tolist()]
    maps_to, purity = _mapping(rows["type"].to_list(), known)
    return ClusterSummary(
        cluster=NOISE,
        name=name.name,
        terms=name.terms,
        size=rows.height,
        sessions=rows["session_key"].n_unique(),
        users=rows["user_id"].n_unique(),  # null, the unknown user, is one value
        maps_to=maps_to,
        purity=purity,
        persistence=None,
        examples=tuple(dict.fromkeys(rows["text"].to_list()))[:EXAMPLES],
    )


def _measured(persistence: float) -> float | None:
    return None if np.isnan(persistence) else float(persistence)


def _mapping(types: Sequence[str | None], known: frozenset[str]) -> tuple[str | None, float]:
    """The commonest known value and its share, unless more than half carry none."""
    named = Counter(value for value in types if value in known)
    unnamed = len(types) - named.total()
    if 2 * unnamed > len(types) or not named:
        return None, unnamed / max(len(types), 1)
    value, carried = min(named.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return value, carried / len(types)


def _is_new(one: ClusterSummary, floors: Floors) -> bool:
    has_support = one.sessions >= floors.min_sessions and one.users >= floors.min_users
    return one.maps_to is None and has_support


def _proposal(one: ClusterSummary, target: str, stability: float) -> Proposal:
    kind: ProposalKind = "new_type" if target in ("friction", "delight") else "new_value"
    return Proposal(
        proposal_id=proposal_id(kind, target, one.terms[:_ID_TERMS] or (one.name,)),
        kind=kind,
        target=target,
        name=_identifier(one.name),
        definition=f"Such as: {one.examples[0].rstrip('.')}.",
        support=one.size,
        sessions=one.sessions,
        users=one.users,
        stability=round(stability, 3),
        evidence={
            "terms": list(one.terms),
            "examples": list(one.examples),
            "unmapped_share": round(one.purity, 3),
        },
    )


def _identifier(name: str) -> str:
    """The name as the schema wants it: lower-case ASCII words, joined by underscores."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    joined = "_".join(dict.fromkeys(words))
    return joined if re.match(r"[a-z]", joined) else f"kind_{joined}".rstrip("_")
