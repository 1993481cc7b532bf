"""What embedding and clustering cost, from 1,000 to 100,000 abstract texts.

    python tests/benchmarks/clustering_scale.py [--out FILE] [--sizes N,N,...] [--distinct SHARE]
                                                [--made-up]

The texts are made here, worded like descriptors of moments: a situation, a tool, a class of error,
what the person did, where; every tenth is of words drawn at random. They are as long as those of
the rules over the shared logs, 30 tokens on average. All are distinct, unless --distinct says
which share is: of the 862 moments in the shared logs it is 0.61, of more it would be less. Each
size runs in a process of its own, whose memory is watched. The exponent is that of seconds over
texts, fitted over all sizes. A day's increment is 1,000 new texts, embedded and assigned to the
clusters of the largest size. With --made-up the vectors are random ones around random directions
and nothing is embedded.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_core.embedding import Embedder
from facets.clustering import assign_new, cluster
from tests.benchmarks.process_memory import peak_memory

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
INCREMENT = 1_000
KINDS = 200
NOISE_SHARE = 0.1
SPREAD = 0.5
"""Standard deviation of a made-up item's coordinates around its direction's, which have 1."""

_SITUATIONS = (
    "after editing a file", "after a search found nothing", "while the tests were running",
    "before the first edit", "after the plan was revised", "after context was compacted",
    "while reading a long log", "after a commit was made", "at the end of the session",
    "after two tries at the same command", "while a package was installed", "after a merge",
)  # fmt: skip
_TOOLS = (
    "shell", "edit", "search", "read", "browser", "test runner", "linter", "database client",
    "type checker", "package manager", "formatter", "notebook", "profiler", "deploy command",
)  # fmt: skip
_RESULTS = (
    "timed out", "was denied permission", "found no such file", "failed on a syntax error",
    "returned nothing", "broke an unrelated test", "was cut short by its output limit",
    "could not reach the network", "changed more than was asked", "ended with a type error",
    "left the working tree dirty", "used the wrong version", "overwrote earlier work",
)  # fmt: skip
_REACTIONS = (
    "the person asked again in other words", "the person corrected the aim",
    "the person stopped the agent", "the person gave up the tool", "the person approved quickly",
    "the person asked why", "the person pasted the error", "the person undid the change",
    "the person pointed at another file", "the person praised the fix",
)  # fmt: skip
_PLACES = ("early", "midway", "late", "in the first turn", "in the last turn")
_LANGUAGES = ("python", "rust", "go", "typescript", "java", "sql", "shell", "c", "ruby", "kotlin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("test-output/clustering_scale.json"))
    parser.add_argument("--sizes", type=_numbers, default=SIZES)
    parser.add_argument("--distinct", type=float, default=1.0)
    parser.add_argument("--made-up", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_one(options)))
        return
    rows = [_in_a_process(size, options) for size in options.sizes]
    exponent = _exponent(rows)
    _show(rows, exponent)
    document = {
        "made_up": options.made_up,
        "distinct": options.distinct,
        "rows": rows,
        "exponent": exponent,
    }
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _in_a_process(size: int, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(size), "--distinct", str(options.distinct)]
    command += ["--sizes", ",".join(map(str, options.sizes))]
    command += ["--made-up"] if options.made_up else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = peak_memory(process)
    written, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{size} texts: the process ended with {process.returncode}")
    row: dict[str, Any] = json.loads(written)
    return row | {"peak_mb": peak()}


def _one(options: argparse.Namespace) -> dict[str, Any]:
    size, made_up = options.one, options.made_up
    more = INCREMENT if size == max(options.sizes) else 0
    embedder = Embedder()
    if made_up:
        made = _directions(size + more)
    else:
        embedder.embed(["the model is loaded before the clock runs"])
        texts = _texts(size, options.distinct) + _texts(size + more)[size:]
    begun = time.perf_counter()
    vectors = made[:size] if made_up else embedder.embed(texts[:size])
    embedded = time.perf_counter()
    found = cluster(vectors, assign="core")
    ended = time.perf_counter()
    new = made[size:] if made_up else embedder.embed(texts[size:])
    assigned = assign_new(new, found)
    increment = time.perf_counter() - ended
    return {
        "texts": size,
        "distinct": len(np.unique(vectors, axis=0)),
        "embed_seconds": embedded - begun,
        "cluster_seconds": ended - embedded,
        "clusters": found.count,
        "noise": float((found.labels == -1).mean()),
        "increment_seconds": increment if more else None,
        "increment_assigned": float((assigned >= 0).mean()) if more else None,
    }


def _texts(count: int, distinct: float = 1.0) -> list[str]:
    """Texts of which a share is distinct; the same distinct ones first, however many."""
    if distinct < 1:
        first = _texts(round(distinct * count))
        again = np.random.default_rng(1).integers(len(first), size=count - len(first))
        return first + [first[place] for place in again]
    rng = np.random.default_rng(0)
    parts = (_SITUATIONS, _TOOLS, _RESULTS, _REACTIONS)
    kinds = [tuple(str(rng.choice(part)) for part in parts) for _ in range(KINDS)]
    texts: dict[str, None] = {}
    while len(texts) < count:
        situation, tool, result, reaction = kinds[int(rng.integers(KINDS))]
        if rng.random() < NOISE_SHARE:
            situation, tool, result, reaction = (str(rng.choice(part)) for part in parts)
        place, language = rng.choice(_PLACES), rng.choice(_LANGUAGES)
        minutes = rng.integers(1, 90)
        texts[
            f"{situation}, the {tool} {result} in {language} and {reaction}, {place}, "
            f"{minutes} minutes in"
        ] = None
    return list(texts)


def _directions(count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(KINDS, 384)).astype(np.float32)
    rows = rng.normal(size=(count, 384)).astype(np.float32)
    is_kind = rng.random(count) >= NOISE_SHARE
    rows[is_kind] = SPREAD * rows[is_kind] + centres[rng.integers(KINDS, size=is_kind.sum())]
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _exponent(rows: Sequence[dict[str, Any]]) -> float | None:
    """Of embedding and clustering together; None from one size alone."""
    if len(rows) < 2:
        return None
    seconds = [row["embed_seconds"] + row["cluster_seconds"] for row in rows]
    sizes = [row["texts"] for row in rows]
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _show(rows: Sequence[dict[str, Any]], exponent: float | None) -> None:
    print(f"{'texts':>8}{'embed s':>10}{'cluster s':>11}{'peak MB':>9}{'clusters':>10}{'noise':>7}")
    for row in rows:
        peak = "unknown" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"
        print(
            f"{row['texts']:>8}{row['embed_seconds']:>10.1f}{row['cluster_seconds']:>11.1f}"
            f"{peak:>9}{row['clusters']:>10}{row['noise']:>7.2f}"
        )
    if exponent is not None:
        print(f"seconds grow with the number of texts to the power of {exponent:.2f}")
    for row in rows:
        if row["increment_seconds"] is not None:
            print(
                f"{INCREMENT} new on top of {row['texts']}: {row['increment_seconds']:.1f} s, "
                f"{row['increment_assigned']:.0%} inside a cluster"
            )


if __name__ == "__main__":
    main()
