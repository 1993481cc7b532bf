"""How well clusters of texts agree with intents that people named, the number not being told.

    python tests/benchmarks/clustering.py [--shared DIR] [--out FILE] [--seeds N] [--only SET]

Texts that are equal but for case and spaces are one. AMI (headline), ARI and ACC (Hungarian) are
over all items with noise as one cluster. A seed shuffles the items and seeds the baselines. The
rows `k-means, true K` are told the number of intents; nothing else is. Noise is planted twice:
a fifth of unit vectors in random directions, and texts of the other collection, so few of a kind
that they are none; asked is what `core` calls noise.

The method and its constants were chosen on B4 development, on random parts of it and on random
subsets of B1 train like those of the row `validation` (8 to 77 intents, some imbalanced), which
therefore say nothing new. B1 test was looked at last and decided nothing.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hdbscan import HDBSCAN
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from agent_core.embedding import Embedder
from facets.clustering import assign_new, cluster
from tests.shared_data import benchmark_data, shared_folder

Labels = NDArray[np.int64]
Matrix = NDArray[np.floating]

SEEDS = 5
PLANTED_SHARE = 0.2
VALIDATION = "validation"
SUBSETS = 20
ALONE = {"B4 development": ("B1 train", 1), "B1 test": ("B4 development", 2)}
"""What is planted as text: from which other set, and how many of each intent, too few to be one."""
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
    parser.add_argument("--only", choices=[*SETS, VALIDATION], help="one set, not all")
    options = parser.parse_args()
    embedder = Embedder()
    labels = benchmark_data(options.shared) / "labels"
    sets = {name: _dataset(name, *read(labels), embedder) for name, read in SETS.items()}
    asked = [one for name, one in sets.items() if options.only in (None, name)]
    rows = [_measured(one, method, options.seeds) for one in asked for method in METHODS]
    planted = [row for one in asked for row in _planted(one, sets, options.seeds)]
    halves = [_halves(one, options.seeds) for one in asked]
    subsets = _validated(sets["B1 train"]) if options.only in (None, VALIDATION) else []
    _show(rows, planted, halves, subsets, embedder.model_id)
    if options.out is not None:
        document = {
            "model": embedder.model_id,
            "seeds": options.seeds,
            "rows": [asdict(row) for row in rows],
            "planted_noise": planted,
            "halves": halves,
            "validation": subsets,
        }
        options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _development(labels: Path) -> tuple[list[str], list[str]]:
    with (labels / "B4_dstc11_intents" / "development.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["utterance"] for row in rows], [row["intent"] for row in rows]


def _banking(labels: Path, *, part: str) -> tuple[list[str], list[str]]:
    with (labels / "B1_banking77" / part).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["category"] for row in rows]


SETS: dict[str, Callable[[Path], tuple[list[str], list[str]]]] = {
    "B4 development": _development,
    "B1 test": partial(_banking, part="test.csv"),
    "B1 train": partial(_banking, part="train.csv"),
}


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


def _density(dataset: Dataset, order: NDArray[np.intp], seed: int) -> Labels:
    """The smallest cluster size with the best DBCV; noise is one cluster."""
    models = [
        HDBSCAN(min_cluster_size=size, min_samples=5, gen_min_span_tree=True).fit(
            dataset.vectors[order].astype(np.float64)
        )
        for size in (5, 7, 10, 14, 20)
    ]
    return np.asarray(max(models, key=lambda model: float(model.relative_validity_)).labels_)


def _random(dataset: Dataset, order: NDArray[np.intp], seed: int) -> Labels:
    return np.random.default_rng(seed).integers(dataset.kinds, size=len(order))


def _one_cluster(dataset: Dataset, order: NDArray[np.intp], seed: int) -> Labels:
    return np.zeros(len(order), dtype=np.int64)


Method = Callable[[Dataset, NDArray[np.intp], int], Labels]
METHODS: list[tuple[str, Method]] = [
    ("signals, --assign all", partial(_signals, core=False)),
    ("signals, --assign core", partial(_signals, core=True)),
    ("HDBSCAN, size by DBCV", _density),
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


def _planted(dataset: Dataset, sets: Mapping[str, Dataset], seeds: int) -> list[dict[str, Any]]:
    """Precision and recall of what `core` calls noise, for vectors and for texts of no kind."""
    count = round(PLANTED_SHARE * len(dataset.truth))
    rows = [_called(dataset, "random vectors", partial(_directions, dataset, count), seeds)]
    if dataset.name in ALONE:
        other, each = ALONE[dataset.name]
        drawn = partial(_few_of_each, sets[other], each)
        rows.append(_called(dataset, f"{each} of each intent of {other}", drawn, seeds))
    return rows


def _called(
    dataset: Dataset, what: str, drawn: Callable[[np.random.Generator], Matrix], seeds: int
) -> dict[str, Any]:
    figures: list[tuple[float, float, float]] = []
    for seed in range(seeds):
        planted = drawn(np.random.default_rng(seed))
        called = cluster(np.concatenate([dataset.vectors, planted]), assign="core").labels == -1
        hits = float(called[-len(planted) :].sum())
        own = float(called[: -len(planted)].mean())
        figures.append((hits / max(1.0, float(called.sum())), hits / len(planted), own))
    precision, recall, own = (float(value) for value in np.mean(figures, axis=0))
    return {
        "dataset": dataset.name,
        "what": what,
        "planted": len(planted),
        "texts": len(dataset.texts),
        "precision": precision,
        "recall": recall,
        "own_items_called_noise": own,
    }


def _directions(dataset: Dataset, count: int, rng: np.random.Generator) -> Matrix:
    planted = rng.normal(size=(count, dataset.vectors.shape[1]))
    unit: Matrix = planted / np.linalg.norm(planted, axis=1, keepdims=True)
    return unit


def _few_of_each(other: Dataset, each: int, rng: np.random.Generator) -> Matrix:
    shuffled = rng.permutation(len(other.truth))
    places = [shuffled[other.truth[shuffled] == kind][:each] for kind in range(other.kinds)]
    planted: Matrix = other.vectors[np.concatenate(places)]
    return planted


def _halves(dataset: Dataset, seeds: int) -> dict[str, Any]:
    """Agreement of cross-assignment: the items of each half by the clusters of both halves."""
    figures: list[tuple[float, float]] = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(dataset.truth))
        parts = [dataset.vectors[part] for part in np.array_split(order, 2)]
        found = [cluster(part, assign="all", seed=seed) for part in parts]
        for own, other in ((0, 1), (1, 0)):
            crossed = assign_new(parts[own], found[other], "all")
            labels = found[own].labels
            figures.append(
                (
                    float(adjusted_rand_score(labels, crossed)),
                    float(adjusted_mutual_info_score(labels, crossed)),
                )
            )
    ari, ami = (float(value) for value in np.mean(figures, axis=0))
    return {"dataset": dataset.name, "ari": ari, "ami": ami}


def _validated(train: Dataset) -> list[dict[str, Any]]:
    """AMI of ours and of k-means with the true K on random subsets of B1 train's intents."""
    rows: list[dict[str, Any]] = []
    for seed in range(SUBSETS):
        places = _subset(train, np.random.default_rng(seed))
        vectors = train.vectors[places]
        _, truth = np.unique(train.truth[places], return_inverse=True)
        told = KMeans(int(truth.max()) + 1, n_init=10, random_state=seed).fit_predict(vectors)
        found = cluster(vectors, assign="all", seed=seed)
        rows.append(
            {
                "texts": len(places),
                "truth": int(truth.max()) + 1,
                "clusters": found.count,
                "signals_ami": float(adjusted_mutual_info_score(truth, found.labels)),
                "k_means_ami": float(adjusted_mutual_info_score(truth, told)),
            }
        )
    return rows


