"""Fits the score of errands: `python data/fit_session_score.py [--shared DIR] [--write]`.

Logistic regression (scikit-learn) on the evidence of whole sessions with a known outcome: runs of
τ-bench in two domains, retail and airline, in which a model speaks for the person. Only what
tells good from bad *within* a domain counts: amounts are centred in each domain, domains and
outcomes weigh the same. Every weight must be positive, as each piece of evidence was named for a
reason; what comes out negative is dropped. `--write` puts the weights into
`judges/rules/session_weights.toml`; `tests/benchmarks/session_outcome.py` measures the fit.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tomlkit
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from agent_core.session import Session
from judges.rules.judge import RulesJudge, read_scenes
from judges.rules.scoring import shipped_weights
from judges.rules.session_evidence import session_evidence
from judges.rules.session_score import (
    Part,
    SessionWeights,
    felt,
    highest_score,
    shipped_session_weights,
)
from pipelines.sources import read_file

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "judges" / "rules" / "session_weights.toml"
DOMAINS = {"openai_chat": "airline", "failure_attribution": "retail", "mini_swe_agent": "swe-bench"}
"""What `outcomes.tsv` calls a format, and what the sessions are about."""
ERRANDS = ("retail", "airline")
STRENGTH = 0.005
"""Inverse of the regularisation: so strong that pieces which say the same share the weight."""
SURE = 0.9
"""Score from which a turn counts by itself, whatever the rest of the session is like."""
_TAILS = (0.05, 0.95)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """Sessions with their outcome: one row a session."""

    sessions: Sequence[Session]
    names: tuple[str, ...]
    amounts: Array
    worst: Array
    """The score of the worst turn."""
    bad: NDArray[np.bool_]
    domains: NDArray[np.str_]
    tasks: NDArray[np.str_]

    def only(self, chosen: NDArray[np.bool_]) -> "Known":
        """The chosen rows."""
        sessions = [session for session, is_in in zip(self.sessions, chosen, strict=True) if is_in]
        return Known(
            sessions,
            self.names,
            self.amounts[chosen],
            self.worst[chosen],
            self.bad[chosen],
            self.domains[chosen],
            self.tasks[chosen],
        )


def main() -> None:
    """Fits, prints the weights, and writes them when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=ROOT.parent / "shared", type=Path)
    parser.add_argument("--write", action="store_true", help=f"write {WEIGHTS.relative_to(ROOT)}")
    options = parser.parse_args()
    known = read_known(options.shared)
    text = as_toml(numbered(fit(known.only(np.isin(known.domains, ERRANDS)))))
    print(text, end="")
    if options.write:
        WEIGHTS.write_text(text, encoding="utf-8")


