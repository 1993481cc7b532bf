"""What each judge sends to a model, what caching and the cascade save, and at what recall.

    python tests/benchmarks/judge_cost.py [--shared DIR] [--out FILE] [--rounds N]

Requests are those that the model judge really makes, answered by a stand-in that finds the rules'
moments; nothing is sent. A token is four bytes of UTF-8; how far that is off is measured on logs
that state their tokens. The cascade is judged on the labelled sessions, where one annotator stands
in for the model and the other is the truth, and the other way round. Both are language models.
"""

import argparse
import json
from pathlib import Path

from tests.benchmarks.judge_cost_cascade import cascade_figures, cascade_table
from tests.benchmarks.judge_cost_requests import request_figures, request_table
from tests.shared_data import benchmark_data, shared_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/judge_cost.json"), type=Path)
    parser.add_argument("--rounds", default=1000, type=int)
    options = parser.parse_args()
    shared = benchmark_data(options.shared)
    result = {
        "requests": request_figures(shared / "logs"),
        "cascade": cascade_figures(shared, options.rounds),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(request_table(result["requests"]))
    print(cascade_table(result["cascade"]))


if __name__ == "__main__":
    main()
