"""How well the score of a session tells how it ended, where the end is known.

    python tests/benchmarks/session_outcome.py [--shared DIR] [--out FILE] [--rounds N]

The outcomes are those of `logs/outcomes.tsv`: τ-bench rewards (a model speaks for the person) and
SWE-bench results of autonomous runs. Folds and 95 % bootstrap intervals go by task, as airline has
four runs of each. The weights as shipped are fitted to both τ-bench domains; the three rows below
leave the session's task, or its whole domain, out. The evidence was chosen with sight of both
domains: figures on others may be lower.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from judges.rules import RulesJudge
from judges.rules.judge import read_scenes
from judges.rules.session_evidence import is_errand
from judges.rules.session_score import SessionWeights, errand_score, highest_score
from judges.verdict import Judgement
from tests.benchmarks.judge import FITTING
from tests.judges.scripts import script_at
from tests.shared_data import benchmark_data, shared_folder

MIN_POSITIVES = 20
FOLDS, REPEATS = 5, 10
_DATA = Path(__file__).resolve().parents[2] / "data"

Array = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/session_outcome.json"), type=Path)
    parser.add_argument("--rounds", default=1000, type=int)
    options = parser.parse_args()
    shared = benchmark_data(options.shared)
    result = measure(shared, options.rounds) | {"coding": measure_coding(shared, options.rounds)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(as_table(result))


def measure(shared: Path, rounds: int) -> dict[str, Any]:
    """A row for each domain and each way to get the scores."""
    fitting = script_at(_DATA / "fit_session_score.py")
    known = fitting.read_known(shared)
    judged = [RulesJudge(b"benchmark")(session) for session in known.sessions]
    columns = {
        "run length": np.array([len(session.steps) for session in known.sessions], dtype=float),
        "worst turn (the score before)": known.worst,
        "as shipped": np.array([j.friction_score or 0.0 for j in judged]),
        **_fitted_columns(fitting, known),
    }
    domains = {
        domain: _domain(known, known.domains == domain, columns, rounds)
        for domain in dict.fromkeys(known.domains)
    }
    return {"domains": domains, "outcomes": _outcomes(known, judged)}


def measure_coding(shared: Path, rounds: int) -> dict[str, Any]:
    """The session's score against any turn that both annotators call friction."""
    judge = RulesJudge(b"benchmark")
    truth, scores, before, errands = [], [], [], 0
    for session, labels in FITTING.read_sessions(shared):
        found = [labels[s.source_ref] for s in session.steps if s.source_ref in labels]
        if not found:
            continue
        judged = judge(session)
        truth.append(any(label.friction for label in found))
        scores.append(judged.friction_score or 0.0)
        before.append(highest_score(judged.turns, judged.moments, "friction"))
        errands += is_errand(read_scenes(session))
    groups = np.arange(len(truth)).astype(str)
    return {
        "sessions": len(truth),
        "positives": sum(truth),
        "taken_for_errands": errands,
        "before": _auroc(np.array(truth), np.array(before), groups, rounds),
        "now": _auroc(np.array(truth), np.array(scores), groups, rounds),
    }


def _fitted_columns(fitting: ModuleType, known: Any) -> dict[str, Array]:
    """Scores by weights fitted without the session's task, its domain, or all other domains."""
    errands = np.isin(known.domains, fitting.ERRANDS)
    left_out = np.full(len(known.bad), np.nan)
    within = np.full(len(known.bad), np.nan)
    for domain in fitting.ERRANDS:
        here = known.domains == domain
        weights = fitting.fit(known.only(errands & ~here))
        left_out[here] = _scores(weights, known.only(here))
        within[here] = _cross_validated(fitting, known.only(here))
    both = np.full(len(known.bad), np.nan)
    both[errands] = _cross_validated(fitting, known.only(errands))
    return {
        "other tasks of both domains": both,
        "other tasks of the same domain": within,
        "the other domain alone": left_out,
    }


