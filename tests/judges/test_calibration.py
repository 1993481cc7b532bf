"""Agreement figures: against scikit-learn, against a slow bootstrap, and on literal rows."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    cohen_kappa_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from agent_core.errors import BadInputError
from agent_core.session import segments
from judges.calibration import (
    LabelledTurn,
    agreement,
    baselines_of,
    drawing_weights,
    kinds_never_drawn,
    left_out,
    measure,
    read_labels,
    verdict_of,
)
from judges.calibration.confusion import confusion
from judges.calibration.figures import severity_kappa
from judges.calibration.shipped import shipped_accuracy, write_accuracy
from judges.rubric import load_rubric
from judges.rules import RulesJudge
from judges.verdict import Polarity, Severity
from tests.judges.build import agent, event, person, session

_Moment = tuple[Polarity, str, Severity]


def _row(ref: str, friction: int = 0, *types: str, **more: Any) -> dict[str, Any]:
    return {
        "path": "logs/a.jsonl.gz",
        "source_ref": ref,
        "friction": friction,
        "friction_types": list(types),
        "delight": 0,
        "delight_types": [],
    } | more


def _turn(
    row: dict[str, Any],
    *moments: _Moment,
    score: float = 0.5,
    session: str = "s",
    project: str = "p",
) -> LabelledTurn:
    (label,) = read_labels([json.dumps(row)], load_rubric()).labels
    return LabelledTurn(session, project, label, verdict_of(moments, score, 0.0))


_CORRECTION: _Moment = ("friction", "correction", "medium")
_ERROR: _Moment = ("friction", "error_event", "low")
_PRAISE: _Moment = ("delight", "praise", "low")


@pytest.fixture(scope="module")
def sampled() -> dict[str, Any]:
    """300 turns of 20 sessions; scores with ties."""
    rng = np.random.default_rng(7)
    truth = rng.random(300) < 0.3
    scores = np.round(np.clip(truth * 0.3 + rng.random(300) * 0.7, 0, 1), 1)
    return {
        "truth": truth.tolist(),
        "predicted": (scores > 0.55).tolist(),
        "scores": scores.tolist(),
        "sessions": [f"s{n}" for n in rng.integers(0, 20, 300)],
    }


def test_figures_are_those_of_scikit_learn(sampled: dict[str, Any]) -> None:
    found = agreement(
        sampled["truth"], sampled["predicted"], sampled["sessions"], scores=sampled["scores"]
    )
    y, p = sampled["truth"], sampled["predicted"]
    values = [f[0] for f in (found.precision, found.recall, found.f1, found.kappa, found.auroc)]
    assert values == pytest.approx(
        [
            precision_score(y, p),
            recall_score(y, p),
            f1_score(y, p),
            cohen_kappa_score(y, p),
            roc_auc_score(y, sampled["scores"]),
        ]
    )


def test_intervals_are_those_of_a_bootstrap_that_redraws_whole_sessions(
    sampled: dict[str, Any],
) -> None:
    found = agreement(
        sampled["truth"],
        sampled["predicted"],
        sampled["sessions"],
        scores=sampled["scores"],
        rounds=60,
    )
    y, p, s = (np.array(sampled[name]) for name in ("truth", "predicted", "scores"))
    names = list(dict.fromkeys(sampled["sessions"]))
    members = [np.flatnonzero(np.array(sampled["sessions"]) == name) for name in names]
    rng = np.random.default_rng(0)
    kappas, aurocs = [], []
    for _ in range(60):
        drawn = np.concatenate([members[g] for g in rng.integers(0, len(names), len(names))])
        kappas.append(cohen_kappa_score(y[drawn], p[drawn]))
        aurocs.append(roc_auc_score(y[drawn], s[drawn]))
    assert found.kappa[1:] == pytest.approx(tuple(np.quantile(kappas, [0.025, 0.975])))
    assert found.auroc[1:] == pytest.approx(tuple(np.quantile(aurocs, [0.025, 0.975])))


def test_weighted_severity_kappa_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    labelled, predicted = rng.integers(0, 4, 80).tolist(), rng.integers(0, 4, 80).tolist()
    found = severity_kappa(labelled, predicted, ["s"] * 80, rounds=0)
    assert found[0] == pytest.approx(cohen_kappa_score(labelled, predicted, weights="linear"))


def test_a_turn_of_weight_three_counts_as_three(sampled: dict[str, Any]) -> None:
    weights = [3.0 if number % 2 else 1.0 for number in range(300)]
    tripled = [n for n, weight in enumerate(weights) for _ in range(int(weight))]
    names = ("truth", "predicted", "sessions", "scores")
    heavy = agreement(*(sampled[n] for n in names[:3]), scores=sampled["scores"], weights=weights,
                      rounds=0)  # fmt: skip
    y, p, s, scores = ([sampled[name][n] for n in tripled] for name in names)
    plain = agreement(y, p, s, scores=scores, rounds=0)
    for figure in ("precision", "recall", "f1", "kappa", "auroc", "positive_rate"):
        assert getattr(heavy, figure) == pytest.approx(getattr(plain, figure))
    assert heavy.positives == sum(sampled["truth"])


@pytest.mark.parametrize(("positives", "measured"), [(19, False), (20, True)])
def test_fewer_than_twenty_positives_are_counts_only(positives: int, measured: bool) -> None:
    truth = [n < positives for n in range(60)]
    predicted = [n % 2 == 0 for n in range(60)]
    row = agreement(truth, predicted, [str(n % 7) for n in range(60)], rounds=10).as_row()
    assert ("kappa" in row) == measured
    assert row.get("note") == (None if measured else "not measured: fewer than 20 positives")
    assert (row["positives"], row["true_positives"]) == (positives, (positives + 1) // 2)


def test_what_is_not_defined_has_no_figure() -> None:
    found = agreement([True] * 30, [False] * 30, ["a", "b", "c"] * 10, rounds=5)
    assert (found.precision, found.recall[0]) == ((), 0.0)
    same = agreement([True] * 30, [True] * 30, ["a", "b", "c"] * 10, scores=[0.9] * 30, rounds=5)
    assert (same.kappa, same.auroc, same.f1[0]) == ((), (), 1.0)


def test_rows_of_two_annotators_leave_out_what_they_disagree_on() -> None:
    one = {"friction": 2, "friction_types": ["correction", "error_event"], "delight": 0,
           "delight_types": []}  # fmt: skip
    other = {"friction": 1, "friction_types": ["correction"], "delight": 1,
             "delight_types": ["praise"]}  # fmt: skip
    row = {"path": "a.jsonl", "source_ref": "u1", "A": one, "B": other, "turn": 1}
    (label,) = read_labels([json.dumps(row)], load_rubric()).labels
    assert (label.friction, label.delight, label.severities) == (True, None, (2, 1))
    types = label.types["friction"]
    assert [types[n] for n in ("correction", "error_event", "backtracking")] == [True, None, False]
    assert label.types["delight"]["praise"] is None


def test_the_last_row_of_a_turn_counts() -> None:
    lines = [json.dumps(_row("u1", 2, "correction")), "", json.dumps(_row("u1"))]
    found = read_labels(lines, load_rubric())
    assert ([label.friction for label in found.labels], found.replaced) == ([False], 1)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{", "not valid JSON at character 2", id="cut"),
        pytest.param("[]", "no JSON object", id="no object"),
        pytest.param(json.dumps({"path": "a"}), "source_ref: Field required", id="no reference"),
        pytest.param(json.dumps(_row("u", 4)), "friction: Input should be less", id="range"),
        pytest.param(json.dumps(_row("u", 2, "rage")), "'rage' is no friction type", id="type"),
        pytest.param(json.dumps(_row("u", 0, "other")), "friction is 0, yet", id="clean type"),
        pytest.param(json.dumps({"path": "a", "source_ref": "u", "A": {}}), 'both "A"', id="one"),
        pytest.param(json.dumps(_row("u", drawn="random")), "drawn needs drawn_from", id="drawn"),
    ],
)
def test_a_malformed_row_is_named_with_its_remedy(line: str, told: str) -> None:
    with pytest.raises(BadInputError) as raised:
        read_labels([json.dumps(_row("u0")), line], load_rubric(), name="mine.jsonl")
    said = str(raised.value)
    assert said.startswith("mine.jsonl line 2: ")
    assert told in said
    assert "a row is" in said
    assert "\n" not in said


def test_confusion_pairs_what_differs_and_counts_the_rest_on_the_diagonal() -> None:
    turns = [
        _turn(_row("1", 2, "correction"), _CORRECTION),
        _turn(_row("2", 2, "correction", "error_event"), _CORRECTION),
        _turn(_row("3", 2, "backtracking"), _CORRECTION, _ERROR),
        _turn(_row("4", 1), _ERROR),
        _turn(_row("5"), _ERROR),
        _turn(_row("6"), _PRAISE),
    ]
    assert confusion(turns, "friction") == {
        "correction": {"correction": 2},
        "error_event": {"none": 1},
        "backtracking": {"correction": 1, "error_event": 1},
        "untyped": {"error_event": 1},
        "none": {"error_event": 1, "none": 1},
    }


def _spread(projects: Sequence[str], sessions: int) -> list[LabelledTurn]:
    """20 turns a session, half friction; in project `p2` the scores are 0.2 higher."""
    return [
        _turn(
            _row(f"{project}{number}-{turn}", 2 * (turn % 2)),
            score=0.35 + 0.1 * (turn % 2) + (0.2 if project == "p2" else 0.0),
            session=f"{project}-{number}",
            project=project,
        )
        for project in projects
        for number in range(sessions)
        for turn in range(20)
    ]


def test_the_operating_point_of_a_project_is_chosen_on_the_others() -> None:
    found = left_out(_spread(["p1", "p2"], 3), points=[0.4, 0.6], rounds=0)
    assert found is not None
    assert (found.by, found.points) == ("project", {"p1": 0.6, "p2": 0.4})
    # Each point is the wrong one for the project it was not chosen on.
    assert (found.agreement.recall, found.agreement.precision) == ((0.5,), (0.5,))


def test_one_project_is_left_out_by_sessions_and_one_session_not_at_all() -> None:
    found = left_out(_spread(["p1"], 12), points=[0.3, 0.4, 0.6], rounds=0)
    assert found is not None
    assert (found.by, set(found.points.values()), len(found.points)) == ("session", {0.4}, 10)
    assert found.agreement.kappa == (1.0,)
    assert left_out(_spread(["p1"], 1)) is None


def test_the_operating_point_is_chosen_by_the_weights_that_it_is_measured_with() -> None:
    """Unweighted the lower point is the better one; by what the turns stand for, the higher."""
    few = [(0.5, 1, 1.0)] * 3 + [(0.5, 0, 30.0)] + [(0.9, 1, 1.0), (0.1, 0, 1.0)]
    turns = [
        replace(_turn(_row(f"{n}", 2 * truth), score=score, project=project), weight=weight)
        for project in ("p1", "p2")
        for n, (score, truth, weight) in enumerate(few)
    ]
    points = [0.4, 0.6]
    found = left_out(turns, points=points, rounds=0, minimum=1)
    plain = left_out([replace(t, weight=1.0) for t in turns], points=points, rounds=0, minimum=1)
    assert found is not None
    assert plain is not None
    assert (found.points, plain.points) == ({"p1": 0.6, "p2": 0.6}, {"p1": 0.4, "p2": 0.4})


def test_turns_that_review_drew_stand_for_those_it_did_not() -> None:
    sizes = {"moment": 10, "borderline": 4, "random": 200}
    turns = [
        *(_turn(_row(f"m{n}", 2, drawn="moment", drawn_from=sizes)) for n in range(5)),
        *(_turn(_row(f"r{n}", drawn="random", drawn_from=sizes)) for n in range(2)),
        _turn(_row("by hand")),
    ]
    weights = drawing_weights([turn.label for turn in turns])
    assert weights == {"moment": 2.0, "random": 100.0, None: 1.0}
    assert kinds_never_drawn(turns) == ["borderline"]
    assert kinds_never_drawn(turns[-1:]) == []


def test_a_measurement_has_every_type_of_the_rubric() -> None:
    turns = [
        _turn(_row(f"{n}", 2 * (n % 2), *(["correction"] if n % 2 else [])),
              *([_CORRECTION] if n % 4 else []), session=f"s{n % 5}")
        for n in range(60)
    ]  # fmt: skip
    found = measure(turns, load_rubric(), rounds=20)
    assert (found.turns, found.sessions, found.projects) == (60, 5, 1)
    friction = found.overall["friction"]
    assert (friction.true_positives, friction.false_positives) == (30, 15)
    assert friction.precision[0] == pytest.approx(2 / 3)
    assert list(found.types["friction"]) == list(load_rubric().names("friction"))
    assert found.types["friction"]["correction"].kappa == friction.kappa
    assert found.severity_by_annotator == pytest.approx((found.severity[0],))
    assert not found.overall["delight"].is_measured


def test_baselines_need_an_interrupt_or_a_word_after_the_first_turn() -> None:
    log = session(
        person("Why is this wrong?"),
        agent("Mended."),
        person("It is still broken."),
        agent("Now."),
        event("interrupt"),
        person("Use the other file."),
    )
    said = [tuple(baselines_of(segment).values()) for segment in segments(log)]
    assert said == [(False, False), (False, True), (True, True)]


def test_the_shipped_accuracy_is_that_of_the_shipped_judge() -> None:
    """Else: python tests/benchmarks/judge.py --write"""
    shipped = shipped_accuracy()
    assert shipped.identity() == RulesJudge(b"salt").identity
    assert "not people" in shipped.labels
    for polarity in ("friction", "delight"):
        figures = shipped.friction if polarity == "friction" else shipped.delight
        assert set(figures) == {"any", *load_rubric().names(polarity)}
        measured = {name for name, row in figures.items() if row.kappa}
        assert measured == {name for name, row in figures.items() if row.positives >= 20}


def test_a_measurement_is_shipped_as_it_is_read(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [
        _turn(_row(f"{n}", 2 * (n % 2)), *([_CORRECTION] if n % 4 else []), session=f"s{n % 5}")
        for n in range(60)
    ]
    measured = measure(turns, load_rubric(), rounds=20)
    path = write_accuracy(tmp_path, RulesJudge(b"salt").identity, "60 made-up turns", measured)
    monkeypatch.setattr("judges.calibration.shipped.resources.files", lambda _: tmp_path)
    read = shipped_accuracy.__wrapped__()
    assert (path.name, read.labels) == ("accuracy.toml", "60 made-up turns")
    row = measured.overall["friction"].as_row()
    assert list(read.friction["any"].kappa) == row["kappa"]
    assert read.delight["any"].kappa == ()
    assert (read.severity_kappa[0], read.severity_turns) == (round(measured.severity[0], 3), 60)
