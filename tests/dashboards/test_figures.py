"""What the pages compute of the tables."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from dashboards.figures import (
    SessionCounts,
    coverage_rows,
    definition_changes,
    in_stretches,
    placed_moments,
    rate_of,
    release_labels,
    session_choices,
    session_counts,
    tasks_by_group,
)
from dashboards.words import interval, percent, plain

COVERAGE = pl.DataFrame(
    [
        ("files", "read", "codex", 3),
        ("sessions", "judged", "", 5),
        ("sessions", "unscored", "no answer", 2),
        ("sessions", "unscored", "cut off", 1),
        ("sessions", "excluded", "too short", 4),
    ],
    schema=["area", "status", "reason", "count"],
    orient="row",
)


def test_session_counts_add_up_to_the_sessions_seen() -> None:
    counts = session_counts(COVERAGE)
    assert counts == SessionCounts(seen=12, excluded=4, judged=5, pending=0, unscored=3, waiting=0)
    assert session_counts(COVERAGE.clear()) == SessionCounts(0, 0, 0, 0, 0, 0)


def test_coverage_says_could_not_be_judged_and_not_zero() -> None:
    assert coverage_rows(COVERAGE, "sessions").rows() == [
        ("judged", "", 5),
        ("could not be judged", "no answer", 2),
        ("could not be judged", "cut off", 1),
        ("left out", "too short", 4),
    ]


def test_an_unknown_rate_is_a_dash_not_zero() -> None:
    rates = pl.DataFrame({"polarity": ["friction"], "type": ["any"], "rate": [0.0]})
    assert percent(rate_of(rates, "friction")["rate"]) == "0 %"
    assert percent(rate_of(rates, "delight")["rate"]) == "–"
    assert interval(rate_of(rates, "delight")) == "no judged session to tell"


def test_releases_name_their_agent_only_where_there_are_several() -> None:
    one = pl.DataFrame({"agent": ["core", "core"], "release": ["1", "2"]})
    two = pl.DataFrame({"agent": ["core", "codex"], "release": ["1", "2"]})
    assert release_labels(one)["label"].to_list() == ["1", "2"]
    assert release_labels(two)["label"].to_list() == ["core 1", "codex 2"]


SESSIONS = pl.DataFrame(
    [
        ("a", "judged", "Shop", "1.0", "ann", 1, 0, "2026-03-02"),
        ("b", "judged", None, "1.1", None, 0, 2, "2026-03-03"),
        ("c", "judged", "billing", None, "ben", 3, 1, "2026-03-01"),
        ("d", "unscored", "Shop", "1.0", "ann", 0, 0, "2026-03-04"),
    ],
    schema=["session_key", "status", "project", "release", "user_id", "friction_moments",
            "delight_moments", "day"],
    orient="row",
).with_columns(agent=pl.lit("core"))  # fmt: skip


@pytest.mark.parametrize(
    ("feeling", "search", "expected"),
    [
        pytest.param(None, "", ["c", "a", "b"], id="judged-most-friction-first"),
        pytest.param("friction", "", ["c", "a"], id="with-friction"),
        pytest.param("delight", "", ["b", "c"], id="with-delight"),
        pytest.param(None, " shop", ["a"], id="by-project-in-any-case"),
        pytest.param(None, "BEN", ["c"], id="by-user"),
        pytest.param(None, ".*", [], id="not-a-pattern"),
    ],
)
def test_session_choices(feeling: str | None, search: str, expected: list[str]) -> None:
    assert session_choices(SESSIONS, feeling, search)["session_key"].to_list() == expected


def test_moments_stand_by_severity_and_those_of_purged_steps_are_left_out() -> None:
    moments = pl.DataFrame(
        [(3, "friction", "high"), (4, "delight", "low"), (None, "friction", "medium")],
        schema=["position", "polarity", "severity"],
        orient="row",
    )
    assert placed_moments(moments).rows() == [
        (3, "friction", "high", -3, "high friction"),
        (4, "delight", "low", 1, "low delight"),
    ]


def test_each_state_has_one_place_on_the_board() -> None:
    states = ["open", "planned", "patching", "verifying", "proposed", "merged", "watching",
              "resolved", "regressed", "rejected", "failed", "expired"]  # fmt: skip
    groups = tasks_by_group(pl.DataFrame({"state": states}))
    assert {group: rows["state"].to_list() for group, rows in groups.items()} == {
        "Waiting": ["open", "planned"],
        "In work": ["patching", "verifying"],
        "To review": ["proposed"],
        "Merged": ["merged", "watching", "resolved"],
        "Stopped": ["regressed", "rejected", "failed", "expired"],
    }


def test_data_cannot_format_link_or_load_through_markdown() -> None:
    hostile = "![x](http://example.org/x.png) <b>b</b> :red[r] $x$ `c`\n# title"
    assert plain(hostile) == (
        r"\!\[x\]\(http\:\/\/example\.org\/x\.png\) \<b\>b\<\/b\> \:red\[r\] \$x\$ \`c\` \# title"
    ).replace(r"\/", "/")


def test_a_week_without_sessions_ends_a_stretch() -> None:
    days = [date(2026, 3, 1), date(2026, 9, 2), date(2026, 9, 1), date(2026, 9, 8)]
    assert in_stretches(pl.DataFrame({"day": days})).rows() == [
        (date(2026, 3, 1), 0, True),
        (date(2026, 9, 1), 1, False),
        (date(2026, 9, 2), 1, False),
        (date(2026, 9, 8), 1, False),
    ]


def test_a_line_says_where_its_definition_changed() -> None:
    day = datetime(2026, 3, 2, 12, tzinfo=UTC)
    rows = [
        (2, day, "friction", "goal_drift", "added", True),
        (2, day, "friction", "correction", "changed", True),
        (3, day, "delight", "praise", "changed", True),
        (4, day, "friction", "correction", "removed", False),
    ]
    names = ("version", "created_at", "target", "name", "change", "in_force")
    changes = pl.DataFrame(rows, schema=names, orient="row")
    of_any = definition_changes(changes, "friction", "any")
    assert of_any.rows() == [
        (date(2026, 3, 2), "version 2: goal drift added; version 2: correction changed")
    ]
    of_type = definition_changes(changes, "friction", "correction")
    assert of_type.rows() == [(date(2026, 3, 2), "version 2: correction changed")]
    assert definition_changes(changes, "friction", "escalation_tone").is_empty()