def _cross_validated(fitting: ModuleType, known: Any) -> Array:
    """Mean score of each session over the repeats, by weights fitted without its task."""
    total = np.zeros(len(known.bad))
    classes = [f"{domain} {bad}" for domain, bad in zip(known.domains, known.bad, strict=True)]
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=repeat)
        for train, test in folds.split(known.amounts, classes, known.tasks):
            total[test] += _scores(fitting.fit(known.only(_mask(train, known))), known, test)
    return total / REPEATS


def _mask(rows: NDArray[np.int_], known: Any) -> NDArray[np.bool_]:
    mask = np.zeros(len(known.bad), dtype=bool)
    mask[rows] = True
    return mask


def _scores(weights: SessionWeights, known: Any, rows: Sequence[int] | None = None) -> Array:
    chosen = range(len(known.bad)) if rows is None else rows
    return np.array(
        [
            errand_score(
                dict(zip(known.names, known.amounts[row], strict=True)), known.worst[row], weights
            ).friction
            for row in chosen
        ]
    )


def _domain(
    known: Any, here: NDArray[np.bool_], columns: Mapping[str, Array], rounds: int
) -> dict[str, Any]:
    bad, tasks = known.bad[here], known.tasks[here]
    row: dict[str, Any] = {"sessions": len(bad), "positives": int(bad.sum())}
    if row["positives"] < MIN_POSITIVES:
        return row | {"note": f"not measured: fewer than {MIN_POSITIVES} positives"}
    known_columns = {n: c[here] for n, c in columns.items() if not np.isnan(c[here]).any()}
    row["auroc"] = {n: _auroc(bad, c, tasks, rounds) for n, c in known_columns.items()}
    row["brier"] = {
        name: round(float(brier_score_loss(bad, column)), 3)
        for name, column in known_columns.items()
        if name != "run length"
    } | {"always the rate": round(float(bad.mean() * (1 - bad.mean())), 3)}
    return row


def _outcomes(known: Any, judged: Sequence[Judgement]) -> dict[str, dict[str, list[int]]]:
    """For each domain and stated outcome: [sessions that went well, that went badly]."""
    counts = Counter(
        (str(domain), str((judgement.facets or {})["outcome"]), bool(bad))
        for domain, judgement, bad in zip(known.domains, judged, known.bad, strict=True)
    )
    found: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for domain, outcome, _ in sorted(counts):
        found[domain][outcome] = [counts[domain, outcome, bad] for bad in (False, True)]
    return dict(found)


def _auroc(bad: NDArray[Any], score: Array, groups: NDArray[Any], rounds: int) -> list[float]:
    """[value, low, high] by resampling groups; the value alone without rounds."""
    draw = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = []
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in draw.integers(0, len(members), len(members))])
        if len(set(bad[rows])) == 2:
            drawn.append(roc_auc_score(bad[rows], score[rows]))
    bounds = np.quantile(drawn, [0.025, 0.975]) if drawn else []
    return [round(float(x), 3) for x in (roc_auc_score(bad, score), *bounds)]


def as_table(result: Mapping[str, Any]) -> str:
    """The figures for a terminal."""
    lines = []
    for domain, row in result["domains"].items():
        lines.append(f"{domain}: {row['positives']} of {row['sessions']} sessions went badly")
        if "note" in row:
            lines.append(f"  {row['note']}")
        for name, figure in row.get("auroc", {}).items():
            brier = f"  Brier {row['brier'][name]:.3f}" if name in row["brier"] else ""
            lines.append(f"  {name:<36} AUROC {_span(figure)}{brier}")
        if "brier" in row:
            lines.append(f"  {'always the rate':<56}  Brier {row['brier']['always the rate']:.3f}")
        stated = result["outcomes"][domain].items()
        lines.append("  outcome (well, badly): " + ", ".join(f"{n} {tuple(c)}" for n, c in stated))
    coding = result["coding"]
    lines.append(
        f"coding sessions: {coding['positives']} of {coding['sessions']} with friction in a turn; "
        f"AUROC before {_span(coding['before'])}, now {_span(coding['now'])}; "
        f"taken for errands: {coding['taken_for_errands']}"
    )
    return "\n".join(lines)


def _span(figure: Sequence[float]) -> str:
    value, bounds = figure[0], figure[1:]
    return f"{value:.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]" if bounds else f"{value:.2f}"


if __name__ == "__main__":
    main()
