"""Novelties: groups of items that map to no value of the schema, with everything known of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facets.clustering_regions import NOISE, Labels, Vectors
from facets.evolution_evidence import HeldOut, Region, coherence_of, held_out, region_of
from facets.evolution_groups import MIN_OWN_WORDS, Unmapped
from facets.evolution_words import Words
from facets.identity import FoundCluster, KnownCluster, match_clusters
from facets.mapping import UNMAPPED, Mapping, Values
from facets.naming import ClusterName, name_clusters
from facets.stability import resampled_stability

EXAMPLES = 5
_OWN_WORDS = 8
_SEED_SESSIONS = 3
"""From which on a group has a region that others may lie in."""


class Novelty(NamedTuple):
    """A group of items that map to no value."""

    cluster_id: str
    """The same from run to run."""
    name: ClusterName
    members: NDArray[np.intp]
    """Positions among the items, the nearest to the centroid first."""
    sessions: int
    users: int
    """Distinct users; all unknown ones count as one."""
    centroid: NDArray[np.float64]
    coherence: float
    """Mean cosine of the members to the centroid."""
    reach: float
    """Cosine to the centroid that all but a twentieth of the members exceed."""
    region: Region
    held_out: HeldOut
    stability: float
    own_words: float
    """Words a member, on average, beyond what the known values explain."""
    words: tuple[str, ...]
    """The weightiest of these."""
    examples: tuple[str, ...]


def find_novelties(
    items: pl.DataFrame,
    vectors: Vectors,
    values: Values,
    mapping: Mapping,
    *,
    min_sessions: int = 5,
    min_users: int = 1,
    known: Sequence[KnownCluster] = (),
    seed: int = 0,
) -> list[Novelty]:
    """The groups of what maps nowhere that so many sessions and users have, the largest first.

    `items` are rows of `evolution.ITEMS_SCHEMA`; `known` are the groups of earlier runs.
    """
    sessions = items["session_key"].to_list()
    words = Words.of(items["text"].to_list(), values, sessions)
    unmapped = Unmapped.of(vectors, values, sessions, mapping.p_values, words, seed=seed)
    labels = unmapped.groups(seed=seed)
    grown = _grown(labels, vectors, values, words)
    wide = _wide(items, grown, min_sessions, min_users)
    if not wide:
        return []
    stability = resampled_stability(
        labels, sessions, lambda drawn: unmapped.groups(drawn, seed=seed), seed=seed
    )
    labels = grown
    groups = [by_nearness(vectors, np.flatnonzero(labels == label)) for label in wide]
    worth = held_out(vectors, values, sessions, groups, seed=seed)
    ids = _identities(known, [_found(items, vectors, members) for members in groups])
    names = _names(items, labels, values)
    return [
        _novelty(items, vectors, members, region_of(vectors, values, members), words)._replace(
            cluster_id=ids[place],
            name=names[label],
            held_out=worth[place],
            stability=float(stability[label]),
        )
        for place, (label, members) in enumerate(zip(wide, groups, strict=True))
    ]


def by_nearness(vectors: Vectors, members: NDArray[np.intp]) -> NDArray[np.intp]:
    """Members, the nearest to their centroid first."""
    centroid, _ = coherence_of(vectors, members)
    # Rounded, so that the order of summation does not decide between equal texts.
    nearness = (vectors[members] @ centroid).round(6)
    return members[np.argsort(-nearness, kind="stable")]


def distinct_texts(rows: pl.DataFrame) -> tuple[str, ...]:
    """The first EXAMPLES distinct texts."""
    return tuple(dict.fromkeys(rows["text"].to_list()))[:EXAMPLES]


def _grown(labels: Labels, vectors: Vectors, values: Values, words: Words) -> Labels:
    """With the unmapped that lie in a group's region, though no distance alone had told them.

    An item that shares its other words with a known value has a p-value of its kind and of that
    value. Groups without words of their own do not grow.
    """
    free = (labels == NOISE) & (values == UNMAPPED)
    grown = labels.copy()
    for label in range(int(labels.max(initial=NOISE)) + 1):
        members = np.flatnonzero(labels == label)
        if words.sessions(members) >= _SEED_SESSIONS and words.own(members).sum() >= MIN_OWN_WORDS:
            inside = region_of(vectors, values, members).holds(vectors)
            grown[free & inside & (grown == NOISE)] = label
    return grown


def _wide(items: pl.DataFrame, labels: Labels, min_sessions: int, min_users: int) -> list[int]:
    """Groups of enough sessions and users, in their order."""
    counted = (
        items.select("session_key", "user_id", group=pl.Series(labels))
        .filter(pl.col("group") != NOISE)
        .group_by("group")
        .agg(sessions=pl.col("session_key").n_unique(), users=pl.col("user_id").n_unique())
        .filter(pl.col("sessions") >= min_sessions, pl.col("users") >= min_users)
    )
    return sorted(counted["group"].to_list())


def _identities(known: Sequence[KnownCluster], found: Sequence[FoundCluster]) -> list[str]:
    """Ids of their own: a cluster of all items may well have the same members."""
    kept = {one.cluster_id for one in known}
    return [one if one in kept else f"n{one}" for one in match_clusters(known, found)]


def _found(items: pl.DataFrame, vectors: Vectors, members: NDArray[np.intp]) -> FoundCluster:
    centroid, _ = coherence_of(vectors, members)
    return FoundCluster(centroid, frozenset(items["item_id"].gather(members.tolist()).to_list()))


def _names(items: pl.DataFrame, labels: Labels, values: Values) -> dict[int, ClusterName]:
    """Names that tell the groups from each other and from the known values."""
    offset = int(labels.max()) + 1
    place = {name: offset + n for n, name in enumerate(np.unique(values[values != UNMAPPED]))}
    told = [
        label if label != NOISE else place.get(value, NOISE)
        for label, value in zip(labels.tolist(), values.tolist(), strict=True)
    ]
    return name_clusters(items["text"].to_list(), told)


def _novelty(
    items: pl.DataFrame,
    vectors: Vectors,
    members: NDArray[np.intp],
    region: Region,
    words: Words,
) -> Novelty:
    rows = items[members.tolist()]
    centroid, coherence = coherence_of(vectors, members)
    own = words.own(members)
    return Novelty(
        cluster_id="",
        name=ClusterName("", ()),
        members=members,
        sessions=rows["session_key"].n_unique(),
        users=rows["user_id"].n_unique(),
        centroid=centroid,
        coherence=coherence,
        reach=float(np.quantile(vectors[members] @ centroid, 0.05)),
        region=region,
        held_out=HeldOut.nothing(),
        stability=float("nan"),
        own_words=float(own.sum()),
        words=words.leading(own, _OWN_WORDS),
        examples=distinct_texts(rows),
    )
