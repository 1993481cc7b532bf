"""What a model is to judge within a budget, and what a random audit says of the rules."""

from collections.abc import Sequence

import numpy as np
import pytest

from judges.audit import Audited, AuditEstimate, Figure, Population, estimate_audit
from judges.cascade import (
    Screened,
    audit_rate,
    audit_tokens_share,
    expected_change,
    judging_order,
    random_number,
)


@pytest.mark.parametrize(
    ("scores", "verdicts", "expected"),
    [
        pytest.param([], [], 0.0, id="nothing"),
        pytest.param([0.5, 0.5], [True, False], 1.0, id="at the operating point"),
        pytest.param([0.9, 0.1], [True, False], 0.2, id="clear"),
        pytest.param([0.9, 0.1], [False, True], 1.8, id="verdicts against their scores"),
        pytest.param([None], [False], 0.5, id="without a score"),
    ],
)
def test_expected_change(scores: list[float | None], verdicts: list[bool], expected: float) -> None:
    assert expected_change(scores, verdicts) == pytest.approx(expected)


def test_what_changes_most_a_token_comes_first_and_the_unjudged_before_it() -> None:
    waiting = [
        Screened("clear", 100, 0.1),
        Screened("unsure", 100, 2.0),
        Screened("unsure and long", 10_000, 4.0),
        Screened("not judged, long", 500, None),
        Screened("not judged", 50, None),
        Screened("same as clear", 200, 0.2),
    ]
    order = judging_order(waiting, {}, audit_tokens_share=0.2)
    assert [(place.session_key, place.is_audit) for place in order] == [
        ("not judged", False),
        ("not judged, long", False),
        ("unsure", False),
        ("clear", False),
        ("same as clear", False),
        ("unsure and long", False),
    ]


def test_the_audit_gets_its_share_all_the_way_and_in_the_order_of_its_numbers() -> None:
    waiting = [Screened(f"s{n}", 100, 1 - n / 100) for n in range(12)]
    draws = {"s9": 0.01, "s0": 0.3, "s5": 0.02}
    order = judging_order(waiting, draws, audit_tokens_share=0.25)
    assert " ".join(p.session_key + "*" * p.is_audit for p in order) == (
        "s9* s1 s2 s3 s5* s4 s6 s7 s0* s8 s10 s11"
    )


@pytest.mark.parametrize(
    ("waiting", "draws", "keys"),
    [
        pytest.param([], {}, [], id="nothing waits"),
        pytest.param([Screened("a", 0, 0.0)], {"a": 0.1}, ["a"], id="without tokens"),
        pytest.param([Screened("a", 9, 1.0)], {"gone": 0.1}, ["a"], id="a draw that is judged"),
    ],
)
def test_each_waiting_session_has_one_place(
    waiting: list[Screened], draws: dict[str, float], keys: list[str]
) -> None:
    order = judging_order(waiting, draws, audit_tokens_share=0.2)
    assert [place.session_key for place in order] == keys


