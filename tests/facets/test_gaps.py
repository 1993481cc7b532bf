"""Capability gaps: what is proposed, with which evidence, and what is not."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from facets.gaps import (
    READINGS_SCHEMA,
    REQUESTS_SCHEMA,
    GapFloors,
    find_gaps,
    probe_abstracts,
)
from facets.prototype import assign
from facets.region import fit_region, jaccard
from facets.requests import UnservedRequest
from facets.topics import topic_groups
from tests.facets.talk import places

Rows = list[tuple[str, str | None, str, str, str, str]]


def asked_in(sessions: Sequence[str], topic: str, users: int = 3, action: str = "send") -> Rows:
    """An unserved request for the topic in each of the sessions."""
    said = UnservedRequest("1", action, topic, "declined").abstract
    return [
        (key, f"u{n % users}", said, topic, action, "declined") for n, key in enumerate(sessions)
    ]


def frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=REQUESTS_SCHEMA, orient="row")


def read(rows: Rows, served: Sequence[tuple[str, str]] = ()) -> pl.DataFrame:
    """A reading for each session of `rows`, and one for each (session, topic) that was served."""
    asked: dict[str, list[str]] = {}
    for key, _, _, topic, *_ in rows:
        asked.setdefault(key, []).append(topic)
    readings: list[tuple[str, list[str], list[str]]] = [(k, t, []) for k, t in asked.items()]
    readings += [(key, [topic], [topic]) for key, topic in served]
    return pl.DataFrame(readings, schema=READINGS_SCHEMA, orient="row")


def sessions(start: int, count: int) -> list[str]:
    return [f"s{number}" for number in range(start, start + count)]


def test_a_topic_asked_for_in_vain_is_a_gap_with_its_evidence() -> None:
    rows = [*asked_in(sessions(0, 6), "email"), *asked_in(sessions(6, 2), "pdf")]
    readings = read(rows, served=[("s20", "email"), ("s21", "email"), ("s22", "pdf")])
    vectors = places([row[3] for row in rows])
    (gap,) = find_gaps(frame(rows), vectors, readings, model_id="m")
    assert (gap.kind, gap.target, gap.name) == ("capability_gap", "missing_capabilities", "email")
    assert (gap.support, gap.sessions, gap.users, gap.stability) == (6, 6, 3, 1.0)
    assert gap.definition == (
        "The person asked for something that concerns an e-mail, and did not get it."
    )
    evidence = dict(gap.evidence)
    assert evidence.pop("coherence") > 0.8
    assert evidence == {
        "topics": ["email"],
        "terms": ["an e-mail"],
        "actions": {"send": 6},
        "endings": {"declined": 6},
        "sessions_asked": 8,
        "sessions_served": 2,
        "served_share": 0.25,
        "sessions_read": 11,
        "examples": [
            "an e-mail: the person asked to send an e-mail, the agent said that it could not"
        ],
        "held_out_jaccard": 1.0,
        "gain": evidence["gain"],
    }
    assert 0 < evidence["gain"] < 1


def test_its_prototype_takes_in_its_own_requests_alone() -> None:
    rows = [*asked_in(sessions(0, 6), "email"), *asked_in(sessions(6, 6), "pdf")]
    vectors = places([row[3] for row in rows], spread=0.0)
    probes = dict(zip(topic_groups(), places(list(topic_groups()), 0.0), strict=True))
    gaps = find_gaps(frame(rows), vectors, read(rows), model_id="m", probes=probes)
    assert [gap.name for gap in sorted(gaps, key=lambda gap: gap.name)] == ["email", "pdf"]
    for gap in gaps:
        assert gap.prototype is not None
        inside = assign(vectors, [gap.prototype]) == 0
        assert inside.tolist() == [row[3] == gap.name for row in rows]
        elsewhere = np.stack([row for topic, row in probes.items() if topic != gap.name])
        assert (assign(elsewhere, [gap.prototype]) == -1).all()


@pytest.mark.parametrize(
    ("rows", "floors"),
    [
        (asked_in(sessions(0, 4), "email"), GapFloors()),
        (asked_in(["s0"] * 9, "email"), GapFloors()),
        (asked_in(sessions(0, 9), "email", users=2), GapFloors(min_users=3)),
        ([], GapFloors()),
    ],
    ids=["few-sessions", "one-session", "few-users", "nothing"],
)
def test_below_a_floor_nothing_is_proposed(rows: Rows, floors: GapFloors) -> None:
    vectors = places([row[3] for row in rows])
    assert find_gaps(frame(rows), vectors, read(rows), model_id="m", floors=floors) == []


def test_unknown_users_count_as_one() -> None:
    rows: Rows = [(key, None, *rest) for key, _, *rest in asked_in(sessions(0, 9), "email")]  # type: ignore[misc]
    vectors = places([row[3] for row in rows])
    floors = GapFloors(min_users=2)
    assert find_gaps(frame(rows), vectors, read(rows), model_id="m", floors=floors) == []


def test_a_topic_that_lies_with_others_is_not_stable() -> None:
    rows = [*asked_in(sessions(0, 6), "email"), *asked_in(sessions(6, 30), "pdf")]
    mixed = places(["email"] * len(rows), spread=0.0)
    gaps = find_gaps(frame(rows), mixed, read(rows), model_id="m")
    assert [gap.name for gap in gaps] == ["pdf"]


def test_rare_topics_of_one_group_are_put_together() -> None:
    groups = {"media": "video", "travel": "hotel"}
    few = {group: [t for t, g in topic_groups().items() if g == group][:8] for group in groups}
    rows, near = [], []
    for place, topic in enumerate([*few["media"], *few["travel"]]):
        rows += asked_in(sessions(3 * place, 3), topic)
        near += [groups[topic_groups()[topic]]] * 3
    gaps = find_gaps(frame(rows), places(near), read(rows), model_id="m")
    assert {gap.name: (gap.sessions, gap.evidence["topics"]) for gap in gaps} == {
        "media_requests": (24, sorted(few["media"])),
        "travel_requests": (24, sorted(few["travel"])),
    }


def test_the_same_requests_in_another_order_give_the_same_gap() -> None:
    rows = [*asked_in(sessions(0, 8), "email"), *asked_in(sessions(8, 3), "pdf")]
    vectors = places([row[3] for row in rows])
    order = np.random.default_rng(1).permutation(len(rows))
    (one,) = find_gaps(frame(rows), vectors, read(rows), model_id="m")
    shuffled = frame([rows[place] for place in order])
    (other,) = find_gaps(shuffled, vectors[order], read(rows), model_id="m")
    assert (one.proposal_id, one.stability, one.sessions) == (
        other.proposal_id,
        other.stability,
        other.sessions,
    )


def test_a_region_ends_between_its_members_and_the_rest_not_far_from_them() -> None:
    members = np.array([[1.0, 0.0], [0.96, 0.28], [0.96, -0.28]])
    away = np.array([[0.6, 0.8], [0.0, 1.0]])
    region = fit_region(
        np.vstack([members, away]), np.array([1, 1, 1, 0, 0]), np.array([0] * 3 + [1] * 2)
    )
    assert np.allclose(region.centroid, [1.0, 0.0])
    assert region.reach == pytest.approx(0.96 - 0.04)
    assert region.holds(members).all()
    assert not region.holds(away).any()


def test_a_region_gives_up_a_member_that_lies_among_others() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.2, 0.98]])
    region = fit_region(rows, np.array([2, 1, 0]), np.array([0, 0, 9]))
    assert region.holds(rows).tolist() == [True, False, False]


def test_what_lies_as_near_is_inside_too_and_counts() -> None:
    rows = np.array([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]])
    weights = np.array([6, 1, 1]), np.array([0, 0, 1])
    region = fit_region(rows, *weights)
    assert region.holds(rows).tolist() == [True, True, True]
    region = fit_region(rows, weights[0], 9 * weights[1])
    assert region.holds(rows).tolist() == [True, False, False]


def test_jaccard_of_nothing_is_nothing() -> None:
    nobody = np.zeros(3, dtype=bool)
    assert jaccard(nobody, nobody) == 0.0


def test_every_topic_has_a_probe() -> None:
    abstracts = probe_abstracts()
    assert set(abstracts) == set(topic_groups())
    assert abstracts["pdf"] == (
        "a PDF document: the person asked to get a PDF document, the agent said that it could not"
    )
