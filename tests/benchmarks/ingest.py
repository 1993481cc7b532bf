"""How fast logs get into the warehouse, beside DuckDB's own reader and bare JSON parsing.

Three ways take the same Claude Code and Codex files in turn, round after round, each in a process
of its own: `signals ingest` as it is, DuckDB's `read_json` flattened with SQL into a table, and
orjson over the lines. What counts is the median over the rounds. Memory is the peak of the
proportional set size over all processes of a way (Linux only). Then 100,000 small files are
ingested, and ingested again with nothing new. Usage:

    python tests/benchmarks/ingest.py [--megabytes 2000] [--files 100000] [--rounds 3] [--out FILE]
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.sources import LogFile, find_files, read_file
from tests.benchmarks.corpus import write_corpus, write_small_files
from tests.benchmarks.process_memory import peak_memory
from tests.benchmarks.ways_to_ingest import WAYS
from tests.shared_data import missing_data, shared_folder

_FORMATS = ("claude_code", "codex")
_MEGABYTE = 1_000_000
_WAYS_SCRIPT = Path(__file__).with_name("ways_to_ingest.py")


class Trial(NamedTuple):
    """One way over one corpus, once."""

    seconds: float
    peak_megabytes: float | None
    written_megabytes: float


def main() -> None:
    """Measure, print the tables, write the figures."""
    options = _options()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not missing_data(shared_folder()):
            files = _line_based(find_files([shared_folder() / "logs"]))
            figures["real logs"] = _compare(files, folder, options.rounds)
        if options.megabytes:
            made = write_corpus(folder / "corpus", options.megabytes)
            figures["generated logs"] = _compare(made, folder, options.rounds)
            shutil.rmtree(folder / "corpus")
        if options.files:
            write_small_files(folder / "small", options.files)
            figures["small files"] = _ingest_twice(folder)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2000, help="of generated logs; 0: none")
    parser.add_argument("--files", type=int, default=100_000, help="small files; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("test-output/ingest.json"))
    return parser.parse_args()


def _line_based(files: Sequence[Path]) -> list[Path]:
    return [path for path in files if read_file(path).format in _FORMATS]


def _compare(files: Sequence[Path], folder: Path, rounds: int) -> dict[str, Any]:
    listing = folder / "files"
    listing.write_text("\n".join(map(str, files)))
    size = sum(len(LogFile(path).data) for path in files) / _MEGABYTE
    trials: dict[str, list[Trial]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            trials[way].append(_try(way, folder, listing))
    print(f"{len(files)} files, {size:.0f} MB decompressed, {rounds} rounds")
    return {
        "files": len(files),
        "megabytes": round(size, 1),
        **{way: _told(way, trials[way], size) for way in WAYS},
    }


def _try(way: str, folder: Path, listing: Path) -> Trial:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [sys.executable, str(_WAYS_SCRIPT), way, place, str(listing)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            peak = peak_memory(process)
            assert process.stdout is not None
            seconds = float(process.stdout.read())
        written = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
        return Trial(seconds, peak(), written / _MEGABYTE)


def _told(way: str, trials: Sequence[Trial], size: float) -> dict[str, Any]:
    seconds = statistics.median(trial.seconds for trial in trials)
    peaks = [trial.peak_megabytes for trial in trials if trial.peak_megabytes is not None]
    told = {
        "megabytes_per_second": round(size / seconds, 1),
        "peak_megabytes": round(max(peaks)) if peaks else None,
        "written_megabytes": round(trials[-1].written_megabytes, 1),
        "seconds": [round(trial.seconds, 2) for trial in trials],
    }
    peak = f"{told['peak_megabytes']} MB" if peaks else "not measured"
    print(
        f"{way:10}{told['megabytes_per_second']:8.1f} MB/s   peak memory {peak:>10}"
        f"   written {told['written_megabytes']:8.1f} MB"
    )
    return told


def _ingest_twice(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "pipelines", "--home", str(folder / "home"), "ingest"]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run([*command, str(folder / "small")], check=True, capture_output=True)
        seconds.append(round(time.perf_counter() - start, 2))
    first, again = seconds
    print(f"small files: {first} s the first time, {again} s again with nothing new")
    return {"first_seconds": first, "again_seconds": again}


if __name__ == "__main__":
    main()
