"""Clusters of any texts, for `signals cluster`."""

from collections.abc import Callable, Sequence
from typing import TypedDict

from agent_core.errors import BadInputError
from facets.clustering import Assign, cluster
from facets.clustering_regions import NOISE, Vectors
from facets.naming import name_clusters

NOISE_NAME = "noise"


class TextRow(TypedDict):
    """A row in."""

    id: str
    text: str


class ClusteredRow(TypedDict):
    """A row out; `cluster` -1 is noise."""

    id: str
    cluster: int
    name: str


def cluster_texts(
    rows: Sequence[TextRow], embed: Callable[[Sequence[str]], Vectors], assign: Assign
) -> list[ClusteredRow]:
    """The cluster of each row, in the order of `rows`; `embed` gives unit rows.

    Raises BadInputError naming the first row that has no `id` or no text.
    """
    texts = [_text(number, row) for number, row in enumerate(rows, start=1)]
    clustering = cluster(embed(texts), assign=assign)
    # Named by the core: an outlier that was merely assigned says little of its cluster.
    has_core = clustering.core.max(initial=NOISE) >= 0
    names = name_clusters(texts, clustering.core if has_core else clustering.labels)
    return [
        {
            "id": row["id"],
            "cluster": int(label),
            "name": NOISE_NAME if label == NOISE else names[int(label)].name,
        }
        for row, label in zip(rows, clustering.labels, strict=True)
    ]


def _text(number: int, row: TextRow) -> str:
    if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("text"), str):
        raise BadInputError(f'row {number}: expected an object with "id" and a string "text"')
    return row["text"]
