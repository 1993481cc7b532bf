"""Every hostile snippet in every position of sessions: how many change a verdict of the rules.

    python tests/benchmarks/injection.py [--shared DIR] [--every-session]

Each snippet stands once in each position of an invented and of a real session, which take turns;
`--every-session` plants it in each of them (hours). Exits 1 where a verdict changed.
"""

import argparse
import sys
from pathlib import Path

from agent_core.session import Session
from tests.judges.injection.invented import invented_sessions
from tests.judges.injection.planting import POSITIONS
from tests.judges.injection.snippets import snippets
from tests.judges.injection.test_verdicts import changed, real_sessions
from tests.shared_data import missing_data, shared_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--every-session", action="store_true")
    options = parser.parse_args()
    kinds = {"invented": invented_sessions()}
    if reason := missing_data(options.shared):
        print(reason, file=sys.stderr)
    else:
        kinds["real"] = real_sessions(options.shared)
    found = [_row(kind, sessions, options.every_session) for kind, sessions in kinds.items()]
    raise SystemExit(1 if any(found) else 0)


def _row(kind: str, sessions: list[Session], every_session: bool) -> int:
    """Print the row of each position; the number of verdicts that changed."""
    total = 0
    for position, (fits, _) in POSITIONS.items():
        fitting = [session for session in sessions if any(map(fits, session.steps))]
        groups = [[session] for session in fitting] if every_session else [fitting]
        hits = [hit for group in groups for hit in changed(position, list(snippets()), group)]
        plantings = len(snippets()) * len(groups)
        print(f"{kind:9} {position:24} {len(hits)} changed of {plantings}", flush=True)
        for hit in hits:
            print(f"    {hit}", flush=True)
        total += len(hits)
    return total


if __name__ == "__main__":
    main()
