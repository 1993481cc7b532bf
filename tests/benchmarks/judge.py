"""How well a judge agrees with the labels of coding sessions, turn by turn.

    python tests/benchmarks/judge.py [--shared DIR] [--out FILE] [--rounds N]

A turn is predicted friction when a friction moment stands in its segment. Intervals are 95 %
bootstrap intervals over sessions. The labels are by two language models, not by people.
"""

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from agent_core.session import Segment, Session, segments
from judges.rubric import load_rubric
from judges.rules import RulesJudge
from judges.rules.scoring import shipped_weights
from judges.verdict import Moment
from pipelines.sources import read_file
from tests.shared_data import benchmark_data, shared_folder

LABELS_NOTE = "labels by two language models (not people) on real sessions; rows where both agree"
MIN_POSITIVES = 20
_SEVERITY = {"low": 1, "medium": 2, "high": 3}
_WORDS = re.compile(
    r"\b(no|nope|wrong|still|again|not work\w*|doesn't|didn't|isn't|instead|actually|revert|undo|"
    r"error|fail\w*|broken|bug|why|should|missing|forgot|stop)\b",
    re.I,
)


@dataclass(frozen=True)
class Turn:
    """One labelled turn with what the judge said of it; None: the annotators disagree."""

    session: str
    project: str
    friction: bool | None
    delight: bool | None
    severities: tuple[int, int]
    types: Mapping[str, bool | None]
    score: float
    predicted: bool
    predicted_severity: int
    predicted_types: frozenset[str]
    predicted_delight: bool
    stopped: bool
    words: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/judge.json"), type=Path)
    parser.add_argument("--rounds", default=1000, type=int)
    options = parser.parse_args()
    started = time.perf_counter()
    turns, missing = read_turns(benchmark_data(options.shared))
    seconds = time.perf_counter() - started
    result = measure(turns, options.rounds) | {
        "labels": LABELS_NOTE,
        "labelled_turns_without_a_step": missing,
        "sessions": len({turn.session for turn in turns}),
        "seconds_reading_and_judging": round(seconds, 2),
        "judge": asdict(RulesJudge(b"benchmark").identity),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(as_table(result))


def read_turns(shared: Path) -> tuple[list[Turn], int]:
    """Every labelled turn that the reader finds, and how many it does not."""
    rows = _rows(shared / "labels" / "coding_sessions" / "turns.jsonl")
    by_path: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        by_path[row["path"]][row["source_ref"]] = row
    judge = RulesJudge(b"benchmark")
    turns = [
        turn
        for path, labelled in sorted(by_path.items())
        for session in read_file(shared / path).sessions
        for turn in _turns(session, labelled, judge)
    ]
    return turns, len(rows) - len(turns)


def measure(turns: Sequence[Turn], rounds: int) -> dict[str, Any]:
    """All figures; `turns` in any order."""
    agreed = [turn for turn in turns if turn.friction is not None]
    others = [turn for turn in agreed if turn.project != _largest(agreed)]
    return {
        "turns": len(agreed),
        "positive_rate": round(float(np.mean([bool(turn.friction) for turn in agreed])), 3),
        "friction": {
            "rules": _binary(agreed, lambda t: t.predicted, rounds, scored=True),
            "rules, without the largest project": _binary(
                others, lambda t: t.predicted, rounds, scored=True
            ),
            "rules, operating point from the other projects (pooled)": _left_out(agreed, rounds),
            "baseline: interrupt or rejection": _binary(agreed, lambda t: t.stopped, rounds),
            "baseline: interrupt, rejection or word list": _binary(
                agreed, lambda t: t.stopped or t.words, rounds
            ),
        },
        "projects": {
            name: _binary([t for t in agreed if t.project == name], lambda t: t.predicted, 0)
            for name in sorted({turn.project for turn in agreed})
        },
        "types": {
            name: _type_figures(turns, name, rounds) for name in load_rubric().names("friction")
        },
        "severity_weighted_kappa": _severity(turns),
        "delight": _counts(
            [t for t in turns if t.delight is not None],
            lambda t: bool(t.delight),
            lambda t: t.predicted_delight,
        ),
    }


def as_table(result: Mapping[str, Any]) -> str:
    """The figures for a terminal."""
    lines = [
        f"{result['turns']} turns of {result['sessions']} sessions, "
        f"{result['positive_rate']:.0%} friction; {result['labels']}",
        f"{'':<58}{'P':>6}{'R':>6}{'F1':>6}{'kappa [95 %]':>22}{'AUROC [95 %]':>22}",
    ]
    for name, row in [*result["friction"].items(), *result["types"].items()]:
        lines.append(f"{name:<58}{_row_text(row)}")
    lines.append(f"by project: {_projects_text(result['projects'])}")
    lines.append(f"severity, weighted kappa (A, B, mean): {result['severity_weighted_kappa']}")
    lines.append(f"delight, counts only: {_row_text(result['delight'])}")
    lines.append(
        f"labelled turns that no step was found for: {result['labelled_turns_without_a_step']}"
    )
    return "\n".join(lines)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _turns(session: Session, labelled: Mapping[str, Any], judge: RulesJudge) -> list[Turn]:
    judgement = judge(session)
    scores = {turn.source_ref: turn.friction_score or 0.0 for turn in judgement.turns}
    moments: dict[str | None, list[Moment]] = defaultdict(list)
    for moment in judgement.moments:
        moments[moment.turn_ref].append(moment)
    return [
        _turn(segment, labelled[ref], scores[ref], moments[ref])
        for segment in segments(session)
        if (ref := segment.turn_ref) is not None and ref in labelled
    ]


def _turn(
    segment: Segment, row: Mapping[str, Any], score: float, moments: Sequence[Moment]
) -> Turn:
    a, b = row["A"], row["B"]
    friction = [moment for moment in moments if moment.polarity == "friction"]
    return Turn(
        session=row["session"],
        project=row["project"],
        friction=_agreed(a["friction"] > 0, b["friction"] > 0),
        delight=_agreed(a["delight"] > 0, b["delight"] > 0),
        severities=(a["friction"], b["friction"]),
        types={
            name: _agreed(name in a["friction_types"], name in b["friction_types"])
            for name in load_rubric().names("friction")
        },
        score=score,
        predicted=bool(friction),
        predicted_severity=max((_SEVERITY[m.severity] for m in friction), default=0),
        predicted_types=frozenset(moment.type for moment in friction),
        predicted_delight=len(moments) > len(friction),
        stopped=any(step.event in {"interrupt", "rejection"} for step in segment.steps),
        words=segment.turn != 1 and bool(_WORDS.search(segment.steps[-1].text[:400])),
    )


def _agreed(a: bool, b: bool) -> bool | None:
    return a if a == b else None


def _largest(turns: Sequence[Turn]) -> str:
    projects = [turn.project for turn in turns]
    return max(sorted(set(projects)), key=projects.count)


def _left_out(turns: Sequence[Turn], rounds: int) -> dict[str, Any]:
    """Each project is cut at the point that is best on the others; predictions are pooled."""
    points = {
        name: _best_point([turn for turn in turns if turn.project != name])
        for name in {turn.project for turn in turns}
    }
    return _binary(turns, lambda t: t.score >= points[t.project], rounds)


def _best_point(turns: Sequence[Turn]) -> float:
    truth = [bool(turn.friction) for turn in turns]
    points = [*np.arange(0.3, 0.71, 0.05), shipped_weights().friction.operating_point]
    kappas = [cohen_kappa_score(truth, [turn.score >= p for turn in turns]) for p in points]
    return float(points[int(np.argmax(kappas))])


def _binary(
    turns: Sequence[Turn], predict: Callable[[Turn], bool], rounds: int, *, scored: bool = False
) -> dict[str, Any]:
    figures = _counts(turns, lambda t: bool(t.friction), predict)
    return figures | _intervals(turns, lambda t: bool(t.friction), predict, rounds, scored)


def _type_figures(turns: Sequence[Turn], name: str, rounds: int) -> dict[str, Any]:
    known = [turn for turn in turns if turn.types[name] is not None]

    def truth(turn: Turn) -> bool:
        return bool(turn.types[name])

    def predict(turn: Turn) -> bool:
        return name in turn.predicted_types

    figures = _counts(known, truth, predict)
    if figures["positives"] < MIN_POSITIVES:
        return figures | {"note": f"not measured: fewer than {MIN_POSITIVES} positives"}
    return figures | _intervals(known, truth, predict, rounds, scored=False)


def _counts(
    turns: Sequence[Turn], truth: Callable[[Turn], bool], predict: Callable[[Turn], bool]
) -> dict[str, Any]:
    pairs = [(truth(turn), predict(turn)) for turn in turns]
    hits, false, missed = (pairs.count(p) for p in ((True, True), (False, True), (True, False)))
    return {
        "positives": hits + missed,
        "true_positives": hits,
        "false_positives": false,
        "false_negatives": missed,
    }


def _intervals(
    turns: Sequence[Turn],
    truth: Callable[[Turn], bool],
    predict: Callable[[Turn], bool],
    rounds: int,
    scored: bool,
) -> dict[str, Any]:
    """P, R, F1, kappa and AUROC, the last two with intervals over sessions."""
    y = np.array([truth(turn) for turn in turns])
    p = np.array([predict(turn) for turn in turns])
    s = np.array([turn.score for turn in turns])
    hits = float((y & p).sum())
    precision, recall = hits / max(1, p.sum()), hits / max(1, y.sum())
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    figures: dict[str, Any] = {
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(f1, 3),
    }
    samples = _resamples([turn.session for turn in turns], rounds)
    figures["kappa"] = _with_interval(lambda i: _kappa(y[i], p[i]), len(turns), samples)
    if scored:
        figures["auroc"] = _with_interval(lambda i: _auroc(y[i], s[i]), len(turns), samples)
    return figures


def _resamples(sessions: Sequence[str], rounds: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    members: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(sessions):
        members[name].append(position)
    groups = [np.array(member) for member in members.values()]
    return [
        np.concatenate([groups[g] for g in rng.integers(0, len(groups), len(groups))])
        for _ in range(rounds)
    ]


def _with_interval(
    figure: Callable[[np.ndarray], float], count: int, samples: Sequence[np.ndarray]
) -> list[float]:
    """[value, low, high]; the value alone without resampling."""
    value = figure(np.arange(count))
    drawn = [figure(sample) for sample in samples]
    drawn = [x for x in drawn if not np.isnan(x)]
    bounds: list[float] = list(np.quantile(drawn, [0.025, 0.975])) if drawn else []
    return [round(float(x), 3) for x in (value, *bounds)]


def _kappa(y: np.ndarray, p: np.ndarray) -> float:
    if len(set(y)) < 2 and len(set(p)) < 2:
        return float("nan")
    return float(cohen_kappa_score(y, p))


def _auroc(y: np.ndarray, s: np.ndarray) -> float:
    return float(roc_auc_score(y, s)) if len(set(y)) == 2 else float("nan")


def _severity(turns: Sequence[Turn]) -> list[float]:
    predicted = [turn.predicted_severity for turn in turns]
    kappas = [
        float(cohen_kappa_score(predicted, [t.severities[i] for t in turns], weights="linear"))
        for i in (0, 1)
    ]
    return [round(x, 3) for x in (*kappas, float(np.mean(kappas)))]


def _row_text(row: Mapping[str, Any]) -> str:
    if "kappa" not in row:
        counts = (row["true_positives"], row["false_positives"], row["false_negatives"])
        note = "; not measured" if "note" in row else ""
        return "  hits {}, false {}, missed {}".format(*counts) + note
    figures = "".join(f"{row[name]:>6.2f}" for name in ("precision", "recall", "f1"))
    return figures + "".join(f"{_span(row[n]):>22}" for n in ("kappa", "auroc") if n in row)


def _span(figure: Sequence[float]) -> str:
    value, bounds = figure[0], figure[1:]
    return f"{value:.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]" if bounds else f"{value:.2f}"


def _projects_text(projects: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{name} kappa {_span(row['kappa'])} ({row['positives']} positive)"
        for name, row in projects.items()
    )


if __name__ == "__main__":
    main()
