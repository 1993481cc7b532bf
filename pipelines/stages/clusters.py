"""Stage `clusters`: moment descriptions and session summaries clustered apart, named, and held
against the schema; what maps to nothing in it becomes a proposal."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from agent_core.embedding import Embedder
from facets.clustering import Clustering, cluster
from facets.clustering_regions import NOISE, Labels
from facets.evolution import (
    ClusterSummary,
    Discovery,
    Floors,
    discover,
    named,
    summarise,
    values_of,
)
from facets.evolution_changes import ChangeFloors, propose_merges, propose_splits
from facets.evolution_novelty import Novelty
from facets.identity import FoundCluster, match_clusters
from facets.mapping import UNMAPPED
from facets.naming_check import ClusteredTexts
from facets.proposal import Proposal
from facets.schema import OTHER, FacetSchema
from pipelines.cluster_inputs import POLARITIES, ClusterInputs, load_inputs
from pipelines.cluster_naming import ClusterLabel, name_found
from pipelines.cluster_rows import (
    CLUSTERS_SCHEMA,
    ClusteredItems,
    geometry,
    known_clusters,
    rejected_proposals,
    replace_clusters,
)
from pipelines.context import Context
from pipelines.proposal_rows import write_proposals
from pipelines.schemas import ensure_schema
from pipelines.warehouse import transaction

UNMAPPED_KIND = "{}_unmapped"
"""Kind of the clusters of a target's items that map to no value of the schema."""


class _Target(NamedTuple):
    """What is clustered, and what it is held against."""

    kind: str
    """Of its clusters: friction, delight or session."""
    name: str
    """Of what it is held against: a polarity or a category facet."""
    items: ClusterInputs


def cluster_items(context: Context) -> dict[str, int]:
    """Cluster every kind anew; return clusters, noise and items without a vector by kind, and
    proposals.

    What stands in no dense part is noise (-1) and stays so. A proposal that is found again gets
    the figures of this run; one that a person decided on is not made again, and one that is no
    longer found stays open under the run that last found it.
    """
    model_id = Embedder(context.config.embedding.model_dir).model_id
    with context.warehouse() as connection:
        schema = ensure_schema(connection, context.clock())
    counts: dict[str, int] = {}
    proposals: list[Proposal] = []
    for kind, target in (("session", _open_facet(schema)), *((p, p) for p in POLARITIES)):
        found = _Target(kind, target, load_inputs(context, target, schema, model_id))
        counts |= _look(context, found, schema, model_id, proposals)
    with context.warehouse() as connection, transaction(connection):
        new = write_proposals(connection, proposals, context.run_id, context.clock())
    return {**counts, "proposals": len(proposals), "proposals_new": new}


def _open_facet(schema: FacetSchema) -> str:
    """The category of sessions that a judge tells and that leaves room for what is none of its
    values; empty where the schema has none."""
    return next(
        (
            facet.name
            for facet in schema.facets
            if facet.type == "category" and facet.provenance == "judge" and OTHER in facet.values
        ),
        "",
    )


def _look(
    context: Context,
    found: _Target,
    schema: FacetSchema,
    model_id: str,
    proposals: list[Proposal],
) -> dict[str, int]:
    """Cluster and store one target; its proposals are added to `proposals`."""
    frame, vectors, without_vector = found.items
    if found.name:
        discovery = _discover(context, found, schema, model_id)
        clustering, clusters = discovery.clustering, discovery.clusters
        names = _keep_novelties(context, found, discovery, schema, model_id)
        proposals += named(discovery.proposals, _of_models(discovery.novelties, names))
        proposals += _changes(context, found, schema, model_id)
    else:
        clustering = cluster(vectors, assign="core")
        unmapped = np.full(frame.height, "", dtype=str)
        clusters = tuple(summarise(frame, vectors, clustering, unmapped))
    _keep_clusters(context, found, clustering, clusters, model_id)
    return {
        f"{found.kind}_clusters": clustering.count,
        f"{found.kind}_noise": int((clustering.labels == NOISE).sum()),
        f"{found.kind}_without_vector": without_vector,
    }


def _discover(context: Context, found: _Target, schema: FacetSchema, model_id: str) -> Discovery:
    with context.warehouse() as connection:
        known = known_clusters(connection, UNMAPPED_KIND.format(found.name), model_id)
        rejected = rejected_proposals(connection, found.name)
    return discover(
        found.items.frame,
        found.items.vectors,
        schema,
        found.name,
        model=model_id,
        floors=Floors(context.config.min_sessions, context.config.min_users),
        known=known,
        rejected=rejected,
    )