def test_random_numbers_are_permanent_uniform_and_differ_by_seed() -> None:
    assert random_number("codex:1", 0) == pytest.approx(0.02309, abs=1e-5)
    numbers = np.array([[random_number(f"codex:{n}", s) for n in range(4000)] for s in (0, 1)])
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert np.abs(np.quantile(numbers, [0.1, 0.5, 0.9], axis=1).T - [0.1, 0.5, 0.9]).max() < 0.03
    assert abs(np.corrcoef(numbers)[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("share", "tokens", "all_tokens", "sessions", "rate"),
    [
        pytest.param(0.2, 1_000, 10_000, 10_000, 0.02, id="share of the budget"),
        pytest.param(0.2, 10_000, 10_000, 10_000, 0.2, id="all is judged"),
        pytest.param(0.2, 1_000, 1_000_000, 1_000, 0.02, id="the minimum"),
        pytest.param(0.2, 1_000, 10_000, 8, 1.0, id="fewer sessions than the minimum"),
        pytest.param(0.0, 1_000, 10_000, 8, 0.0, id="no audit"),
        pytest.param(0.2, 0, 0, 0, 0.0, id="no sessions"),
        pytest.param(0.5, 0, 0, 100, 0.5, id="sessions without tokens"),
    ],
)
def test_audit_rate(share: float, tokens: int, all_tokens: int, sessions: int, rate: float) -> None:
    found = audit_rate(share=share, tokens=tokens, all_tokens=all_tokens, sessions=sessions)
    assert found == pytest.approx(rate)


@pytest.mark.parametrize(
    ("share", "audit_tokens", "budget", "expected"),
    [
        pytest.param(0.2, 100, 1_000, 0.2, id="its share is enough"),
        pytest.param(0.2, 400, 1_000, 0.4, id="more for the minimum"),
        pytest.param(0.2, 900, 1_000, 0.5, id="at most a half"),
        pytest.param(0.8, 900, 1_000, 0.8, id="as the owner says"),
        pytest.param(0.0, 900, 1_000, 0.0, id="no audit"),
        pytest.param(0.2, 0, 0, 0.5, id="no budget"),
    ],
)
def test_the_audits_share_of_a_run(
    share: float, audit_tokens: int, budget: int, expected: float
) -> None:
    found = audit_tokens_share(share=share, audit_tokens=audit_tokens, budget=budget)
    assert found == pytest.approx(expected)


def _rounded(estimate: AuditEstimate) -> tuple[object, ...]:
    def short(figure: Figure | None) -> tuple[float, ...] | None:
        return None if figure is None else tuple(round(x, 2) for x in figure)

    return (estimate.rules_rate, short(estimate.corrected_rate), short(estimate.recall),
            estimate.note)  # fmt: skip


_CLEAN = Audited(0.1, 0, 0, 0, 4)
_MIXED = Audited(0.1, 1, 1, 1, 5)


@pytest.mark.parametrize(
    ("sessions", "population", "expected"),
    [
        pytest.param(
            [Audited(0.1, 1, 0, 0, 0)] * 8
            + [Audited(0.1, 0, 1, 0, 0)] * 2
            + [Audited(0.1, 0, 0, 1, 0)] * 4
            + [Audited(0.1, 0, 0, 0, 1)] * 36,
            # p1 = 8/10, p0 = 4/40: (20 + 17.5) / 200, 20 / 37.5
            Population(25, 175),
            (0.125, (0.19, 0.12, 0.29), (0.53, 0.31, 0.77), ""),
            id="one unit a session",
        ),
        pytest.param(
            [_MIXED] * 10 + [_CLEAN] * 10,
            # p1 = 1/2, p0 = 10/100: (10 + 18) / 200, 10 / 28
            Population(20, 180),
            (0.1, (0.14, 0.09, 0.21), (0.36, 0.21, 0.53), ""),
            id="several units a session",
        ),
        pytest.param(
            [Audited(0.1, 1, 0, 1, 0)] * 10 + [Audited(1.0, 1, 0, 0, 1)] * 100,
            # each of the first stands for ten: p1 = 1, p0 = 100/200
            Population(100, 100),
            (0.5, (0.75, 0.66, 0.82), (0.67, 0.60, 0.74), ""),
            id="drawn with unequal probabilities",
        ),
        pytest.param(
            [Audited(0.1, 1, 0, 0, 4)] * 20,
            Population(20, 180),
            (0.1, (0.1, 0.09, 0.20), (1.0, 0.48, 1.0), ""),
            id="nothing missed is not certainty",
        ),
        pytest.param(
            [Audited(0.1, 0, 1, 0, 4)] * 20,
            Population(20, 180),
            (0.1, (0.0, 0.0, 0.11), None,
             "recall not measured: the model found no friction in 20 sessions"),
            id="no friction",
        ),
        pytest.param([], Population(3, 9), (0.25, None, None,
                     "not measured: 0 audited sessions"), id="none audited"),
        pytest.param([_MIXED] * 9, Population(3, 9), (0.25, None, None,
                     "not measured: 9 audited sessions"), id="few audited"),
        pytest.param([_CLEAN] * 10, Population(3, 9), (0.25, None, None,
                     "not measured: the rules found no friction in 10 audited sessions"),
                     id="nothing flagged in the audit"),
        pytest.param([Audited(0.1, 1, 0, 0, 0)] * 10, Population(3, 9), (0.25, None, None,
                     "not measured: the rules found nothing clean in 10 audited sessions"),
                     id="nothing clean in the audit"),
        pytest.param([Audited(0.1, 0, 0, 0, 0)] * 10, Population(0, 0), (None, None, None,
                     "not measured: nothing to judge"), id="no units at all"),
    ],
)  # fmt: skip
def test_estimate(
    sessions: Sequence[Audited], population: Population, expected: tuple[object, ...]
) -> None:
    assert _rounded(estimate_audit(sessions, population)) == expected


def test_sessions_that_are_alike_inside_tell_less_than_their_turns() -> None:
    """The same counts of turns; in the second case each session's turns go together."""
    mixed = [Audited(0.1, 2, 2, 2, 2)] * 20
    alike = [Audited(0.1, 4, 0, 4, 0), Audited(0.1, 0, 4, 0, 4)] * 10
    widths = []
    for sessions in (mixed, alike):
        rate = estimate_audit(sessions, Population(100, 100)).corrected_rate
        assert rate
        assert rate.value == 0.5
        widths.append(rate.high - rate.low)
    assert widths[1] > 2 * widths[0]


def _corpus(rng: np.random.Generator, sessions: int) -> np.ndarray:
    """Sessions with turns by (both, rules only, model only, neither); friction clusters."""
    rows = []
    for _ in range(sessions):
        turns = int(rng.geometric(0.15))
        friction = rng.random(turns) < 1 / (1 + np.exp(1 - rng.normal()))
        found = rng.random(turns) < np.where(friction, rng.beta(7, 3), rng.beta(1, 19))
        pairs = list(zip(found, friction, strict=True))
        kinds = ((True, True), (True, False), (False, True), (False, False))
        rows.append([pairs.count(kind) for kind in kinds])
    return np.array(rows)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["turn", "session"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(level: str) -> None:
    """200 corpora of 500 sessions, about 40 of them audited: of 95 %, 91 to 99 % are let pass."""
    rng = np.random.default_rng(4)
    covered = np.zeros(2)
    measured = 0
    for _ in range(200):
        corpus = _corpus(rng, 500)
        if level == "session":
            rules, model = corpus[:, [0, 1]].any(axis=1), corpus[:, [0, 2]].any(axis=1)
            corpus = np.stack([rules & model, rules & ~model, ~rules & model, ~rules & ~model], 1)
        both, rules_only, model_only, neither = (int(n) for n in corpus.sum(axis=0))
        drawn = corpus[rng.random(500) < 0.08]
        found = estimate_audit(
            [Audited(0.08, *(int(n) for n in row)) for row in drawn],
            Population(both + rules_only, model_only + neither),
        )
        if found.recall is None or found.corrected_rate is None:
            continue
        measured += 1
        truth = both / (both + model_only), (both + model_only) / corpus.sum()
        figures = (found.recall, found.corrected_rate)
        covered += [f.low <= t <= f.high for f, t in zip(figures, truth, strict=True)]
    assert measured >= 198
    assert all(0.91 <= share <= 0.99 for share in covered / measured), covered / measured
