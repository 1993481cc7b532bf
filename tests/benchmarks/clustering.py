"""How well clusters of texts agree with intents that people named, the number not being told.

    python tests/benchmarks/clustering.py [--shared DIR] [--out FILE] [--seeds N]

Texts that are equal but for case and spaces are one. AMI (headline), ARI and ACC (Hungarian) are
over all items with noise as one cluster. A seed shuffles the items and seeds the baselines. The
rows `k-means, true K` are told the number of intents; nothing else is. The planted row mixes
into each set a fifth of unit vectors in random directions, and asks what `core` calls noise.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from agent_core.embedding import Embedder
from facets.clustering import cluster
from tests.shared_data import benchmark_data, shared_folder

Labels = NDArray[np.int64]
Matrix = NDArray[np.floating]

SEEDS = 5
PLANTED_SHARE = 0.2
TFIDF_DIMENSIONS = 100


@dataclass(frozen=True)
class Dataset:
    """Distinct texts, the intent of each as a number, and their vectors."""

    name: str
    texts: list[str]
    truth: Labels
    vectors: Matrix
    embed_seconds: float

    @property
    def kinds(self) -> int:
        """Number of intents."""
        return int(self.truth.max()) + 1


@dataclass(frozen=True)
class Row:
    """Figures of one method on one set: mean and standard deviation over the seeds."""

    dataset: str
    method: str
    ami: tuple[float, float]
    ari: tuple[float, float]
    acc: tuple[float, float]
    clusters: float
    truth: int
    coverage: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--out", type=Path, default=Path("test-output/clustering.json"))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    embedder = Embedder()
    rows: list[Row] = []
    planted: list[dict[str, Any]] = []
    for name, texts, intents in _labelled(benchmark_data(options.shared) / "labels"):
        dataset = _dataset(name, texts, intents, embedder)
        rows += [_measured(dataset, method, options.seeds) for method in METHODS]
        planted.append(_planted(dataset, options.seeds))
    _show(rows, planted, embedder.model_id)
    if options.out is not None:
        document = {
            "model": embedder.model_id,
            "seeds": options.seeds,
            "rows": [asdict(row) for row in rows],
            "planted_noise": planted,
        }
        options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _labelled(labels: Path) -> list[tuple[str, list[str], list[str]]]:
    with (labels / "B4_dstc11_intents" / "development.jsonl").open(encoding="utf-8") as file:
        dstc = [json.loads(line) for line in file]
    with (labels / "B1_banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        banking = list(csv.DictReader(file))
    return [
        ("B4 development", [r["utterance"] for r in dstc], [r["intent"] for r in dstc]),
        ("B1 test", [r["text"] for r in banking], [r["category"] for r in banking]),
    ]


def _dataset(
    name: str, texts: Sequence[str], intents: Sequence[str], embedder: Embedder
) -> Dataset:
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        first.setdefault(" ".join(text.lower().split()), place)
    kept = [texts[place] for place in first.values()]
    _, truth = np.unique([intents[place] for place in first.values()], return_inverse=True)
    embedder.embed(["the model is loaded before the clock runs"])
    begun = time.perf_counter()
    vectors = embedder.embed(kept)
    return Dataset(name, kept, truth, vectors, time.perf_counter() - begun)


def _signals(dataset: Dataset, order: NDArray[np.intp], seed: int, *, core: bool) -> Labels:
    found = cluster(dataset.vectors[order], assign="core" if core else "all", seed=seed)
    return found.labels


def _k_means(dataset: Dataset, order: NDArray[np.intp], seed: int) -> Labels:
    model = KMeans(dataset.kinds, n_init=10, random_state=seed)
    return np.asarray(model.fit_predict(dataset.vectors[order]))


def _tf_idf(dataset: Dataset, order: NDArray[np.intp], seed: int, *, told: bool) -> Labels:
    counted = TfidfVectorizer(sublinear_tf=True).fit_transform([dataset.texts[i] for i in order])
    reduced = TruncatedSVD(TFIDF_DIMENSIONS, random_state=seed).fit_transform(counted)
    unit = reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-12)
    if told:
        return np.asarray(KMeans(dataset.kinds, n_init=10, random_state=seed).fit_predict(unit))
    return cluster(unit, assign="all", seed=seed).labels


def _random(dataset: Dataset, order: NDArray[np.intp], seed: int) -> Labels:
    return np.random.default_rng(seed).integers(dataset.kinds, size=len(order))


def _one_cluster(dataset: Dataset, order: NDArray[np.intp], seed: int) -> Labels:
    return np.zeros(len(order), dtype=np.int64)


Method = Callable[[Dataset, NDArray[np.intp], int], Labels]
METHODS: list[tuple[str, Method]] = [
    ("signals, --assign all", partial(_signals, core=False)),
    ("signals, --assign core", partial(_signals, core=True)),
    ("same on TF-IDF + SVD, all", partial(_tf_idf, told=False)),
    ("TF-IDF + SVD k-means, true K", partial(_tf_idf, told=True)),
    ("k-means, true K", _k_means),
    ("random, true K", _random),
    ("one cluster", _one_cluster),
]


def _measured(dataset: Dataset, named: tuple[str, Method], seeds: int) -> Row:
    name, method = named
    figures: list[tuple[float, float, float, float, float, float]] = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(dataset.truth))
        truth = dataset.truth[order]
        begun = time.perf_counter()
        labels = method(dataset, order, seed)
        seconds = time.perf_counter() - begun
        figures.append(
            (
                float(adjusted_mutual_info_score(truth, labels)),
                float(adjusted_rand_score(truth, labels)),
                _accuracy(truth, labels),
                float(labels.max() + 1),
                float((labels >= 0).mean()),
                seconds,
            )
        )
    mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
    ami, ari, acc = ((float(mean[i]), float(spread[i])) for i in range(3))
    return Row(
        dataset.name, name, ami, ari, acc, float(mean[3]), dataset.kinds, float(mean[4]),
        float(np.median([figure[5] for figure in figures])),
    )  # fmt: skip


def _accuracy(truth: Labels, labels: Labels) -> float:
    """Share of items in the intent that the best one-to-one matching gives their cluster."""
    table = contingency_matrix(truth, labels)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(truth))


def _planted(dataset: Dataset, seeds: int) -> dict[str, Any]:
    """Precision and recall of what `core` calls noise, for vectors in random directions."""
    figures: list[tuple[float, float, float]] = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        count = round(PLANTED_SHARE * len(dataset.truth))
        planted = rng.normal(size=(count, dataset.vectors.shape[1]))
        planted /= np.linalg.norm(planted, axis=1, keepdims=True)
        called = cluster(np.concatenate([dataset.vectors, planted]), assign="core").labels == -1
        hits = float(called[-count:].sum())
        own = float(called[:-count].mean())
        figures.append((hits / max(1.0, float(called.sum())), hits / count, own))
    precision, recall, own = np.mean(figures, axis=0)
    return {
        "dataset": dataset.name,
        "planted": round(PLANTED_SHARE * len(dataset.truth)),
        "precision": float(precision),
        "recall": float(recall),
        "own_items_called_noise": float(own),
        "embed_seconds": dataset.embed_seconds,
        "texts": len(dataset.texts),
    }


def _show(rows: Sequence[Row], planted: Sequence[dict[str, Any]], model: str) -> None:
    print(f"embedding: {model}")
    print(
        f"{'set':15}{'method':31}{'AMI':>14}{'ARI':>14}{'ACC':>14}{'K/truth':>10}{'cover':>7}{'s':>7}"
    )
    for row in rows:
        scores = "".join(f"{m:>8.3f} ±{s:.3f}" for m, s in (row.ami, row.ari, row.acc))
        found = f"{row.clusters:.1f}/{row.truth}"
        print(
            f"{row.dataset:15}{row.method:31}{scores}{found:>10}"
            f"{row.coverage:>7.2f}{row.seconds:>7.1f}"
        )
    for told in planted:
        print(
            f"{told['dataset']}: {told['planted']} planted among {told['texts']}: noise precision "
            f"{told['precision']:.2f}, recall {told['recall']:.2f}; own items called noise "
            f"{told['own_items_called_noise']:.2f}; embedded in {told['embed_seconds']:.1f} s"
        )


if __name__ == "__main__":
    main()
