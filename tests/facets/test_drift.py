"""What changed between two windows of days, over literal corpora, and what is empty for long."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from facets.drift import (
    DRIFT_SCHEMA,
    EXPOSED_SCHEMA,
    SESSIONS_SCHEMA,
    SHOWN_SCHEMA,
    DriftFloors,
    Windows,
    find_changes,
    period_of,
)
from facets.proposal import Proposal, proposal_id
from facets.retirement import VALUES_SCHEMA, RetirementFloors, propose_retirements

_LAST = date(2026, 3, 29)
_RECENT, _BEFORE, _LONG_AGO = _LAST, _LAST - timedelta(days=7), _LAST - timedelta(days=60)


NOTHING: Mapping[str, int] = {}
_FLOORS = DriftFloors()
_ASKED_SCHEMA = {"target": pl.String, "value": pl.String}


class _Corpus:
    """Sessions of some days, of which some show values."""

    def __init__(self) -> None:
        self.sessions: list[tuple[str, str | None, date]] = []
        self.exposed: list[tuple[str, str | None, str, str | None]] = []
        self.shown: list[tuple[str, str, str]] = []

    def add(
        self,
        number: int,
        day: date,
        shown: Mapping[str, int] = NOTHING,
        *,
        reader: str | None = "rules",
        users: int = 3,
    ) -> None:
        """`number` sessions of a day, the first so and so many of which show each friction."""
        for place in range(number):
            key = f"s{len(self.sessions):04}"
            self.sessions.append((key, f"u{place % users}" if users > 1 else None, day))
            self.exposed.append(("friction", None, key, reader))
            self.shown += [("friction", value, key) for value, n in shown.items() if place < n]

    def changes(self, *values: str, floors: DriftFloors = _FLOORS) -> pl.DataFrame:
        asked = pl.DataFrame(
            {"target": ["friction"] * len(values), "value": list(values)}, schema=_ASKED_SCHEMA
        )
        return find_changes(*self.frames(), asked, floors=floors)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        return (
            pl.DataFrame(self.sessions, schema=SESSIONS_SCHEMA, orient="row"),
            pl.DataFrame(self.exposed, schema=EXPOSED_SCHEMA, orient="row"),
            pl.DataFrame(self.shown, schema=SHOWN_SCHEMA, orient="row"),
        )


def _rows(changes: pl.DataFrame) -> list[tuple[object, ...]]:
    told = changes.select(
        "value", "change", "reason", "affected_before", "sessions_before", "affected_after",
        "sessions_after", "users_after",
    )  # fmt: skip
    return told.rows()


def test_what_grows_shrinks_appears_and_vanishes() -> None:
    corpus = _Corpus()
    corpus.add(200, _BEFORE, {"grows": 20, "shrinks": 120, "vanishes": 60})
    corpus.add(100, _RECENT, {"grows": 40, "shrinks": 20, "appears": 20})
    found = corpus.changes("grows", "shrinks", "vanishes", "appears", "never")
    assert _rows(found) == [
        ("appears", "appears", None, 0, 200, 20, 100, 3),
        ("grows", "grows", None, 20, 200, 40, 100, 3),
        ("never", "unclear", "fewer than 5 sessions show it", 0, 200, 0, 100, 0),
        ("shrinks", "shrinks", None, 120, 200, 20, 100, 3),
        ("vanishes", "vanishes", None, 60, 200, 0, 100, 0),
    ]
    assert found.columns == list(DRIFT_SCHEMA)


def test_what_cannot_have_changed_much_is_steady_a_rare_value_by_less() -> None:
    corpus = _Corpus()
    corpus.add(500, _BEFORE, {"common": 50, "rare": 10})
    corpus.add(500, _RECENT, {"common": 50, "rare": 15})
    assert _rows(corpus.changes("common", "rare")) == [
        ("common", "steady", None, 50, 500, 50, 500, 3),
        (
            "rare", "unclear", "the change may be chance, and its interval is wide",
            10, 500, 15, 500, 3,
        ),
    ]  # fmt: skip


def test_a_row_has_its_interval_its_q_value_and_its_windows() -> None:
    corpus = _Corpus()
    corpus.add(80, _BEFORE, {"common": 48})
    corpus.add(70, _RECENT, {"common": 56})
    (row,) = corpus.changes("common").iter_rows(named=True)
    # Newcombe 1998, table II, method 10; Fisher's exact test of 56/70 against 48/80.
    assert (round(row["change_low"], 4), round(row["change_high"], 4)) == (0.0524, 0.3339)
    assert round(row["q_value"], 4) == 0.0125
    assert (row["before_from"], row["after_from"]) == (date(2026, 2, 23), date(2026, 3, 23))


def test_the_windows_end_at_the_last_day_and_what_is_older_is_left_out() -> None:
    corpus = _Corpus()
    corpus.add(500, _LONG_AGO, {"old": 500})
    corpus.add(30, _LAST - timedelta(days=34), {"old": 10})
    corpus.add(30, _LAST - timedelta(days=6), {"old": 10})
    assert _rows(corpus.changes("old"))[0][3:] == (10, 30, 10, 30, 3)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ((19, 0), (50, 10), "fewer than 20 earlier sessions could show it"),
        ((50, 10), (19, 0), "fewer than 20 recent sessions could show it"),
        ((0, 0), (50, 10), "fewer than 20 earlier sessions could show it"),
        ((50, 2), (50, 2), "fewer than 5 sessions show it"),
        ((25, 10), (25, 12), "the change may be chance, and its interval is wide"),
    ],
)
def test_too_little_is_unclear_with_its_reason(
    before: tuple[int, int], after: tuple[int, int], reason: str
) -> None:
    corpus = _Corpus()
    corpus.add(before[0], _BEFORE, {"kind": before[1]})
    corpus.add(after[0], _RECENT, {"kind": after[1]})
    assert _rows(corpus.changes("kind"))[0][1:3] == ("unclear", reason)


def test_without_earlier_sessions_there_is_no_interval() -> None:
    corpus = _Corpus()
    corpus.add(50, _RECENT, {"kind": 10})
    (row,) = corpus.changes("kind").iter_rows(named=True)
    assert (row["change_low"], row["change_high"], row["q_value"]) == (None, None, None)


def test_no_sessions_no_rows() -> None:
    assert _Corpus().changes("kind").rows() == []
    assert period_of(_Corpus().frames()[0], Windows()) is None


def test_nothing_asked_no_rows() -> None:
    corpus = _Corpus()
    corpus.add(50, _RECENT)
    assert corpus.changes().rows() == []


def test_a_rise_that_one_user_has_is_unclear_below_the_floor() -> None:
    corpus = _Corpus()
    corpus.add(100, _BEFORE, {"kind": 10})
    corpus.add(50, _RECENT, {"kind": 30}, users=1)
    found = corpus.changes("kind", floors=DriftFloors(users=2))
    assert _rows(found)[0][1:3] == ("unclear", "fewer than 2 users show it")
    assert _rows(corpus.changes("kind"))[0][1] == "grows"


def test_another_judge_is_no_change_of_what_people_do() -> None:
    corpus = _Corpus()
    corpus.add(60, _BEFORE, {"kind": 6})
    corpus.add(40, _BEFORE, {"kind": 20}, reader="model")
    corpus.add(20, _RECENT, {"kind": 2})
    corpus.add(60, _RECENT, {"kind": 30}, reader="model")
    assert _rows(corpus.changes("kind")) == [
        ("kind", "unclear", "the change may be chance, and its interval is wide", 20, 40, 30, 60, 3)
    ]


def test_a_value_of_its_own_exposure_counts_those_sessions_too() -> None:
    """An error can be seen in a run without a person, where nothing else of friction can."""
    corpus = _Corpus()
    corpus.add(30, _BEFORE, {"error": 3, "other": 3})
    corpus.add(30, _RECENT, {"error": 3, "other": 3})
    sessions, exposed, shown = corpus.frames()
    alone = [(f"a{n}", None, day) for n in range(40) for day in (_BEFORE, _RECENT)]
    alone = [(f"{key}{day}", user, day) for key, user, day in alone]
    runs = pl.DataFrame(alone, schema=SESSIONS_SCHEMA, orient="row")
    also = runs.select(
        target=pl.lit("friction"), value=pl.lit("error"), session_key="session_key",
        reader=pl.lit("rules"),
    )  # fmt: skip
    asked = pl.DataFrame({"target": ["friction"] * 2, "value": ["error", "other"]})
    found = find_changes(pl.concat([sessions, runs]), pl.concat([exposed, also]), shown, asked)
    assert [(r[0], r[4], r[6]) for r in _rows(found)] == [("error", 70, 70), ("other", 30, 30)]


def test_many_values_without_a_change_make_few_false_ones() -> None:
    """Thirty steady kinds and one that grows, three times over."""
    false, true = 0, 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        corpus = _Corpus()
        chances = {f"kind{n}": rng.uniform(0.05, 0.4) for n in range(30)}
        for number, day, up in ((200, _BEFORE, 20), (100, _RECENT, 35)):
            drawn = {kind: int(rng.binomial(number, c)) for kind, c in chances.items()}
            corpus.add(number, day, {**drawn, "up": up})
        moved = corpus.changes(*chances, "up").filter(
            pl.col("change").is_in(["grows", "shrinks", "appears", "vanishes"])
        )
        true += "up" in moved["value"].to_list()
        false += moved.filter(pl.col("value") != "up").height
    assert true == 3
    assert false <= 1


def _long_history(corpus: _Corpus, days: int, a_day: int, shown: Mapping[str, int]) -> None:
    for back in range(days):
        corpus.add(a_day, _LAST - timedelta(days=back), shown)


@pytest.fixture
def quiet() -> _Corpus:
    """40 days of 6 sessions, after a day on which a kind was last seen."""
    corpus = _Corpus()
    _long_history(corpus, 40, 6, {"common": 2})
    corpus.add(6, _LAST - timedelta(days=40), {"faded": 1})
    return corpus


def _values(*names: str) -> pl.DataFrame:
    rows = [("friction", name, f"{name} is such a kind.") for name in names]
    return pl.DataFrame(rows, schema=VALUES_SCHEMA, orient="row")


def test_what_is_empty_for_long_is_proposed_for_retirement(quiet: _Corpus) -> None:
    found = propose_retirements(*quiet.frames(), _values("common", "faded", "never"))
    assert found == [
        Proposal(
            proposal_id=proposal_id("retire", "friction", "faded"),
            kind="retire",
            target="friction",
            name="faded",
            definition="faded is such a kind.",
            sessions=240,
            users=3,
            evidence={
                "finding": "none of 240 sessions in 40 days shows it, last seen on 2026-02-17",
                "sessions_without": 240,
                "days_without": 40,
                "busy_days_without": 40,
                "last_seen": "2026-02-17",
                "share_at_most": 0.0158,
            },
        ),
        Proposal(
            proposal_id=proposal_id("retire", "friction", "never"),
            kind="retire",
            target="friction",
            name="never",
            definition="never is such a kind.",
            sessions=246,
            users=3,
            evidence={
                "finding": "none of 246 sessions in 40 days shows it, nor any before",
                "sessions_without": 246,
                "days_without": 40,
                "busy_days_without": 41,
                "last_seen": None,
                "share_at_most": 0.0154,
            },
        ),
    ]


@pytest.mark.parametrize(
    "floors",
    [
        RetirementFloors(sessions=247),
        RetirementFloors(days=41),
        RetirementFloors(busy_days=42),
    ],
    ids=["too few sessions", "too few days", "too few busy days"],
)
def test_what_is_empty_for_a_short_time_stays(quiet: _Corpus, floors: RetirementFloors) -> None:
    assert propose_retirements(*quiet.frames(), _values("never"), floors) == []
