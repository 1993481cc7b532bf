"""Whether names tell clusters from their neighbours: held-out utterances reassigned by name alone.

    python tests/benchmarks/naming.py [--shared DIR] [--out FILE] [--seeds N]

The clusters are the true intents, so that a name is to blame for what fails, not the clustering. A
third of each intent's distinct utterances is held out of naming (at most 30 are tested) and given
to the name that their vector is nearest to, among the intent's own and its five neighbours'.
`chance` is the share that guessing brings back, `centroid` what the clusters' own centroids do:
about the most that this embedding allows. Intervals: 95 %, bootstrap over intents.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_core.embedding import Embedder
from facets.naming_check import ClusteredTexts, NameCandidate, choose_names
from facets.naming_terms import term_names
from tests.benchmarks.intents import labelled
from tests.shared_data import benchmark_data, shared_folder

SEEDS = 5
_RESAMPLES = 1_000

Rows = NDArray[np.floating]


@dataclass(frozen=True)
class Row:
    """How many held-out utterances of a set came back by one way, over the seeds."""

    dataset: str
    way: str
    share: float
    low: float
    high: float
    intents: int
    distinctive: float | None
    """Share of the intents whose name passes its check; None: this way has no names."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--out", type=Path, default=Path("test-output/naming.json"))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    embedder = Embedder()
    rows: list[Row] = []
    for name, texts, intents in labelled(benchmark_data(options.shared) / "labels"):
        vectors = embedder.embed(texts)
        rows += _measured(name, texts, vectors, intents, embedder, options.seeds)
    _show(rows, embedder.model_id)
    document = {"model": embedder.model_id, "seeds": options.seeds, "rows": list(map(asdict, rows))}
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _measured(
    dataset: str,
    texts: list[str],
    vectors: Rows,
    intents: Sequence[str],
    embedder: Embedder,
    seeds: int,
) -> list[Row]:
    _, truth = np.unique(intents, return_inverse=True)
    count = int(truth.max()) + 1
    shares: dict[str, list[list[float]]] = {}
    passed: dict[str, list[float]] = {}
    for seed in range(seeds):
        items = ClusteredTexts(texts, vectors, truth, count, seed)
        found = {cluster: names for cluster, (names, _) in term_names(items).items()}
        names = [found[cluster][0] for cluster in range(count)]
        ways: dict[str, Rows] = {
            "TF-IDF name": embedder.embed([one.name for one in names]),
            "central utterance": embedder.embed([one.definition for one in names]),
            "name and central utterance": embedder.embed([one.label for one in names]),
            "centroid": items.centroids,
        }
        for way, rows in ways.items():
            shares.setdefault(way, []).append([_share(items, c, rows) for c in range(count)])
        chosen = choose_names(items, found, embedder.embed)
        way = "the same, next candidates too"
        shares.setdefault(way, []).append([chosen[c].accuracy or 0.0 for c in range(count)])
        passed.setdefault(way, []).append(_distinctive(chosen))
        first: dict[int, list[NameCandidate]] = {c: [names[c]] for c in range(count)}
        checked = choose_names(items, first, embedder.embed)
        passed.setdefault("name and central utterance", []).append(_distinctive(checked))
        chance = 1 / (items.neighbours.shape[1] + 1)
        shares.setdefault("chance", []).append([chance] * count)
    return [_row(dataset, way, np.array(found), passed.get(way)) for way, found in shares.items()]


def _share(items: ClusteredTexts, cluster: int, rows: Rows) -> float:
    """Of the cluster's tested texts those that its row is the nearest to, among its neighbours."""
    rivals = rows[[cluster, *items.neighbours[cluster].tolist()]]
    nearest = np.argmax(items.vectors[items.tested(cluster)] @ rivals.T, axis=1)
    return float((nearest == 0).mean())


def _distinctive(chosen: dict[int, Any]) -> float:
    return float(np.mean([bool(one.is_distinctive) for one in chosen.values()]))


def _row(dataset: str, way: str, found: Rows, passed: Sequence[float] | None) -> Row:
    by_intent = found.mean(axis=0)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(by_intent), size=(_RESAMPLES, len(by_intent)))
    low, high = np.quantile(by_intent[drawn].mean(axis=1), [0.025, 0.975])
    distinctive = float(np.mean(passed)) if passed else None
    return Row(dataset, way, float(by_intent.mean()), float(low), float(high), len(by_intent),
               distinctive)  # fmt: skip


def _show(rows: Sequence[Row], model: str) -> None:
    print(f"embedding: {model}; mean over intents of the share of utterances that came back")
    print(f"{'set':16}{'by':32}{'share':>7}  {'95 %':15}{'names that pass':>16}")
    for row in rows:
        passed = "" if row.distinctive is None else f"{row.distinctive:.2f}"
        interval = f"{row.low:.3f} to {row.high:.3f}"
        print(f"{row.dataset:16}{row.way:32}{row.share:>7.3f}  {interval:15}{passed:>16}")


if __name__ == "__main__":
    main()
