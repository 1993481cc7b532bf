"""Fits the weights of friction: `python data/fit_rules_judge.py [--shared DIR] [--write]`.

Logistic regression (scikit-learn) on the log odds of `data/friction_prior.toml` and on each piece
of evidence, with strong regularisation: the prior's weights are scaled as a whole at little cost
and moved one by one only where the labels insist. The table printed leaves whole projects out;
the weights written are from all of them. `--write` puts them into `judges/rules/weights.toml`.
The labels are by two language models, not by people.
"""

import argparse
import json
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, cohen_kappa_score, roc_auc_score

from judges.rules.judge import read_scenes
from pipelines.sources import read_file

ROOT = Path(__file__).resolve().parent.parent
PRIOR = ROOT / "data" / "friction_prior.toml"
WEIGHTS = ROOT / "judges" / "rules" / "weights.toml"
STRENGTH = 0.03
"""Inverse of the regularisation: the smaller, the closer to the prior's proportions."""
PRIOR_SCALE = 5.0
"""Factor on the prior's column, which so costs 25 times less to use than a single weight."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Evidence of the turns that both annotators agree on: one row a turn."""

    names: list[str]
    evidence: NDArray[np.float64]
    prior_odds: NDArray[np.float64]
    friction: NDArray[np.bool_]
    projects: NDArray[np.str_]

    def design(self) -> NDArray[np.float64]:
        """Columns of the regression: the prior's log odds, then each piece of evidence."""
        return np.column_stack([PRIOR_SCALE * self.prior_odds, self.evidence])


def main() -> None:
    """Fits, prints how it does on projects left out, and writes the weights when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=ROOT.parent / "shared", type=Path)
    parser.add_argument("--write", action="store_true", help="write judges/rules/weights.toml")
    options = parser.parse_args()
    prior = tomllib.loads(PRIOR.read_text(encoding="utf-8"))["friction"]
    labelled = read_labelled(options.shared, prior)
    print(as_text(labelled))
    bias, weights = fit(labelled, prior)
    if options.write:
        write(bias, weights)


def read_labelled(shared: Path, prior: dict[str, Any]) -> Labelled:
    """The labelled turns of `shared`, as the rules judge sees them."""
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for line in (shared / "labels/coding_sessions/turns.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        rows[row["path"]][row["source_ref"]] = row
    names = list(prior["weights"])
    found = [
        ([scene.evidence.get(name, 0.0) for name in names], row)
        for path, labels in sorted(rows.items())
        for session in read_file(shared / path).sessions
        for scene in read_scenes(session)
        if (row := labels.get(scene.view.segment.turn_ref or "")) is not None
        and (row["A"]["friction"] > 0) == (row["B"]["friction"] > 0)
    ]
    evidence = np.array([strengths for strengths, _ in found])
    return Labelled(
        names,
        evidence,
        prior["bias"] + evidence @ np.array([prior["weights"][name] for name in names]),
        np.array([row["A"]["friction"] > 0 for _, row in found]),
        np.array([row["project"] for _, row in found]),
    )


def fit(labelled: Labelled, prior: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """Bias and weights in log odds, from all turns."""
    model = _regression().fit(labelled.design(), labelled.friction)
    scale = PRIOR_SCALE * model.coef_[0, 0]
    weights = {
        name: float(scale * prior["weights"][name] + moved)
        for name, moved in zip(labelled.names, model.coef_[0, 1:], strict=True)
    }
    return float(model.intercept_[0] + scale * prior["bias"]), weights


def left_out(labelled: Labelled) -> NDArray[np.float64]:
    """The score of each turn by weights fitted without its project."""
    design, scores = labelled.design(), np.zeros(len(labelled.friction))
    for project in np.unique(labelled.projects):
        held = labelled.projects == project
        model = _regression().fit(design[~held], labelled.friction[~held])
        scores[held] = model.predict_proba(design[held])[:, 1]
    return scores


def as_text(labelled: Labelled) -> str:
    """Agreement over left-out projects, pooled, by the prior and by the fit."""
    truth = labelled.friction
    by_prior = 1 / (1 + np.exp(-labelled.prior_odds))
    lines = [f"{len(truth)} turns, {truth.mean():.0%} friction; whole projects left out, pooled"]
    for name, scores in (("prior", by_prior), ("fitted", left_out(labelled))):
        lines.append(
            f"{name:<8} kappa {cohen_kappa_score(truth, scores >= 0.5):.3f}  "
            f"AUROC {roc_auc_score(truth, scores):.3f}  Brier {brier_score_loss(truth, scores):.3f}"
        )
    return "\n".join(lines)


def write(bias: float, weights: dict[str, float]) -> None:
    """Puts the friction weights into the judge's file; its comments stay."""
    document = tomlkit.parse(WEIGHTS.read_text(encoding="utf-8"))
    friction: Any = document["friction"]
    friction["bias"] = round(bias, 2)
    for name, weight in weights.items():
        friction["weights"][name] = round(weight, 2)
    WEIGHTS.write_text(tomlkit.dumps(document), encoding="utf-8")


def _regression() -> LogisticRegression:
    return LogisticRegression(C=STRENGTH, max_iter=5_000)


if __name__ == "__main__":
    main()
