"""Names of the clusters that a run has found: kept, asked of a model, or made of terms.

A name stays with its cluster as long as it tells it from its neighbours. The judge's model is asked
where the configuration names one and agrees to sending; it is shown abstracts alone, asked once
for the same texts, and what it says passes the privacy filter before it is kept. Where it cannot
be asked the terms stand, and the reason stands beside them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from agent_core.embedding import Embedder
from facets.clustering_regions import Vectors
from facets.naming_check import (
    NOT_DISTINCTIVE,
    CheckedName,
    ClusteredTexts,
    NameCandidate,
    choose_names,
)
from facets.naming_model import names_by_model
from facets.naming_terms import term_names
from facets.resolution import without_vector
from pipelines.context import Context
from pipelines.model_namer import ModelNamer, naming_model
from pipelines.stages.embeddings import text_hashes, vector_rows
from pipelines.warehouse import query, replace_rows
from pipelines.warehouse.vectors import load_vectors

_KNOWN = """
SELECT cluster_id, name, definition, origin, model, content_hash FROM cluster_names
WHERE cluster_id IN (SELECT unnest(?::VARCHAR[]))
"""
_NAMES: dict[str, pl.DataType] = {
    "cluster_id": pl.String(),
    "name": pl.String(),
    "definition": pl.String(),
    "terms": pl.List(pl.String()),
    "origin": pl.String(),
    "model": pl.String(),
    "content_hash": pl.String(),
    "accuracy": pl.Float64(),
    "chance": pl.Float64(),
    "held_out": pl.Int64(),
    "is_distinctive": pl.Boolean(),
    "note": pl.String(),
    "named_at": pl.Datetime("us", "UTC"),
}


class ClusterLabel(NamedTuple):
    """What a cluster is called."""

    checked: CheckedName
    terms: tuple[str, ...]
    note: str | None
    """`name not distinctive`, or why a model that is configured gave no name."""


def name_found(
    context: Context, items: ClusteredTexts, cluster_ids: Sequence[str]
) -> dict[int, ClusterLabel]:
    """A name for each cluster, by its number; `cluster_ids` has the id of each.

    They are written to `cluster_names`. A model that fails never fails the run: the terms stand.
    """
    terms = term_names(items)
    known = _known_names(context, cluster_ids)
    kept = {cluster: known[cluster_ids[cluster]] for cluster in terms if cluster_ids[cluster] in
            known}  # fmt: skip
    embed = _Embedding(context)
    with naming_model(context) as namer:
        asked = _by_model(items, namer, cluster_ids, _to_ask(items, terms, kept, namer, embed),
                          embed)  # fmt: skip
        candidates = {
            cluster: _candidates(kept.get(cluster), asked.get(cluster, ()), found)
            for cluster, (found, _) in terms.items()
        }
        chosen = choose_names(items, candidates, embed)
        labels = {
            cluster: ClusterLabel(name, terms[cluster][1], _note(name, namer))
            for cluster, name in chosen.items()
        }
    _write(context, items, cluster_ids, labels, kept, namer)
    return labels


class _Kept(NamedTuple):
    """The name that a cluster has from an earlier run."""

    candidate: NameCandidate
    model: str | None
    content_hash: str


class _Embedding:
    """Vectors of names, which stand in the warehouse beside those of all other texts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._embedder = Embedder(context.config.embedding.model_dir)

    def __call__(self, texts: Sequence[str]) -> Vectors:
        hashes, model_id = text_hashes(texts), self._embedder.model_id
        with self._context.warehouse() as connection:
            known = load_vectors(connection, hashes, model_id)
        new = without_vector(known)
        if not new.any():
            return known
        missing = list(
            dict.fromkeys(text for text, is_new in zip(texts, new, strict=True) if is_new)
        )
        rows = vector_rows(self._embedder, missing)
        with self._context.warehouse() as connection:
            replace_rows(connection, "embeddings", rows)
            return load_vectors(connection, hashes, model_id)


def _known_names(context: Context, cluster_ids: Sequence[str]) -> dict[str, _Kept]:
    with context.warehouse() as connection:
        rows = query(connection, _KNOWN, [list(cluster_ids)])
    return {
        cluster_id: _Kept(NameCandidate(name, definition, origin), model, content_hash)
        for cluster_id, name, definition, origin, model, content_hash in rows.iter_rows()
    }


def _to_ask(
    items: ClusteredTexts,
    terms: Mapping[int, tuple[list[NameCandidate], tuple[str, ...]]],
    kept: Mapping[int, _Kept],
    namer: ModelNamer,
    embed: _Embedding,
) -> list[int]:
    """Clusters that have no model's name, or one that tells them from their neighbours no more."""
    if not namer.may_ask:
        return []
    named = {
        cluster: [one.candidate] for cluster, one in kept.items() if one.candidate.origin == "model"
    }
    others = {cluster: found[:1] for cluster, (found, _) in terms.items() if cluster not in named}
    checked = choose_names(items, {**others, **named}, embed) if named else {}
    return [c for c in terms if c not in named or checked[c].is_distinctive is False]


def _by_model(
    items: ClusteredTexts,
    namer: ModelNamer,
    cluster_ids: Sequence[str],
    clusters: Sequence[int],
    embed: _Embedding,
) -> dict[int, list[NameCandidate]]:
    if not clusters:
        return {}
    with namer.alone():
        namer.announce(items, clusters)
        return {
            cluster: names_by_model(items, cluster, namer.ask_about(cluster_ids[cluster]), embed)
            for cluster in clusters
        }


def _candidates(
    kept: _Kept | None, asked: Sequence[NameCandidate], found: Sequence[NameCandidate]
) -> list[NameCandidate]:
    """In the order of preference: the name in use first, but a model's before one of terms."""
    own = [kept.candidate] if kept is not None else []
    is_better = kept is not None and kept.candidate.origin == "model"
    ordered = [*own, *asked, *found] if is_better else [*asked, *own, *found]
    return list(dict.fromkeys(ordered))


def _note(name: CheckedName, namer: ModelNamer) -> str | None:
    notes = [NOT_DISTINCTIVE] if name.is_distinctive is False else []
    if name.origin == "terms" and namer.problem is not None:
        notes.append(namer.problem)
    return "; ".join(notes) or None


def _write(
    context: Context,
    items: ClusteredTexts,
    cluster_ids: Sequence[str],
    labels: Mapping[int, ClusterLabel],
    kept: Mapping[int, _Kept],
    namer: ModelNamer,
) -> None:
    rows: list[dict[str, Any]] = [
        {
            **label.checked._asdict(),
            "cluster_id": cluster_ids[cluster],
            "terms": list(label.terms),
            "model": _model_of(label.checked, kept.get(cluster), namer),
            "content_hash": _content_hash(items, cluster),
            "note": label.note,
            "named_at": context.clock(),
        }
        for cluster, label in labels.items()
    ]
    with context.warehouse() as connection:
        replace_rows(connection, "cluster_names", pl.DataFrame(rows, schema=_NAMES))


def _model_of(name: CheckedName, kept: _Kept | None, namer: ModelNamer) -> str | None:
    if name.origin == "terms":
        return None
    is_kept = kept is not None and kept.candidate.name == name.name
    return kept.model if kept is not None and is_kept else namer.model_name


def _content_hash(items: ClusteredTexts, cluster: int) -> str:
    texts = sorted(items.texts[place] for place in items.shown(cluster))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
