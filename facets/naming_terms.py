"""Names without a model: terms of class-based TF-IDF, defined by the most central abstract."""

from collections.abc import Sequence

from facets.clustering_regions import NOISE
from facets.naming import NAME_TERMS, name_clusters
from facets.naming_check import ClusteredTexts, NameCandidate

MORE_TERMS = (NAME_TERMS, NAME_TERMS + 1, NAME_TERMS + 2, NAME_TERMS + 5)
"""Terms of a name, and of those that take its place where it is not distinctive."""


def term_names(items: ClusteredTexts) -> dict[int, tuple[list[NameCandidate], tuple[str, ...]]]:
    """For each cluster its candidates, of ever more terms, and its terms; by what is shown alone.

    Text that is held out names nothing and defines nothing.
    """
    shown = {cluster: items.shown(cluster) for cluster in range(items.count)}
    labels = [NOISE] * len(items.texts)
    for cluster, places in shown.items():
        for place in places:
            labels[place] = cluster
    found = name_clusters(items.texts, labels)
    return {
        cluster: (_candidates(found[cluster].name, found[cluster].terms, items.texts[places[0]]),
                  found[cluster].terms)
        for cluster, places in shown.items()
        if places
    }  # fmt: skip


def _candidates(name: str, terms: Sequence[str], definition: str) -> list[NameCandidate]:
    names = [name, *(", ".join(terms[:number]) for number in MORE_TERMS[1:])]
    return [NameCandidate(one, definition, "terms") for one in dict.fromkeys(names) if one]
