"""The paired comparison against values worked out by hand and against scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest

from agent_core.gates.paired import Paired, mcnemar, permutation


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1111", "1111", Paired(4, 0, 0, 1.0)),
        ("11111", "00000", Paired(5, 5, 0, 1 / 32)),
        ("1111", "0000", Paired(4, 4, 0, 1 / 16)),
        ("10101", "01011", Paired(5, 2, 2, 11 / 16)),
        ("000", "111", Paired(3, 0, 3, 1.0)),
    ],
    ids=["same", "broken", "too few to tell", "both ways", "mended"],
)
def test_mcnemar(before: str, after: str, expected: Paired) -> None:
    runs = [[char == "1" for char in text] for text in (before, after)]
    assert mcnemar(*runs) == expected


@pytest.mark.parametrize(("pairs", "broken", "mended"), [(40, 9, 3), (60, 20, 19), (9, 7, 0)])
def test_mcnemar_agrees_with_the_binomial(pairs: int, broken: int, mended: int) -> None:
    before = [True] * broken + [False] * (pairs - broken)
    after = [False] * broken + [True] * mended + [False] * (pairs - broken - mended)
    wanted = binomtest(broken, broken + mended, alternative="greater").pvalue
    assert mcnemar(before, after).p_value == pytest.approx(wanted)


def test_runs_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        mcnemar([True], [])
    with pytest.raises(ValueError, match="not the same"):
        permutation({"a": [True]}, {"a": [True], "b": [True]})


def test_one_scenario_that_always_breaks_is_one_piece_of_evidence() -> None:
    """Twenty seeds of one scenario are not twenty scenarios."""
    before = {"a": [True] * 20, "b": [True] * 20}
    after = {"a": [False] * 20, "b": [True] * 20}
    assert permutation(before, after) == Paired(40, 20, 0, 0.5)


@pytest.mark.parametrize("count", [5, 30], ids=["exact", "drawn"])
def test_many_that_break_are_found(count: int) -> None:
    before = {str(n): [True, True, True] for n in range(count)}
    after = {str(n): [False, True, False] for n in range(count)}
    found = permutation(before, after)
    assert found.p_value == pytest.approx(max(1 / 2**count, 1 / 20_001))
    assert found.is_worse


def test_a_patch_that_changes_nothing_is_seldom_called_worse() -> None:
    rng = np.random.default_rng(7)
    called = 0
    for _ in range(300):
        holds = rng.random((2, 8, 3)) < rng.random((8, 1))
        before, after = ({str(n): list(map(bool, row)) for n, row in enumerate(t)} for t in holds)
        called += permutation(before, after).is_worse
    assert called / 300 < 0.08
