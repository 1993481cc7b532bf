"""Capability gaps: what people ask for, again and again, and do not get.

Requests of one topic are one gap. Topics that are each too rare are put together where their
abstracts lie together. A gap is proposed when enough sessions and users stand behind it, and when
the region of the embedding space that takes it in is the same without a fifth of the sessions.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from facets.clustering import cluster
from facets.proposal import Proposal, ProposalKind, proposal_id
from facets.prototype import Prototype
from facets.region import Mask, Region, Vectors, fit_region, jaccard
from facets.request_corpus import RequestCorpus
from facets.requests import UnservedRequest
from facets.topics import ANYTHING, topic_groups, topic_words

REQUESTS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "user_id": pl.String(),
    "abstract": pl.String(),
    "topic": pl.String(),
    "action": pl.String(),
    "ending": pl.String(),
}
"""Unserved requests; `user_id` null is the unknown user, who counts as one."""
READINGS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "asked": pl.List(pl.String()),
    "served": pl.List(pl.String()),
}
"""Every session that was read, with the topics asked for in it and those served."""
TARGET = "missing_capabilities"
KIND: ProposalKind = "capability_gap"
EXAMPLES = 5
_GROUP_SHARE = 0.8
"""Of the requests of a cluster that are of one group of topics, to be named by it."""


class GapFloors(NamedTuple):
    """Below any of these nothing is proposed."""

    min_sessions: int = 5
    min_users: int = 1
    """3 in team mode."""
    min_stability: float = 0.6


def find_gaps(
    requests: pl.DataFrame,
    vectors: Vectors,
    readings: pl.DataFrame,
    *,
    model_id: str,
    probes: Mapping[str, Vectors] | None = None,
    floors: GapFloors | None = None,
    seed: int = 0,
) -> list[Proposal]:
    """The gaps that pass every floor, the widest first.

    `requests` is in REQUESTS_SCHEMA with the unit row of each abstract in `vectors`, `readings` in
    READINGS_SCHEMA. `probes` has the unit vector of each of `probe_abstracts`, by topic: a region
    ends before other topics begin, also those that nobody asked for yet.
    """
    floors = floors or GapFloors()
    corpus = RequestCorpus(requests, vectors, probes or {}, seed)
    found = []
    for group in _groups(corpus, floors):
        stability = _stability(corpus, group)
        if stability >= floors.min_stability:
            region = _region(corpus, group, np.ones(requests.height, dtype=bool))
            figures = {
                **_evidence(corpus, readings, group, region),
                **_held_out_gain(corpus, group),
            }
            found.append(_proposal(corpus, group, region, stability, figures, model_id))
    return sorted(found, key=lambda one: (-one.sessions, one.proposal_id))


def probe_abstracts() -> dict[str, str]:
    """For each topic of the vocabulary what is said of a request for it."""
    return {
        topic: UnservedRequest("", ANYTHING, topic, "declined").abstract for topic in topic_groups()
    }


class _Group(NamedTuple):
    """Requests that may be one gap."""

    name: str
    topics: tuple[str, ...]
    members: Mask


def _groups(corpus: RequestCorpus, floors: GapFloors) -> Iterator[_Group]:
    """Each topic with enough behind it, then clusters of those that are too rare alone."""
    topics = corpus.topics
    frequent = [
        topic
        for topic in sorted(set(topics.tolist()))
        if _has_support(corpus.requests, topics == topic, floors)
    ]
    for topic in frequent:
        yield _Group(topic, (topic,), topics == topic)
    places = np.flatnonzero(~np.isin(topics, frequent))
    found = cluster(corpus.vectors[places], assign="core", seed=corpus.seed)
    names: set[str] = set()
    for label in range(found.count):
        members = np.zeros(len(topics), dtype=bool)
        members[places[found.core == label]] = True
        within = Counter(topics[members].tolist())
        name = _shared_group(within)
        if name is None or name in names or len(within) == 1:
            continue
        if _has_support(corpus.requests, members, floors):
            names.add(name)
            yield _Group(name, tuple(sorted(within)), members)


def _has_support(requests: pl.DataFrame, members: Mask, floors: GapFloors) -> bool:
    rows = requests.filter(pl.Series(members))
    enough = rows["session_key"].n_unique() >= floors.min_sessions
    return enough and rows["user_id"].n_unique() >= floors.min_users


def _shared_group(topics: Mapping[str, int]) -> str | None:
    """The group of nearly all of these topics; None where they have nothing in common."""
    counts: Counter[str] = Counter()
    for topic, number in topics.items():
        counts[topic_groups()[topic]] += number
    if not counts:
        return None
    name, number = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return f"{name}_requests" if number >= _GROUP_SHARE * counts.total() else None


def _region(corpus: RequestCorpus, group: _Group, kept: Mask) -> Region:
    """The group's region by the requests that are kept.

    Requests of its topics that are no members of a cluster are neither in nor out.
    """
    away = corpus.counted(kept & ~np.isin(corpus.topics, group.topics))
    first_probe = len(corpus.rows) - len(corpus.probes)
    away[first_probe:] = [topic not in group.topics for topic in corpus.probes]
    return fit_region(corpus.rows, corpus.counted(group.members & kept), away)


def _stability(corpus: RequestCorpus, group: _Group) -> float:
    """Mean Jaccard similarity of the members with what the region of a resample holds.

    Each resample leaves out a fifth of the sessions, whole; its region is asked about all.
    """
    scores = [
        jaccard(corpus.inside(_region(corpus, group, kept)), group.members)
        for kept in corpus.resamples
        if (group.members & kept).any()
    ]
    return float(np.mean(scores)) if scores else 0.0


def _held_out_gain(corpus: RequestCorpus, group: _Group) -> dict[str, float]:
    """On half of the sessions, left out: the region's Jaccard similarity, and what it gains.

    The gain is over taking every request for one of the gap. Nothing where a half has none.
    """
    kept = corpus.half
    truth = group.members[~kept]
    if not (group.members & kept).any() or not truth.any():
        return {}
    reached = jaccard(corpus.inside(_region(corpus, group, kept))[~kept], truth)
    return {
        "held_out_jaccard": round(reached, 3),
        "gain": round(reached - float(truth.mean()), 3),
    }


def _evidence(
    corpus: RequestCorpus, readings: pl.DataFrame, group: _Group, region: Region
) -> dict[str, Any]:
    rows = corpus.requests.filter(pl.Series(group.members))
    # Rounded, so that the order of summation does not decide between equal texts.
    nearness = (corpus.vectors[group.members] @ region.centroid).round(6)
    central = rows["abstract"].gather(np.argsort(-nearness, kind="stable"))
    asked = readings.filter(_names_any("asked", group.topics))
    served = asked.filter(_names_any("served", group.topics)).height
    return {
        "topics": list(group.topics),
        "terms": [topic_words(topic) for topic in group.topics],
        "actions": _counted(rows["action"]),
        "endings": _counted(rows["ending"]),
        "sessions_asked": asked.height,
        "sessions_served": served,
        "served_share": round(served / asked.height, 3) if asked.height else None,
        "sessions_read": readings.height,
        "coherence": round(float(nearness.mean()), 3),
        "examples": central.unique(maintain_order=True).head(EXAMPLES).to_list(),
    }


def _names_any(column: str, topics: Sequence[str]) -> pl.Expr:
    return pl.col(column).list.eval(pl.element().is_in(list(topics))).list.any()


def _counted(values: pl.Series) -> dict[str, int]:
    """How often each occurs, the commonest first."""
    counts = Counter(values.to_list())
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _proposal(
    corpus: RequestCorpus,
    group: _Group,
    region: Region,
    stability: float,
    evidence: Mapping[str, Any],
    model_id: str,
) -> Proposal:
    rows = corpus.requests.filter(pl.Series(group.members))
    said = ", ".join(topic_words(topic) for topic in group.topics)
    centroid = tuple(float(value) for value in region.centroid)
    return Proposal(
        proposal_id=proposal_id(KIND, TARGET, group.name),
        kind=KIND,
        target=TARGET,
        name=group.name,
        definition=f"The person asked for something that concerns {said}, and did not get it.",
        prototype=Prototype(model=model_id, centroid=centroid, reach=region.reach),
        support=rows.height,
        sessions=rows["session_key"].n_unique(),
        users=rows["user_id"].n_unique(),
        stability=round(stability, 3),
        evidence=evidence,
    )
