"""Fits the weights of friction: `python data/fit_rules_judge.py [--shared DIR] [--write]`.

Starts from `data/friction_prior.toml` (see `judges/rules/fitting.py`) and prints how the prior and
the fit do with whole projects left out; the weights written are from all of them. `--write` puts
them into `judges/rules/weights.toml`. The labels are by two language models, not by people.
"""

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, cohen_kappa_score, roc_auc_score

from judges.rules.fitting import LabelledEvidence, fit
from judges.rules.judge import read_scenes
from judges.rules.scoring import Scale
from pipelines.labelled_sessions import LabelledSession, read_labelled_sessions

ROOT = Path(__file__).resolve().parent.parent
PRIOR = ROOT / "data" / "friction_prior.toml"
WEIGHTS = ROOT / "judges" / "rules" / "weights.toml"


def main() -> None:
    """Fits, prints how it does on projects left out, and writes the weights when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=ROOT.parent / "shared", type=Path)
    parser.add_argument("--write", action="store_true", help="write judges/rules/weights.toml")
    options = parser.parse_args()
    prior = read_prior()
    labelled = read_labelled(options.shared)
    print(as_text(labelled, prior))
    if options.write:
        write(fit(labelled, prior))


def read_prior() -> Scale:
    """The weights that the fit starts from."""
    return Scale(**tomllib.loads(PRIOR.read_text(encoding="utf-8"))["friction"])


def read_labelled(shared: Path) -> LabelledEvidence:
    """The turns of `shared` that both annotators agree on, as the rules judge sees them."""
    return evidence_of(read_sessions(shared))


def read_sessions(shared: Path) -> list[LabelledSession]:
    """The labelled sessions of `shared`."""
    return read_labelled_sessions(shared / "labels" / "coding_sessions" / "turns.jsonl", shared)


def evidence_of(sessions: Sequence[LabelledSession]) -> LabelledEvidence:
    """The turns of the sessions that the annotators agree on."""
    found = [
        (scene.evidence, label)
        for session, labels in sessions
        for scene in read_scenes(session)
        if (label := labels.get(scene.view.segment.turn_ref or "")) and label.friction is not None
    ]
    return LabelledEvidence(
        [evidence for evidence, _ in found],
        np.array([label.friction for _, label in found]),
        np.array([label.project for _, label in found]),
    )


def as_text(labelled: LabelledEvidence, prior: Scale) -> str:
    """Agreement over left-out projects, pooled, by the prior and by the fit."""
    truth = labelled.friction
    lines = [f"{len(truth)} turns, {truth.mean():.0%} friction; whole projects left out, pooled"]
    projects = sorted(set(labelled.projects))
    fitted = {project: fit(labelled.without(project), prior) for project in projects}
    for name, scales in (("prior", dict.fromkeys(projects, prior)), ("fitted", fitted)):
        scores = _scores(labelled, scales)
        lines.append(
            f"{name:<8} kappa {cohen_kappa_score(truth, scores >= prior.operating_point):.3f}  "
            f"AUROC {roc_auc_score(truth, scores):.3f}  Brier {brier_score_loss(truth, scores):.3f}"
        )
    return "\n".join(lines)


def write(scale: Scale, path: Path = WEIGHTS) -> None:
    """Puts the friction weights into the judge's file; its comments stay.

    The version is raised where a number changes: verdicts by the old numbers are then made anew.
    """
    document: Any = tomlkit.parse(path.read_text(encoding="utf-8"))
    friction = document["friction"]
    if Scale(**friction.unwrap()) == scale:
        return
    document["version"] = str(int(document["version"]) + 1)
    friction["operating_point"], friction["bias"] = scale.operating_point, scale.bias
    for name in friction["weights"].keys() - scale.weights.keys():
        del friction["weights"][name]
    for name, weight in scale.weights.items():
        friction["weights"][name] = weight
    path.write_text(tomlkit.dumps(document), encoding="utf-8")


def _scores(labelled: LabelledEvidence, scales: dict[str, Scale]) -> NDArray[np.float64]:
    turns = zip(labelled.evidence, labelled.projects, strict=True)
    return np.array([scales[project].score(evidence) for evidence, project in turns])


if __name__ == "__main__":
    main()
