"""The live judge: how often it is right, how early, how often wrong; and what it costs.

    python tests/benchmarks/live.py [--shared DIR] [--out FILE] [--rounds N] [--only NAME]

`--only`: accuracy, latency, hook or memory. The labels are by two language models, not by people.
"""

import argparse
import json
from pathlib import Path

from tests.benchmarks.live_accuracy import as_text, measure, replay
from tests.benchmarks.live_costs import hook_costs, latency, watch_memory
from tests.shared_data import benchmark_data, shared_folder

PARTS = ("accuracy", "latency", "hook", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/live.json"), type=Path)
    parser.add_argument("--rounds", default=1000, type=int)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    wanted = options.only or PARTS
    result: dict[str, object] = {}
    if "accuracy" in wanted:
        figures = measure(replay(benchmark_data(options.shared)), options.rounds)
        result["accuracy"] = figures
        print(as_text(figures))
    for name, costs in (("latency", latency), ("hook", hook_costs), ("memory", watch_memory)):
        if name in wanted:
            result[name] = costs()
            print(f"{name}: {json.dumps(result[name])}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