def _subset(train: Dataset, rng: np.random.Generator) -> NDArray[np.intp]:
    """8 to 77 intents, 6 to 110 texts an intent on average, even or log-normally uneven."""
    kinds = round(float(np.exp(rng.uniform(np.log(8), np.log(train.kinds)))))
    each = np.exp(rng.uniform(np.log(max(6, 150 / kinds)), np.log(110)))
    shares = np.exp(rng.normal(0, rng.choice([0, 0.5, 1]), kinds))
    sizes = np.maximum(3, shares / shares.mean() * each).astype(int)
    shuffled = rng.permutation(len(train.truth))
    chosen = rng.choice(train.kinds, kinds, replace=False)
    return np.concatenate(
        [
            shuffled[train.truth[shuffled] == kind][:size]
            for kind, size in zip(chosen, sizes, strict=True)
        ]
    )


def _show(
    rows: Sequence[Row],
    planted: Sequence[dict[str, Any]],
    halves: Sequence[dict[str, Any]],
    subsets: Sequence[dict[str, Any]],
    model: str,
) -> None:
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
            f"{told['dataset']}: {told['planted']} planted among {told['texts']} "
            f"({told['what']}): noise precision {told['precision']:.2f}, recall "
            f"{told['recall']:.2f}; own items called noise {told['own_items_called_noise']:.2f}"
        )
    for half in halves:
        print(
            f"{half['dataset']}: the clusters of one half given to the other's items agree with "
            f"the clusters found there: ARI {half['ari']:.3f}, AMI {half['ami']:.3f}"
        )
    if subsets:
        gains = np.array([one["signals_ami"] - one["k_means_ami"] for one in subsets])
        print(
            f"{VALIDATION} (choices were made on such): {len(subsets)} subsets of B1 train, AMI "
            f"{np.mean([one['signals_ami'] for one in subsets]):.3f}, k-means with the true K "
            f"{np.mean([one['k_means_ami'] for one in subsets]):.3f}; gain {gains.mean():+.3f} "
            f"({gains.min():+.3f} to {gains.max():+.3f}), not below it in {np.mean(gains >= 0):.0%}"
        )


if __name__ == "__main__":
    main()