def _changes(
    context: Context, found: _Target, schema: FacetSchema, model_id: str
) -> list[Proposal]:
    """Merges and splits of moment types; what a session is called is no matter of distance."""
    if found.name not in POLARITIES:
        return []
    frame, vectors, _ = found.items
    values = values_of(frame, schema, found.name)
    floors = ChangeFloors(context.config.min_sessions, context.config.min_users)
    types = schema.friction if found.name == "friction" else schema.delight
    judged = frozenset(known.name for known in types if not known.prototypes)
    return [
        *propose_merges(frame, vectors, values, found.name, floors=floors),
        *propose_splits(
            frame, vectors, values, found.name, judged=judged, model=model_id, floors=floors
        ),
    ]


def _keep_clusters(
    context: Context,
    found: _Target,
    clustering: Clustering,
    clusters: Sequence[ClusterSummary],
    model_id: str,
) -> None:
    ids = _identities(context, found, clustering, model_id)
    names = _names(context, found.items, clustering.core, ids)
    rows = [
        {
            **{name: getattr(one, name) for name in ("cluster", "size", "sessions", "users")},
            **_called(names.get(one.cluster), one.name, one.terms),
            **geometry(clustering, one.cluster),
            "cluster_id": ids[one.cluster],
            "maps_to": one.maps_to if found.kind in POLARITIES else None,
        }
        for one in clusters
    ]
    replace_clusters(
        context,
        ClusteredItems(
            found.kind,
            model_id,
            pl.DataFrame(rows, schema=CLUSTERS_SCHEMA),
            found.items.frame["item_id"].to_list(),
            clustering.labels,
            clustering.probabilities.tolist(),
        ),
    )


def _identities(
    context: Context, found: _Target, clustering: Clustering, model_id: str
) -> list[str]:
    with context.warehouse() as connection:
        known = known_clusters(connection, found.kind, model_id)
    item_ids = found.items.frame["item_id"]
    members = [
        frozenset(item_ids.filter(pl.Series(clustering.labels == label)).to_list())
        for label in range(clustering.count)
    ]
    together = zip(clustering.centroids, members, strict=True)
    return match_clusters(known, [FoundCluster(*one) for one in together])


def _keep_novelties(
    context: Context, found: _Target, discovery: Discovery, schema: FacetSchema, model_id: str
) -> dict[int, ClusterLabel]:
    """Store the clusters of what maps nowhere; their names, by number."""
    novelties = discovery.novelties
    labels = np.full(found.items.frame.height, NOISE)
    for number, one in enumerate(novelties):
        labels[one.members] = number
    names = _names(context, found.items, labels, [one.cluster_id for one in novelties])
    rows = [_novelty_row(number, one, names.get(number)) for number, one in enumerate(novelties)]
    inside = np.flatnonzero(values_of(found.items.frame, schema, found.name) == UNMAPPED)
    replace_clusters(
        context,
        ClusteredItems(
            UNMAPPED_KIND.format(found.name),
            model_id,
            pl.DataFrame(rows, schema=CLUSTERS_SCHEMA),
            found.items.frame["item_id"].gather(inside.tolist()).to_list(),
            labels[inside],
            (labels[inside] != NOISE).astype(np.float64).tolist(),
        ),
    )
    return names


def _of_models(
    novelties: Sequence[Novelty], names: Mapping[int, ClusterLabel]
) -> dict[str, tuple[str, str]]:
    """Name and definition that a model gave, by cluster id."""
    return {
        one.cluster_id: (names[number].checked.name, names[number].checked.definition)
        for number, one in enumerate(novelties)
        if number in names and names[number].checked.origin == "model"
    }


def _novelty_row(number: int, one: Novelty, name: ClusterLabel | None) -> dict[str, Any]:
    return {
        **_called(name, one.name.name, one.name.terms),
        "cluster": number,
        "cluster_id": one.cluster_id,
        "size": len(one.members),
        "sessions": one.sessions,
        "users": one.users,
        "coherence": one.coherence,
        "centroid": one.centroid.astype(np.float32).tolist(),
        "reach": one.reach,
    }


def _names(
    context: Context, items: ClusterInputs, labels: Labels, ids: Sequence[str]
) -> dict[int, ClusterLabel]:
    if not ids:
        return {}
    texts = ClusteredTexts(items.frame["text"].to_list(), items.vectors, labels, len(ids))
    return name_found(context, texts, ids)


def _called(name: ClusterLabel | None, terms_name: str, terms: Sequence[str]) -> dict[str, Any]:
    if name is None:
        return {"name": terms_name, "definition": None, "terms": list(terms)}
    checked = name.checked
    return {"name": checked.name, "definition": checked.definition, "terms": list(name.terms)}
