"""Verdicts on merged patches: the evidence, the intervals, who is compared with whom."""

from datetime import UTC, datetime, timedelta
from itertools import product
from math import inf

import polars as pl
import pytest
from scipy.stats import binom

from pipelines.effects import SESSIONS_SCHEMA as COMPARED_SCHEMA
from pipelines.effects import Side, decide, measure_effect
from pipelines.effects_exposure import (
    MOMENTS_SCHEMA,
    SESSIONS_SCHEMA,
    Pattern,
    Selection,
    control_of,
    expose,
)
from pipelines.effects_needed import Needed, sessions_needed
from pipelines.effects_odds import (
    Bounds,
    Tally,
    difference_bounds,
    odds_ratio_bounds,
    p_value,
)
from pipelines.releases import Releases

_NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
_EDIT = Pattern("error_event", "edit_file", "no_match")


def test_the_tests_agree_with_what_is_known_of_two_tables() -> None:
    """Fisher's tea, and a ratio under which the counts are what is to be expected."""
    assert p_value(Tally(1, 4), Tally(3, 4), "above") == pytest.approx(17 / 70)
    assert p_value(Tally(3, 4), Tally(1, 4), "below") == pytest.approx(17 / 70)
    assert p_value(Tally(20, 40), Tally(32, 40), "above", ratio=4.0) > 0.5
    assert p_value(Tally(0, 9), Tally(0, 9), "below") == 1.0


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_a_true_claim_is_refuted_no_more_often_than_the_level_says(share: float) -> None:
    """Exactly, over every outcome of 6 and 9 sessions: what the error control rests on."""
    for side in ("below", "above"):
        error = sum(
            binom.pmf(x, 6, share) * binom.pmf(y, 9, share)
            for x, y in product(range(7), range(10))
            if p_value(Tally(x, 6), Tally(y, 9), side) <= 0.02
        )
        assert error <= 0.02


def test_an_interval_ends_where_the_test_refutes() -> None:
    before, after = Tally(16, 40), Tally(2, 80)
    low, high = odds_ratio_bounds(before, after, 0.01)
    assert 0 < low < (2 / 78) / (16 / 24) < high < 1
    assert p_value(before, after, "below", high) == pytest.approx(0.01, rel=1e-3)
    assert p_value(before, after, "above", low) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("before", "after", "ratio", "change"),
    [
        (Tally(0, 0), Tally(0, 0), Bounds(0, inf), Bounds(-1, 1)),
        (Tally(9, 9), Tally(0, 0), Bounds(0, inf), Bounds(-1, 1)),
        # Wilson's bound of 0 of 40 at 95 % is z**2 / (n + z**2).
        (Tally(0, 40), Tally(0, 40), Bounds(0, inf), Bounds(-0.0876, 0.0876)),
    ],
    ids=["nothing", "nothing after", "never seen"],
)
def test_what_the_sessions_leave_open_stays_open(
    before: Tally, after: Tally, ratio: Bounds, change: Bounds
) -> None:
    assert odds_ratio_bounds(before, after, 0.025) == ratio
    assert tuple(difference_bounds(before, after, 0.025)) == pytest.approx(change, abs=1e-3)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (Side(30, 30, 0, 0), Side(10, 0, 0, 0), ("resolved", "size")),
        (Side(80, 30, 16, 8), Side(160, 2, 40, 2), ("resolved", "control")),
        (Side(40, 14, 4, 2), Side(160, 55, 17, 8), (None, None)),
        # A third of it is gone for certain, and more than half is left.
        (Side(900, 500, 100, 40), Side(640, 220, 70, 30), (None, None)),
        # The control fell just as far: what fell is common to both.
        (Side(80, 32, 28, 12), Side(160, 6, 5, 1), (None, None)),
        (Side(80, 4, 16, 2), Side(160, 90, 20, 6), ("regressed", "control")),
        (Side(60, 4, 0, 0), Side(80, 50, 0, 0), ("regressed", "size")),
        (Side(0, 0, 0, 0), Side(80, 0, 0, 0), (None, None)),
        (Side(60, 0, 0, 0), Side(80, 0, 0, 0), (None, None)),
    ],
    ids=[
        "all to none", "held against the control", "no change", "a third less", "a common trend",
        "worse than the control", "from few to most", "no baseline", "never there",
    ],
)  # fmt: skip
def test_verdicts(before: Side, after: Side, verdict: tuple[str | None, str | None]) -> None:
    assert decide(before, after) == verdict


