"""Which turns the rules judge gets wrong, sorted by kind.

    python tests/benchmarks/judge_mistakes.py [--shared DIR] [--out FILE]

The kind is what the evidence shows of the turn, the first that applies. Counted are the turns on
which the annotators (two language models) agree. No text is printed.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from judges.rules.evidence import Evidence, present
from judges.rules.judge import read_scenes
from judges.rules.moments import friction_score
from judges.rules.scoring import shipped_weights
from pipelines.labelled_sessions import LabelledSession
from tests.benchmarks.judge import FITTING
from tests.shared_data import benchmark_data, shared_folder


def _any(*names: str) -> Callable[[Evidence], bool]:
    return lambda evidence: any(present(evidence, name) for name in names)


KINDS: tuple[tuple[str, Callable[[Evidence], bool]], ...] = (
    ("the person stopped the agent", _any("stopped")),
    ("the opening turn, or a plan handed over", _any("opening", "handover")),
    ("says that something does not work", _any("says_malfunction", "failure_after_claim")),
    ("objects or asks to undo", _any("says_objects", "denies", "says_undo", "says_escalation")),
    ("words of correction, as a question", lambda e: _all(e, "says_correction", "asks")),
    ("words of correction, as a statement", _any("says_correction")),
    ("says an earlier wish again", lambda e: e.get("restates", 0.0) >= 0.5),
    ("the agent took it as a report", _any("taken_as_report", "agent_concedes")),
    ("pastes, shows a picture or quotes the work", _any("pastes", "shows_picture", "quotes_work")),
    ("a bare command or answer", _any("bare_command")),
    ("a question without such words", _any("asks")),
    ("a statement without such words, after an edit", _any("agent_edited")),
    ("a statement without such words", lambda _: True),
)  # fmt: skip


class Count(NamedTuple):
    """Turns of a kind, and how the judge did on them."""

    kind: str
    turns: int
    friction: int
    missed: int
    false: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/judge_mistakes.json"), type=Path)
    options = parser.parse_args()
    counts = count_mistakes(FITTING.read_sessions(benchmark_data(options.shared)))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [count._asdict() for count in counts]
    options.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(as_table(counts))


def count_mistakes(sessions: Sequence[LabelledSession]) -> list[Count]:
    """One row a kind, the most mistakes first."""
    point, seen = shipped_weights().friction.operating_point, Counter[tuple[str, bool, bool]]()
    for session, labels in sessions:
        for scene in read_scenes(session):
            label = labels.get(scene.view.segment.turn_ref or "")
            if label is not None and label.friction is not None:
                found = friction_score(scene, shipped_weights()) >= point
                seen[_kind(scene.evidence), label.friction, found] += 1
    return sorted((_count(kind, seen) for kind, _ in KINDS), key=lambda c: -(c.missed + c.false))


def as_table(counts: Sequence[Count]) -> str:
    """The rows for a terminal."""
    lines = [f"{'kind of turn':<50}{'turns':>7}{'friction':>10}{'missed':>8}{'false':>7}"]
    total = Count("all", *(sum(column) for column in list(zip(*counts, strict=True))[1:]))
    lines += [
        f"{c.kind:<50}{c.turns:>7}{c.friction:>10}{c.missed:>8}{c.false:>7}"
        for c in (*counts, total)
    ]
    return "\n".join(lines)


def _kind(evidence: Evidence) -> str:
    return next(kind for kind, applies in KINDS if applies(evidence))


def _count(kind: str, seen: Counter[tuple[str, bool, bool]]) -> Count:
    hits, missed = seen[kind, True, True], seen[kind, True, False]
    false, clean = seen[kind, False, True], seen[kind, False, False]
    return Count(kind, hits + missed + false + clean, hits + missed, missed, false)


def _all(evidence: Evidence, *names: str) -> bool:
    return all(present(evidence, name) for name in names)


if __name__ == "__main__":
    main()
