"""How fast logs are read: `read_file` beside orjson line parsing and DuckDB's `read_json`.

The three take the same Claude Code and Codex files in turn, round after round; what counts is the
median over the rounds of the ratio of times. Usage:

    python tests/benchmarks/ingest.py [LOGS] [--rounds 5] [--out FILE.json]
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import orjson

from pipelines.sources import LogFile, find_files, read_file
from tests.shared_data import benchmark_data

_FORMATS = ("claude_code", "codex")
_MEGABYTE = 1_000_000
_LARGEST_LINE = 64 << 20


class Round(NamedTuple):
    """Seconds that each way took in one round."""

    signals: float
    orjson: float
    duckdb: float


def main() -> None:
    """Measure, print the table, write the figures."""
    options = _options()
    files = _line_based(find_files([options.logs]))
    size = sum(len(LogFile(path).data) for path in files)
    rounds = [_round(files) for _ in range(options.rounds)]
    figures = _figures(rounds, size, len(files))
    for row in _table(figures):
        print(row)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, nargs="?", help="default: the shared logs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("test-output/ingest.json"))
    options = parser.parse_args()
    options.logs = options.logs or benchmark_data() / "logs"
    return options


def _line_based(files: Sequence[Path]) -> list[Path]:
    return [path for path in files if read_file(path).format in _FORMATS]


def _round(files: Sequence[Path]) -> Round:
    return Round(
        _seconds(lambda: [read_file(path) for path in files]),
        _seconds(lambda: [_parse_lines(path) for path in files]),
        _seconds(lambda: _read_with_duckdb(files)),
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _parse_lines(path: Path) -> int:
    """Decompress and decode every line: the least that any reader must do."""
    parsed = 0
    for line in LogFile(path).data.splitlines():
        try:
            orjson.loads(line)
            parsed += 1
        except orjson.JSONDecodeError:
            continue
    return parsed


def _read_with_duckdb(files: Sequence[Path]) -> int:
    """One table of all lines as JSON: no columns, as the files share no schema."""
    with duckdb.connect() as connection:
        (rows,) = connection.execute(
            "SELECT count(json) FROM read_json(?, format='newline_delimited', records=false,"
            " columns={'json': 'JSON'}, ignore_errors=true, maximum_object_size=?)",
            [[str(path) for path in files], _LARGEST_LINE],
        ).fetchone() or (0,)
    return int(rows)


def _figures(rounds: Sequence[Round], size: int, files: int) -> dict[str, object]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "files": files,
        "megabytes": round(size / _MEGABYTE, 1),
        "rounds": len(rounds),
        "megabytes_per_second": {
            name: round(size / _MEGABYTE / statistics.median(getattr(r, name) for r in rounds), 1)
            for name in Round._fields
        },
        "time_over_orjson": round(statistics.median(r.signals / r.orjson for r in rounds), 2),
        "time_over_duckdb": round(statistics.median(r.signals / r.duckdb for r in rounds), 2),
        # Linux counts in kilobytes, macOS in bytes.
        "peak_memory_megabytes": round(peak / (1e6 if sys.platform == "darwin" else 1e3)),
    }


def _table(figures: dict[str, object]) -> list[str]:
    speeds = figures["megabytes_per_second"]
    assert isinstance(speeds, dict)
    head = f"{figures['files']} files, {figures['megabytes']} MB decompressed, "
    return [
        f"{head}{figures['rounds']} rounds, peak memory {figures['peak_memory_megabytes']} MB",
        *(f"{name:10}{speed:8.1f} MB/s" for name, speed in speeds.items()),
        f"signals takes {figures['time_over_orjson']} times the time of orjson line parsing,"
        f" {figures['time_over_duckdb']} times that of DuckDB's read_json",
    ]


if __name__ == "__main__":
    main()
