"""Names of clusters by their terms: class-based TF-IDF.

A cluster is one document; a term weighs what it makes up of the cluster, times how rare it is
over all clusters (Grootendorst 2022, BERTopic). What neighbours share therefore names nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from facets.clustering_regions import NOISE

TERMS = 8
NAME_TERMS = 3
_LONGEST_TERM = 2
"""Words in a term."""


class ClusterName(NamedTuple):
    """`name` is its leading terms, joined; `terms` the weightiest first, at most TERMS."""

    name: str
    terms: tuple[str, ...]


def name_clusters(
    texts: Sequence[str], labels: Sequence[int] | NDArray[np.int64]
) -> dict[int, ClusterName]:
    """A name for each cluster of `labels`, one label a text, noise left out; no name twice.

    Terms come from the texts: give abstracts only. Texts without a word give `cluster N`.
    """
    documents = _documents(texts, labels)
    ranked = _ranked_terms(documents) if documents else {}
    names: dict[int, ClusterName] = {}
    taken: set[str] = set()
    for label in documents:
        terms = ranked.get(label, ())
        name = _free_name(terms, taken) or f"cluster {label}"
        taken.add(name)
        names[label] = ClusterName(name, terms[:TERMS])
    return names


def _documents(
    texts: Sequence[str], labels: Sequence[int] | NDArray[np.int64]
) -> dict[int, list[str]]:
    """Each cluster's distinct texts, so that a template that recurs does not speak for all."""
    members: dict[int, dict[str, None]] = {}
    for text, label in zip(texts, labels, strict=True):
        if label != NOISE:
            members.setdefault(int(label), {})[text] = None
    return {label: list(members[label]) for label in sorted(members)}


def _ranked_terms(documents: Mapping[int, Sequence[str]]) -> dict[int, tuple[str, ...]]:
    vectorizer = CountVectorizer(stop_words="english", ngram_range=(1, _LONGEST_TERM))
    try:
        counted = vectorizer.fit_transform([text for part in documents.values() for text in part])
    except ValueError:  # no word but stop words in all of the texts
        return {}
    owner = np.repeat(np.arange(len(documents)), [len(part) for part in documents.values()])
    frequency = np.stack(
        [np.asarray(counted[owner == row].sum(axis=0)).ravel() for row in range(len(documents))]
    ).astype(np.float64)
    terms = vectorizer.get_feature_names_out()
    weights = _class_tf_idf(frequency)
    return {
        label: _distinct_terms(_descending(terms, row))
        for label, row in zip(documents, weights, strict=True)
    }


def _class_tf_idf(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    totals = frequency.sum(axis=1, keepdims=True)
    rarity = np.log1p(totals.mean() / frequency.sum(axis=0))
    weights: NDArray[np.float64] = frequency / np.maximum(totals, 1) * rarity
    return weights


def _descending(terms: Sequence[str], row: NDArray[np.float64]) -> list[str]:
    """Terms that occur, the weightiest first; of equal ones the single word, then by alphabet."""
    # Rounded, so that the order of summation does not decide between equal weights.
    weighed = [
        (-weight, term.count(" "), str(term))
        for weight, term in zip(row.round(12), terms, strict=True)
        if weight > 0
    ]
    return [term for _, _, term in sorted(weighed)]


def _distinct_terms(ranked: Sequence[str]) -> tuple[str, ...]:
    """The first terms that bring a word of their own; a pair after its words is repetition."""
    kept: list[str] = []
    said: set[str] = set()
    for term in ranked:
        if not said.issuperset(term.split()):
            kept.append(term)
            said.update(term.split())
        if len(kept) == 2 * TERMS:
            break
    return tuple(kept)


def _free_name(terms: Sequence[str], taken: set[str]) -> str | None:
    for last in range(NAME_TERMS, len(terms) + 1):
        name = ", ".join((*terms[: NAME_TERMS - 1], terms[last - 1]))
        if name not in taken:
            return name
    short = ", ".join(terms)
    return short if short and short not in taken else None