def _world(before: Side, after: Side) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Sessions of both sides, a minute apart, those without the patch first; what they show."""
    shows = [
        (has_patch, kind)
        for has_patch, side in ((False, before), (True, after))
        for kind, number in (
            ("pattern", side.pattern_only), ("control", side.control_only), ("both", side.both),
            ("neither", side.sessions - side.pattern_only - side.control_only - side.both),
        )
        for _ in range(number)
    ]  # fmt: skip
    sessions = pl.DataFrame(
        [(f"s{n:04}", has, _NOON + timedelta(minutes=n)) for n, (has, _) in enumerate(shows)],
        schema=COMPARED_SCHEMA,
        orient="row",
    )
    shown = [
        pl.DataFrame(
            {"session_key": [f"s{n:04}" for n, (_, kind) in enumerate(shows) if kind in kinds]},
            schema={"session_key": pl.String},
        )
        for kinds in (("pattern", "both"), ("control", "both"))
    ]
    return sessions, shown[0], shown[1]


def test_an_effect_says_what_was_seen_and_how_far_it_may_be_off() -> None:
    effect = measure_effect(*_world(Side(80, 30, 16, 8), Side(160, 2, 40, 2)), is_last=False)
    assert (effect.before, effect.after) == (Side(80, 30, 16, 8), Side(160, 2, 40, 2))
    assert (effect.verdict, effect.way, effect.waiting) == ("resolved", "control", 0)
    assert effect.ratio == pytest.approx((4 / 156) / (38 / 42))
    assert effect.against_control == pytest.approx((2 / 40) / (30 / 16))
    assert effect.against_control_bounds.high < 1
    assert effect.change.low < 4 / 160 - 38 / 80 < effect.change.high < 0


def test_between_two_looks_nothing_is_decided() -> None:
    """19 sessions with the patch are the look at 10 again; the first 10 show it, the rest not."""
    world = _world(Side(60, 30, 0, 0), Side(19, 10, 0, 0))
    effect = measure_effect(*world, is_last=False)
    assert (effect.is_look, effect.after, effect.waiting) == (True, Side(10, 10, 0, 0), 9)
    assert measure_effect(*world, is_last=True).after == Side(19, 10, 0, 0)


def test_before_the_first_look_nothing_is_decided_but_at_the_last() -> None:
    world = _world(Side(60, 60, 0, 0), Side(9, 0, 0, 0))
    early, last = (measure_effect(*world, is_last=is_last) for is_last in (False, True))
    assert (early.is_look, early.verdict, early.after.sessions) == (False, None, 9)
    assert (last.is_look, last.verdict) == (True, "resolved")


def test_sessions_without_the_patch_that_came_after_a_look_do_not_change_it() -> None:
    sessions, pattern, control = _world(Side(40, 40, 0, 0), Side(10, 0, 0, 0))
    late = pl.DataFrame(
        [("late", False, _NOON + timedelta(days=9))], schema=COMPARED_SCHEMA, orient="row"
    )
    found = measure_effect(pl.concat([sessions, late]), pattern, control, is_last=False)
    assert found.before.sessions == 40


def test_what_is_said_to_be_needed_suffices_and_the_look_before_does_not() -> None:
    before = Side(40, 16, 0, 0)
    needed = sessions_needed(before, Side(), expected_before=0.4, expected_after=0.0)
    assert (needed.before, needed.after) == (0, 40)
    assert decide(before, Side(40, 0, 0, 0))[0] == "resolved"
    assert decide(before, Side(20, 0, 0, 0))[0] is None


def test_without_a_baseline_sessions_of_both_kinds_are_needed() -> None:
    needed = sessions_needed(Side(), Side(50, 1, 0, 0), expected_before=0.5, expected_after=0.0)
    assert needed == Needed(30, 30)


def test_what_never_suffices_is_said() -> None:
    same = Side(100, 40, 5, 5)
    assert sessions_needed(same, same, expected_before=0.4, expected_after=0.4) == Needed(
        None, None
    )


def _sessions(*rows: tuple[str, str, bool, int, str]) -> pl.DataFrame:
    """(key, release, is_autonomous, minutes after the breach was found, judge)"""
    return pl.DataFrame(
        [
            (key, release, alone, _NOON + timedelta(minutes=minutes), judge)
            for key, release, alone, minutes, judge in rows
        ],
        schema=SESSIONS_SCHEMA,
        orient="row",
    )


_RELEASES = Releases(having=frozenset({"fixed"}), lacking=frozenset({"bad", "worse"}))


def test_exposure_is_counted_by_release_and_without_what_the_pattern_was_picked_by() -> None:
    sessions = _sessions(
        ("picked", "bad", False, 0, "rules"),
        ("fresh", "bad", False, 1, "rules"),
        ("old release, run after the merge", "bad", False, 9000, "rules"),
        ("picked later", "worse", False, 30, "rules"),
        ("fresh later", "worse", False, 61, "rules"),
        ("patched", "fixed", True, 2000, "rules"),
        ("patched before the breach was found", "fixed", False, -5, "rules"),
        ("nobody knows", "dirty", False, 2000, "rules"),
        ("another judge", "fixed", False, 3000, "llm"),
    )
    selection = Selection(_NOON, {"worse": _NOON + timedelta(minutes=60)})
    found = expose(sessions, _EDIT, _RELEASES, selection)
    assert dict(found.sessions.select("session_key", "has_patch").iter_rows()) == {
        "fresh": False,
        "old release, run after the merge": False,
        "fresh later": False,
        "patched": True,
        "patched before the breach was found": True,
    }
    assert (found.window, found.unknown_release, found.other_judge) == (2, 1, 1)


def test_runs_without_a_person_count_for_errors_alone() -> None:
    sessions = _sessions(("a", "fixed", True, 9, "rules"), ("b", "fixed", False, 9, "rules"))
    selection = Selection(_NOON, {})
    exposed = expose(sessions, Pattern("correction"), _RELEASES, selection)
    assert exposed.sessions["session_key"].to_list() == ["b"]
    assert expose(sessions, _EDIT, _RELEASES, selection).sessions.height == 2


_MOMENTS = pl.DataFrame(
    [
        ("own", "error_event", "edit_file", "no_match", None, None),
        ("own tool", "error_event", "edit_file", "not_found", None, None),
        ("patched too", "error_event", "write_file", "denied", None, None),
        ("elsewhere", "error_event", "search", "timeout", "timeout:1", None),
        ("a person", "correction", None, None, None, "c-1"),
        ("a person again", "escalation_tone", None, None, None, None),
    ],
    schema=MOMENTS_SCHEMA,
    orient="row",
)


@pytest.mark.parametrize(
    ("pattern", "paths", "control"),
    [
        (_EDIT, ("agent_core/tools/write_file.toml",), {"elsewhere"}),
        (_EDIT, ("agent_core/prompts/system.md",), {"patched too", "elsewhere"}),
        (Pattern("correction"), (), {"a person again"}),
        (Pattern("error_event"), (), set()),
        (
            Pattern("error_event", None, "timeout", "timeout:1"),
            ("agent_core/tools/edit_file.py",),
            {"patched too"},
        ),
        (Pattern("correction", cluster_id="c-1"), (), {"a person again"}),
    ],
    ids=["other tools", "a prompt", "other types", "errors as a whole", "signature", "cluster"],
)
def test_the_control_is_friction_that_the_patch_does_not_change(
    pattern: Pattern, paths: tuple[str, ...], control: set[str]
) -> None:
    assert set(control_of(_MOMENTS, pattern, paths).moments["session_key"]) == control


def test_sessions_are_counted_once_however_often_they_show_it() -> None:
    sessions = pl.DataFrame(
        [("a", False, _NOON), ("b", True, _NOON), ("c", True, _NOON)],
        schema=COMPARED_SCHEMA,
        orient="row",
    )
    pattern = pl.DataFrame({"session_key": ["a", "a", "b", "gone"]})
    control = pl.DataFrame({"session_key": ["b", "c"]})
    found = measure_effect(sessions, pattern, control, is_last=False)
    assert (found.before, found.after) == (Side(1, 1, 0, 0), Side(2, 0, 1, 1))
