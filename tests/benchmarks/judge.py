"""How well a judge agrees with the labels of coding sessions, turn by turn.

    python tests/benchmarks/judge.py [--shared DIR] [--out FILE] [--rounds N] [--write]

A turn is predicted friction when a friction moment stands in its segment. Intervals are 95 %
bootstrap intervals over sessions. The labels are by two language models, not by people. Rows of
projects left out judge each project's sessions by weights that were fitted without it.
`--write` keeps the figures as `judges/accuracy.toml`, which dashboards and reports show.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import judges
from agent_core.session import Session, segments
from judges.calibration import (
    Agreement,
    Label,
    LabelledTurn,
    Measurement,
    baselines_of,
    measure,
    overall,
    rounded,
    verdict_of,
)
from judges.calibration.left_out import CANDIDATE_POINTS
from judges.calibration.shipped import write_accuracy
from judges.rubric import load_rubric
from judges.rules import RulesJudge
from judges.rules.fitting import fit
from judges.rules.scoring import shipped_weights
from judges.verdict import Moment
from pipelines.labelled_sessions import LabelledSession
from tests.judges.scripts import script_at
from tests.shared_data import benchmark_data, shared_folder

SHIPPED_NOTE = (
    "{} public coding sessions of {} projects, labelled by two language models, not people; the "
    "weights were written with sight of these labels"
)
FITTING: Any = script_at(Path(__file__).parents[2] / "data" / "fit_rules_judge.py")
LABELS_NOTE = "labels by two language models (not people) on real sessions; rows where both agree"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/judge.json"), type=Path)
    parser.add_argument("--rounds", default=1000, type=int)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    started = time.perf_counter()
    sessions = FITTING.read_sessions(benchmark_data(options.shared))
    turns = read_turns(sessions)
    seconds = time.perf_counter() - started
    identity = RulesJudge(b"benchmark").identity
    measured = _measured(turns, options.rounds)
    held_out = _measured(left_out_turns(sessions), options.rounds)
    result = figures(turns, measured, held_out, options.rounds) | {
        "labels": LABELS_NOTE,
        "turns_without_a_verdict": sum(len(labels) for _, labels in sessions) - len(turns),
        "seconds_reading_and_judging": round(seconds, 2),
        "judge": asdict(identity),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(as_table(result))
    if options.write:
        labels = SHIPPED_NOTE.format(measured.sessions, measured.projects)
        write_accuracy(Path(judges.__file__).parent, identity, labels, measured)


def read_turns(sessions: Sequence[LabelledSession]) -> list[LabelledTurn]:
    """Every labelled turn that the reader finds, as the shipped judge judges it."""
    judge = RulesJudge(b"benchmark")
    return [turn for session, labels in sessions for turn in _turns(session, labels, judge)]


def left_out_turns(sessions: Sequence[LabelledSession]) -> list[LabelledTurn]:
    """The same turns by judges whose weights were fitted without the turn's project."""
    prior = FITTING.read_prior()
    evidence = FITTING.evidence_of(sessions)
    shipped = shipped_weights()
    judges_of = {
        project: RulesJudge(
            b"benchmark", weights=replace(shipped, friction=fit(evidence.without(project), prior))
        )
        for project in sorted(set(evidence.projects))
    }
    return [
        turn for one in sessions for turn in _turns(one.session, one.labels, judges_of[one.project])
    ]


def figures(
    turns: Sequence[LabelledTurn], measured: Measurement, held_out: Measurement, rounds: int
) -> dict[str, Any]:
    """All figures, for JSON and the table; `turns` in any order."""
    agreed = [turn for turn in turns if turn.label.friction is not None]
    friction = measured.overall["friction"]
    return {
        "turns": friction.turns,
        "sessions": measured.sessions,
        "positive_rate": round(friction.positive_rate, 3),
        "friction": {
            name: row.as_row() for name, row in _friction(measured, held_out, agreed, rounds)
        },
        "projects": {
            name: overall(
                [t for t in agreed if t.project == name], "friction", 0, minimum=0
            ).as_row()
            for name in sorted({turn.project for turn in agreed})
        },
        "types": {name: row.as_row() for name, row in measured.types["friction"].items()},
        "types_left_out": {n: row.as_row() for n, row in held_out.types["friction"].items()},
        "severity_left_out": rounded((*held_out.severity_by_annotator, held_out.severity[0])),
        "severity_weighted_kappa": rounded((*measured.severity_by_annotator, measured.severity[0])),
        "severity_weighted_kappa_mean": rounded(measured.severity),
        "delight": measured.overall["delight"].as_row(),
        "confusion": measured.confusion,
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
    lines.append(f"severity, projects left out (A, B, mean): {result['severity_left_out']}")
    lines.append(f"delight, counts only: {_row_text(result['delight'])}")
    lines.append(
        f"labelled turns that no verdict was found for: {result['turns_without_a_verdict']}"
    )
    return "\n".join(lines)


def _measured(turns: Sequence[LabelledTurn], rounds: int) -> Measurement:
    points = [*CANDIDATE_POINTS, shipped_weights().friction.operating_point]
    return measure(turns, load_rubric(), rounds=rounds, points=points)


def _turns(
    session: Session, labelled: Mapping[str, Label], judge: RulesJudge
) -> list[LabelledTurn]:
    judgement = judge(session)
    scores = {turn.source_ref: turn for turn in judgement.turns}
    moments: dict[str | None, list[Moment]] = defaultdict(list)
    for moment in judgement.moments:
        moments[moment.turn_ref].append(moment)
    turns = []
    for segment in segments(session):
        ref = segment.turn_ref
        score = scores.get(ref or "")
        if ref is None or ref not in labelled or score is None or score.friction_score is None:
            continue
        label = labelled[ref]
        turns.append(
            LabelledTurn(
                session=session.key,
                project=label.project or "unknown",
                label=label,
                verdict=verdict_of(
                    [(m.polarity, m.type, m.severity) for m in moments[ref]],
                    score.friction_score,
                    score.delight_score or 0.0,
                ),
                baselines=baselines_of(segment),
            )
        )
    return turns


def _friction(
    measured: Measurement, held_out: Measurement, agreed: Sequence[LabelledTurn], rounds: int
) -> list[tuple[str, Agreement]]:
    others = [turn for turn in agreed if turn.project != _largest(agreed)]
    pooled = held_out.left_out
    assert pooled is not None, "one session is nothing to choose an operating point on"
    assert pooled.by == "project", "the labels are of one project only"
    return [
        ("rules", measured.overall["friction"]),
        ("rules, without the largest project", overall(others, "friction", rounds)),
        ("rules, weights fitted without the project (pooled)", held_out.overall["friction"]),
        ("rules, weights and operating point without it (pooled)", pooled.agreement),
        *((f"baseline: {name}", row) for name, row in measured.baselines.items()),
    ]


def _largest(turns: Sequence[LabelledTurn]) -> str:
    projects = [turn.project for turn in turns]
    return max(sorted(set(projects)), key=projects.count)


def _row_text(row: Mapping[str, Any]) -> str:
    if "kappa" not in row:
        counts = (row["true_positives"], row["false_positives"], row["false_negatives"])
        note = "; not measured" if "note" in row else ""
        return "  hits {}, false {}, missed {}".format(*counts) + note
    known = {name: row.get(name) for name in ("precision", "recall", "f1")}
    shown = "".join(f"{found[0]:>6.2f}" if found else f"{'–':>6}" for found in known.values())
    return shown + "".join(f"{_span(row[n]):>22}" for n in ("kappa", "auroc") if n in row)


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
