"""What a schema calls an item, from the judge's word and the vector alone."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from agent_core.errors import ConfigError
from facets.proposal import Proposal, ProposalKind
from facets.prototype import Prototype
from facets.resolution import foreign_prototypes, moved_by_distance, resolve_types
from facets.schema import FacetSchema, load_seed_schema
from facets.schema_change import apply_proposal

SEED = load_seed_schema()
EAST, NORTH, WEST = 0.0, 90.0, 180.0


def _place(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _cap(degrees: float, *, within: float = 30.0, model: str = "m") -> Prototype:
    return Prototype(
        model=model, centroid=_place(degrees), reach=round(math.cos(math.radians(within)), 9)
    )


def _change(kind: ProposalKind, name: str, *parts: str, cap: Prototype | None = None) -> Proposal:
    return Proposal("p", kind, "friction", name, "A kind.", parts=parts, prototype=cap)


def _schema(*changes: Proposal) -> FacetSchema:
    schema = SEED
    for change in changes:
        schema = apply_proposal(schema, change)
    return schema


def _vectors(places: Sequence[float | None]) -> NDArray[np.float32]:
    nowhere = (math.nan, math.nan)
    rows = [nowhere if place is None else _place(place) for place in places]
    return np.array(rows, dtype=np.float32)


def _called(schema: FacetSchema, *items: tuple[str, float | None]) -> list[str]:
    judged = [name for name, _ in items]
    places = _vectors([place for _, place in items])
    return resolve_types(judged, places, schema, "friction", "m")


DRIFT = _change("new_type", "drift", cap=_cap(EAST))


def test_the_seed_leaves_the_judges_words_and_calls_unknown_ones_other() -> None:
    found = _called(SEED, ("correction", EAST), ("other", EAST), ("sighing", EAST))
    assert found == ["correction", "other", "other"]


def test_a_new_type_takes_only_what_is_other_and_inside() -> None:
    found = _called(_schema(DRIFT), ("other", 29.9), ("other", 30.1), ("other", None),
                    ("correction", EAST), ("sighing", EAST), ("drift", WEST))  # fmt: skip
    assert found == ["drift", "other", "other", "correction", "drift", "drift"]


def test_the_outermost_member_is_inside_whatever_the_batch_it_comes_in() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    single = rows.astype(np.float32)
    reach = float((single @ single[0]).min())
    cap = Prototype(model="m", centroid=tuple(map(float, single[0])), reach=reach)
    schema = _schema(_change("new_type", "drift", cap=cap))
    one_by_one = [
        resolve_types(["other"], row[None, :], schema, "friction", "m")[0] for row in single
    ]
    at_once = resolve_types(["other"] * 500, single, schema, "friction", "m")
    assert one_by_one == at_once == ["drift"] * 500


def test_types_accepted_one_after_the_other_share_by_nearness() -> None:
    wide = _change("new_type", "drift", cap=_cap(EAST, within=80))
    schema = _schema(wide, _change("new_type", "tabs", cap=_cap(NORTH, within=80)))
    found = _called(schema, ("other", 44), ("other", 46), ("other", 175))
    assert found == ["drift", "tabs", "other"]


def test_a_split_takes_its_part_and_leaves_the_rest() -> None:
    schema = _schema(DRIFT, _change("split", "early", "drift", cap=_cap(20, within=10)))
    found = _called(schema, ("other", 15), ("other", -15), ("other", 45), ("correction", 15))
    assert found == ["early", "drift", "other", "correction"]


def test_a_merge_takes_in_everything_of_its_parts_also_what_a_distance_told() -> None:
    schema = _schema(DRIFT, _change("merge", "steering", "drift", "correction"))
    found = _called(schema, ("other", EAST), ("other", WEST), ("correction", None))
    assert found == ["steering", "other", "steering"]
    assert schema.known_values("friction")[-2:] == ("steering", "other")


def test_a_merge_may_keep_the_name_of_a_part() -> None:
    schema = _schema(DRIFT, _change("merge", "drift", "drift", "correction"))
    found = _called(schema, ("other", EAST), ("other", WEST), ("correction", WEST))
    assert found == ["drift", "other", "drift"]


def test_a_retired_type_is_other_and_its_moments_may_be_found_again() -> None:
    retired = _change("retire", "correction")
    schema = _schema(retired, DRIFT)
    assert _called(schema, ("correction", WEST), ("correction", EAST)) == ["other", "drift"]
    before = _schema(DRIFT, retired)
    assert _called(before, ("correction", WEST), ("correction", EAST)) == ["other", "other"]


def test_what_was_split_off_outlives_what_it_was_split_from() -> None:
    split = _change("split", "early", "drift", cap=_cap(20, within=10))
    schema = _schema(DRIFT, split, _change("retire", "drift"))
    assert _called(schema, ("other", 15), ("other", -15)) == ["early", "other"]


def test_a_retired_name_that_the_judge_still_says_can_come_back() -> None:
    schema = _schema(_change("retire", "correction"), _change("new_type", "correction"))
    assert _called(schema, ("correction", EAST)) == ["correction"]


def test_a_found_type_may_have_a_name_that_was_retired() -> None:
    schema = _schema(
        _change("retire", "correction"), _change("new_type", "correction", cap=_cap(EAST))
    )
    found = _called(schema, ("correction", EAST), ("correction", WEST), ("other", EAST))
    assert found == ["correction", "other", "correction"]


def test_without_any_vector_nothing_is_moved_by_distance() -> None:
    nowhere = np.empty((2, 0), dtype=np.float32)
    schema = _schema(DRIFT, _change("merge", "steering", "correction", "backtracking"))
    found = resolve_types(["other", "correction"], nowhere, schema, "friction", "m")
    assert found == ["other", "steering"]


def test_a_prototype_of_another_model_is_outside_of_everything_and_counted() -> None:
    schema = _schema(_change("new_type", "drift", cap=_cap(EAST, model="old")))
    assert _called(schema, ("other", EAST)) == ["other"]
    assert foreign_prototypes(schema, "friction", "m") == 1
    assert foreign_prototypes(schema, "friction", "old") == 0


def test_a_prototype_of_another_dimension_is_named() -> None:
    flat = Prototype(model="m", centroid=(1.0,), reach=0.5)
    with pytest.raises(ConfigError, match="the prototype of drift has 1 dimensions, vectors of m"):
        _called(_schema(_change("new_type", "drift", cap=flat)), ("other", EAST))


def test_only_what_a_distance_decides_on_needs_a_vector() -> None:
    schema = _schema(_change("retire", "correction"), DRIFT, _change("retire", "backtracking"))
    asked = ["other", "correction", "backtracking", "error_event", "sighing"]
    assert moved_by_distance(asked, schema, "friction").tolist() == [True, True, False, False, True]
    assert not moved_by_distance(asked, SEED, "friction").any()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]], ids=["as-given", "shuffled"])
def test_each_item_is_called_alike_in_whatever_company(order: list[int]) -> None:
    schema = _schema(DRIFT, _change("merge", "steering", "drift", "correction"))
    items: list[tuple[str, float | None]] = [
        ("other", EAST), ("other", WEST), ("correction", None), ("other", None)
    ]  # fmt: skip
    alone = [_called(schema, item)[0] for item in items]
    assert _called(schema, *(items[i] for i in order)) == [alone[i] for i in order]
