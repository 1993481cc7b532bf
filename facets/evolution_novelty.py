"""Novelties: groups of items that map to no value of the schema, with everything known of them."""

from collections.abc import Callable, Sequence
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
COARSER = (1.0, 1.5, 4 / 3)
"""By how much each cut is higher than the one before: the first parts the known values best."""
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
    told: float
    """Share of the members that tell what happened."""
    examples: tuple[str, ...]


def find_novelties(
    items: pl.DataFrame,
    vectors: Vectors,
    values: Values,
    mapping: Mapping,
    *,
    is_enough: Callable[[Novelty], bool],
    min_sessions: int = 5,
    min_users: int = 1,
    known: Sequence[KnownCluster] = (),
    seed: int = 0,
) -> list[Novelty]:
    """The groups of what maps nowhere that so many sessions and users have.

    Grouped as finely as the known values are; what is not enough that way is grouped more coarsely,
    since a few moments in many words come together later. First come those that are enough, of the
    finer groups first, then the rest. `items` are rows of `evolution.ITEMS_SCHEMA`; `known` are the
    groups of earlier runs.
    """
    sessions = items["session_key"].to_list()
    words = Words.of(items["text"].to_list(), values, sessions)
    unmapped = Unmapped.of(vectors, values, sessions, mapping.p_values, words, seed=seed)
    look = _Look(items, vectors, values, words, min_sessions, min_users, seed)
    gone = np.zeros(len(values), dtype=bool)
    enough: list[Novelty] = []
    finest: list[Novelty] | None = None
    for step in COARSER:
        unmapped = unmapped.coarser(step)
        found = _look(look, unmapped, gone)
        enough += [one for one in found if is_enough(one)]
        finest = found if finest is None else finest
        taken = [unmapped.wordless(seed=seed), *(one.members for one in enough)]
        gone[np.concatenate(taken)] = True
        unmapped = unmapped.without(np.flatnonzero(gone))
    proposed = np.concatenate([np.empty(0, dtype=np.intp), *(one.members for one in enough)])
    rest = [one for one in finest or () if not np.isin(one.members, proposed).any()]
    groups = [*enough, *rest]
    ids = _identities(known, [_found(items, vectors, one.members) for one in groups])
    names = _names(items, groups, values)
    return [
        one._replace(cluster_id=ids[place], name=names[place]) for place, one in enumerate(groups)
    ]


class _Look(NamedTuple):
    """What all groups are looked at with."""

    items: pl.DataFrame
    vectors: Vectors
    values: Values
    words: Words
    min_sessions: int
    min_users: int
    seed: int


def _look(look: _Look, unmapped: Unmapped, gone: NDArray[np.bool_]) -> list[Novelty]:
    """The groups at one cut, the largest first, with their figures; none with items `gone`."""
    items, vectors, values, words, min_sessions, min_users, seed = look
    sessions = items["session_key"].to_list()
    labels = unmapped.groups(seed=seed)
    grown = _grown(labels, vectors, values, words, gone)
    wide = _wide(items, grown, min_sessions, min_users)
    if not wide:
        return []
    stability = resampled_stability(
        labels, sessions, lambda drawn: unmapped.groups(drawn, seed=seed), seed=seed
    )
    groups = [by_nearness(vectors, np.flatnonzero(grown == label)) for label in wide]
    worth = held_out(vectors, values, sessions, groups, seed=seed)
    return [
        _novelty(items, vectors, members, region_of(vectors, values, members), words)._replace(
            held_out=worth[place], stability=float(stability[label])
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


def _grown(
    labels: Labels, vectors: Vectors, values: Values, words: Words, gone: NDArray[np.bool_]
) -> Labels:
    """With the unmapped that lie in a group's region, though no distance alone had told them.

    An item that shares its other words with a known value has a p-value of its kind and of that
    value. Groups without words of their own do not grow.
    """
    free = (labels == NOISE) & (values == UNMAPPED) & ~gone
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


def _names(
    items: pl.DataFrame, groups: Sequence[Novelty], values: Values
) -> dict[int, ClusterName]:
    """Names that tell the groups from each other and from the known values."""
    told = np.full(items.height, NOISE)
    for place, name in enumerate(np.unique(values[values != UNMAPPED])):
        told[values == name] = len(groups) + place
    for place, one in enumerate(groups):
        told[one.members] = place
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
        told=float(np.mean(rows["is_told"].to_numpy())),
        examples=distinct_texts(rows),
    )
