"""Names are checked on members that they were not made from, against the neighbours' names."""

import numpy as np
import pytest

from facets.naming_check import (
    CheckedName,
    ClusteredTexts,
    NameCandidate,
    choose_names,
    passes,
)
from facets.naming_terms import term_names
from tests.facets.words_space import embed_words

PLACES = ("early", "late", "midway", "at once", "in the end", "twice")
KINDS = ("edited files while the search failed", "ran commands and was stopped",
         "answered and was thanked")  # fmt: skip


def clustered(kinds: tuple[str, ...] = KINDS, noise: tuple[str, ...] = ()) -> ClusteredTexts:
    """Six texts of each kind, and noise."""
    texts = [f"the agent {kind}, {place}" for kind in kinds for place in PLACES]
    labels = np.repeat(np.arange(len(kinds)), len(PLACES))
    labels = np.concatenate([labels, np.full(len(noise), -1)])
    return ClusteredTexts([*texts, *noise], embed_words([*texts, *noise]), labels, len(kinds))


def candidate(name: str) -> NameCandidate:
    return NameCandidate(name, f"such as {name}", "terms")


GOOD = {0: [candidate("edited files search failed")], 1: [candidate("ran commands stopped")],
        2: [candidate("answered thanked")]}  # fmt: skip


def test_names_that_tell_their_cluster_are_distinctive() -> None:
    found = choose_names(clustered(), GOOD, embed_words)
    assert found[0] == CheckedName(*GOOD[0][0], 1.0, 1 / 3, 2, True)
    assert [one.is_distinctive for one in found.values()] == [True, True, True]


def test_a_name_that_fails_gives_way_to_the_next() -> None:
    names = {**GOOD, 1: [candidate("answered thanked files"), *GOOD[1]]}
    found = choose_names(clustered(), names, embed_words)
    assert found == choose_names(clustered(), GOOD, embed_words)


def test_of_two_named_alike_one_has_its_name_back() -> None:
    names = {**GOOD, 0: [*GOOD[1], *GOOD[0]]}
    found = choose_names(clustered(), {**names, 1: [*GOOD[1], candidate("never")]}, embed_words)
    assert found == choose_names(clustered(), GOOD, embed_words)


def test_where_none_tells_it_the_best_stands_and_is_called_so() -> None:
    names = {**GOOD, 1: [candidate("fine weather"), candidate("commands and more commands")]}
    items = clustered((*KINDS[:1], "ran commands", KINDS[2]))
    hard = {**names, 0: [candidate("ran commands")], 2: [candidate("ran the commands")]}
    found = choose_names(items, hard, embed_words)[1]
    assert found[:3] == ("fine weather", "such as fine weather", "terms")
    assert (found.accuracy, found.held_out, found.is_distinctive) == (0.0, 2, False)


def test_no_name_is_given_twice() -> None:
    names = {**GOOD, 1: [GOOD[0][0], *GOOD[1]]}
    found = choose_names(clustered(), names, embed_words)
    assert found[1].name == "ran commands stopped"
    alone = choose_names(clustered(), {**GOOD, 1: [GOOD[0][0]]}, embed_words)
    assert [one.is_distinctive for one in alone.values()] == [False, False, True]


def test_a_cluster_without_neighbours_is_not_measured() -> None:
    items = clustered(KINDS[:1])
    found = choose_names(items, {0: GOOD[0]}, embed_words)
    assert found == {0: CheckedName(*GOOD[0][0], None, None, 2, None)}


def test_of_few_texts_nothing_is_held_out() -> None:
    texts = ["one kind of text"] * 9 + ["quite another matter"] * 9
    items = ClusteredTexts(texts, embed_words(texts), np.repeat([0, 1], 9), 2)
    assert (items.shown(0), items.tested(0), items.is_held_out(0)) == ([0], [0], False)
    names = {0: [candidate("one kind of text")], 1: [candidate("quite another matter")]}
    assert choose_names(items, names, embed_words)[0].held_out == 0


def test_what_is_held_out_stays_so_when_others_come() -> None:
    items = clustered()
    more = clustered(noise=("something else",))
    held = [items.texts[place] for place in items.tested(1)]
    assert [more.texts[place] for place in more.tested(1)] == held
    assert set(items.shown(1)).isdisjoint(items.tested(1))


@pytest.mark.parametrize(
    ("accuracy", "chance", "tested", "passed"),
    [
        (1.0, 1 / 6, 1, True),
        (1.0, 1 / 2, 1, False),
        (1.0, 1 / 2, 2, True),
        (0.4, 1 / 6, 30, False),
        (0.5, 1 / 6, 30, True),
        (0.55, 1 / 2, 20, False),
        (0.0, 1 / 6, 30, False),
    ],
    ids=["one-of-six", "one-of-two", "two-of-two", "few", "half", "chance-of-two", "none"],
)
def test_what_passes(accuracy: float, chance: float, tested: int, passed: bool) -> None:
    assert passes(accuracy, chance, tested) is passed


def test_terms_name_by_what_is_shown_and_the_central_text_defines() -> None:
    found = term_names(clustered())
    assert [names[0].name for names, _ in found.values()] == [
        "edited, failed, files",
        "commands, ran, stopped",
        "answered, thanked, agent answered",
    ]
    names, terms = found[0]
    assert [one.name for one in names[:2]] == [
        "edited, failed, files",
        "edited, failed, files, search",
    ]
    assert terms[:4] == ("edited", "failed", "files", "search")
    items = clustered()
    assert names[0].definition == items.texts[items.shown(0)[0]]


def test_what_is_held_out_names_nothing() -> None:
    texts = [f"word{number}" for number in range(12)]
    items = ClusteredTexts(texts, embed_words(texts), np.repeat([0, 1], 6), 2)
    for cluster, (names, terms) in term_names(items).items():
        shown = {texts[place] for place in items.shown(cluster)}
        assert len(shown) == 4
        assert set(terms) == shown
        assert {one.definition for one in names} <= shown


def test_nothing_to_name() -> None:
    items = ClusteredTexts(["noise"], embed_words(["noise"]), np.array([-1]), 0)
    assert term_names(items) == {}
    assert choose_names(items, {}, embed_words) == {}