def read_known(shared: Path) -> Known:
    """The sessions of `logs/outcomes.tsv`; a path's `#N` is the N-th session of its file."""
    with (shared / "logs" / "outcomes.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    paths = {row["path"].partition("#")[0] for row in rows}
    read = {path: read_file(shared / "logs" / path).sessions for path in sorted(paths)}
    sessions = []
    for row in rows:
        path, _, number = row["path"].partition("#")
        sessions.append(read[path][int(number or 0)])
    evidence = [_evidence(session) for session in sessions]
    names = tuple(sorted(evidence[0]))
    domains = [DOMAINS[row["format"]] for row in rows]
    tasks = [row["instance"].partition("-trial")[0] for row in rows]
    return Known(
        sessions,
        names,
        np.array([[amounts[name] for name in names] for amounts in evidence]),
        np.array([_worst(session) for session in sessions]),
        np.array([float(row["label"]) < 1 for row in rows]),
        np.array(domains),
        np.array([f"{domain} {task}" for domain, task in zip(domains, tasks, strict=True)]),
    )


def fit(known: Known, strength: float = STRENGTH) -> SessionWeights:
    """The weights of the evidence that speaks for a bad session, under the shipped version."""
    low, high = np.quantile(known.amounts, _TAILS, axis=0)
    high = np.where(high > low, high, low + 1)
    strengths = np.clip((known.amounts - low) / (high - low), 0, 1)
    weights = _scaled(
        _positive_weights(_centred(strengths, known), known, strength), strengths, known
    )
    parts = {
        name: Part(weight=round(w, 3), low=round(lo, 3), high=round(hi, 3))
        for name, w, lo, hi in zip(known.names, weights, low, high, strict=True)
        if w > 0
    }
    bias = _bias(strengths @ weights, known)
    version = shipped_session_weights().version
    return SessionWeights(version=version, bias=bias, sure=SURE, evidence=parts)


def numbered(weights: SessionWeights) -> SessionWeights:
    """The weights, with the next version where a number differs from what is shipped.

    The version is part of the judge's: verdicts by the old numbers are then made anew.
    """
    shipped = shipped_session_weights()
    if weights == shipped:
        return weights
    return weights.model_copy(update={"version": str(int(shipped.version) + 1)})


def as_toml(weights: SessionWeights) -> str:
    """The file of the weights."""
    document = tomlkit.document()
    for line in (
        "How probable it is that an errand went badly, in log odds. Written by",
        "data/fit_session_score.py. Evidence is of strength 0 at `low`, 1 at `high`: the 5th and",
        "the 95th of a hundred sessions: log(1 + count), a share, or nats. From `sure` on the",
        "score of the worst turn is the least that the session gets.",
    ):
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    for name in ("version", "bias", "sure"):
        document.add(name, getattr(weights, name))
    heaviest = sorted(weights.evidence.items(), key=lambda pair: -pair[1].weight)
    document.add("evidence", {name: part.model_dump() for name, part in heaviest})
    return tomlkit.dumps(document)


def _evidence(session: Session) -> dict[str, float]:
    scenes = read_scenes(session)
    return session_evidence(scenes, felt(scenes, shipped_weights()))


def _worst(session: Session) -> float:
    judged = RulesJudge(b"fit")(session)
    return highest_score(judged.turns, judged.moments, "friction")


def _centred(strengths: Array, known: Known) -> Array:
    """Strengths less the middle between good and bad of their domain."""
    centred = strengths.copy()
    for domain in np.unique(known.domains):
        here = known.domains == domain
        good, bad = strengths[here & ~known.bad], strengths[here & known.bad]
        centred[here] -= (good.mean(axis=0) + bad.mean(axis=0)) / 2
    return centred


def _positive_weights(centred: Array, known: Known, strength: float) -> Array:
    """Weights of a regression without bias, after dropping one by one what is negative."""
    kept, balance = list(range(centred.shape[1])), _balance(known)
    spread = centred.std(axis=0) + 1e-9
    while kept:
        model = LogisticRegression(C=strength, fit_intercept=False)
        model.fit(centred[:, kept] / spread[kept], known.bad, sample_weight=balance)
        found = model.coef_[0]
        if found.min() >= 0:
            break
        kept.pop(int(found.argmin()))
    weights = np.zeros(centred.shape[1])
    weights[kept] = found / spread[kept] if kept else 0.0
    return weights


def _scaled(weights: Array, strengths: Array, known: Known) -> Array:
    """Weights in the same proportions, as large as the outcomes say: shrinking made them small."""
    odds = _centred(strengths, known) @ weights
    model = LogisticRegression(C=1e3, fit_intercept=False)
    model.fit(odds[:, np.newaxis], known.bad, sample_weight=_balance(known))
    return weights * max(0.0, float(model.coef_[0, 0]))


def _balance(known: Known) -> Array:
    """Weights of the rows: each domain and outcome the same in sum, one in the mean."""
    groups = [f"{domain} {bad}" for domain, bad in zip(known.domains, known.bad, strict=True)]
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    balance: Array = len(groups) / len(names) / sizes[place]
    return balance


def _bias(odds: Array, known: Known) -> float:
    """The bias with which the mean score is the mean of the domains' rates of bad sessions."""
    rows = [known.domains == domain for domain in np.unique(known.domains)]
    rate = np.mean([known.bad[here].mean() for here in rows])
    low, high = -20.0, 20.0
    for _ in range(60):
        bias = (low + high) / 2
        scores = 1 / (1 + np.exp(-(odds + bias)))
        mean = np.mean([scores[here].mean() for here in rows])
        low, high = (bias, high) if mean < rate else (low, bias)
    return round(bias, 3)


if __name__ == "__main__":
    main()
