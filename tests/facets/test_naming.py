"""Names of clusters: what tells one from the others."""

import pytest

from facets.naming import ClusterName, name_clusters

TEXTS = [
    "after the agent edited files, the person asked for the former state, late",
    "after the agent edited files, the person asked for the former state, early",
    "after the agent ran commands, the person declined a tool call, late",
    "after the agent ran commands, the person declined a tool call, early",
    "unrelated words of an outlier",
]


def test_names_are_what_neighbours_do_not_share_and_noise_has_none() -> None:
    named = name_clusters(TEXTS, [0, 0, 1, 1, -1])
    assert {label: name.name for label, name in named.items()} == {
        0: "asked, edited, files",
        1: "commands, declined, ran",
    }


def test_recurring_text_does_not_speak_for_its_cluster() -> None:
    often = [TEXTS[0]] * 50 + TEXTS[1:]
    labels = [0] * 51 + [1, 1, -1]
    assert name_clusters(often, labels) == name_clusters(TEXTS, [0, 0, 1, 1, -1])


def test_equal_texts_in_two_clusters_get_two_names() -> None:
    named = name_clusters(["alpha beta gamma delta"] * 2, [0, 1])
    assert len({name.name for name in named.values()}) == 2


@pytest.mark.parametrize("text", ["", "the of and", "…"], ids=["empty", "stop-words", "no-word"])
def test_wordless_clusters_are_numbered(text: str) -> None:
    assert name_clusters([text, text], [0, 1]) == {
        0: ClusterName("cluster 0", ()),
        1: ClusterName("cluster 1", ()),
    }


def test_nothing_is_named_where_all_is_noise() -> None:
    assert name_clusters(["some text"], [-1]) == {}
