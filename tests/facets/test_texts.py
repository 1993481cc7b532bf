"""Clusters of any texts, as `signals cluster` gives them, on the real embedding model."""

import pytest

from agent_core.embedding import Embedder
from agent_core.errors import BadInputError
from facets.clustering import Assign
from facets.texts import ClusteredRow, TextRow, cluster_texts

EMBEDDER = Embedder()
_KINDS = {
    "card": "the card {} was declined at the {}",
    "parcel": "my parcel {} still has not arrived from the {}",
}
_PLACES = ["shop", "market", "station", "bakery", "hotel", "airport"]


def _rows() -> list[TextRow]:
    return [
        {"id": f"{kind}{number}", "text": text.format(number, place)}
        for kind, text in _KINDS.items()
        for number, place in enumerate(_PLACES)
    ]


@pytest.mark.parametrize("assign", ["all", "core"])
@pytest.mark.slow
def test_two_kinds_are_two_named_clusters(assign: Assign) -> None:
    rows = cluster_texts(_rows(), EMBEDDER.embed, assign)
    assert [row["id"] for row in rows] == [row["id"] for row in _rows()]
    assert {row["cluster"] for row in rows if row["id"].startswith("card")} == {0}
    assert {row["cluster"] for row in rows if row["id"].startswith("parcel")} == {1}
    names = {row["cluster"]: row["name"] for row in rows}
    assert ("card" in names[0], "parcel" in names[1]) == (True, True)


@pytest.mark.parametrize(
    ("assign", "row"),
    [
        ("core", {"id": "a", "cluster": -1, "name": "noise"}),
        ("all", {"id": "a", "cluster": 0, "name": "lone, sentence"}),
    ],
)
def test_one_text_alone(assign: Assign, row: ClusteredRow) -> None:
    assert cluster_texts([{"id": "a", "text": "a lone sentence"}], EMBEDDER.embed, assign) == [row]


def test_no_rows_give_no_rows() -> None:
    assert cluster_texts([], EMBEDDER.embed, "all") == []


@pytest.mark.parametrize("row", [{"id": "a"}, {"text": "a"}, {"id": "a", "text": 3}, "a"], ids=str)
def test_a_row_without_id_or_text_is_named(row: TextRow) -> None:
    with pytest.raises(BadInputError, match='row 2: expected an object with "id"'):
        cluster_texts([{"id": "a", "text": "b"}, row], EMBEDDER.embed, "all")
