"""Whether anything private leaves: planted canaries, and a model that tells all it reads.

    python tests/benchmarks/privacy.py [--shared DIR] [--out FILE] [--home DIR]

Every canary stands in every place of three invented logs (turns, answers, names of tools, their
arguments, results and errors, folder, version, model, agent). The rules judge them, then a model
that repeats the canary in thirteen disguises in each text it may write. Then the warehouse but for
the raw steps, the snapshot, the exports, the reports, what the command prints and all other files
of the home are searched. The second figure is what it costs: harmless sentences turned down.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent_core.privacy import PrivacyFilter
from judges.rules.vocabulary import KNOWN_TOOLS
from judges.transcript import session_names, session_texts
from tests.benchmarks.canaries.parrot import DISGUISES, Parrot
from tests.benchmarks.canaries.searching import (
    file_texts,
    row_texts,
    searchable,
    snapshot_texts,
    warehouse_texts,
)
from tests.benchmarks.canaries.sessions import Canary, canaries, write_logs
from tests.judges.injection.test_verdicts import real_sessions
from tests.shared_data import missing_data, shared_folder

_EXPORTS = ("moments", "turns", "judgements", "facets", "sessions", "coverage")
_LEAST_CHARS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=shared_folder(), type=Path)
    parser.add_argument("--out", default=Path("test-output/privacy.json"), type=Path)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = leaks(options.home or Path(folder))
    result["harmless sentences"] = turned_down(options.shared)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(result, indent=2, ensure_ascii=False))


def leaks(folder: Path) -> dict[str, Any]:
    """Canaries that are found where they must not be, by kind, script and place."""
    planted, home = canaries(), folder / "home"
    write_logs(folder / "logs", planted)
    home.mkdir(mode=0o700)
    with Parrot(planted) as model:
        places = list(outputs(home, folder / "logs", model.base_url))
        found = search(places, planted, model)
    by_kind = Counter((canary.kind, canary.script) for canary, _ in found)
    return {
        "canaries": len(planted),
        "sessions": 3 * len(planted),
        "disguised texts of the model": len(planted) * len(DISGUISES),
        "requests to the model": model.requests,
        "places searched": len(places),
        "characters searched": sum(len(text) for _, text in places),
        "leaked": len({canary.number for canary, _ in found}),
        "leaks": [f"{canary.kind}.{canary.script} {place}" for canary, place in sorted(
            found, key=lambda pair: (pair[1], pair[0].number))],
        "of": {
            f"{kind}.{script}": f"{by_kind[kind, script]} leaks of {count}"
            for (kind, script), count in Counter((c.kind, c.script) for c in planted).items()
        },
    }  # fmt: skip


def outputs(home: Path, logs: Path, base_url: str) -> Iterator[tuple[str, str]]:
    """(place, text) of all that is written and printed, judged by rules and then by the model."""
    for judge in ("rules", "llm"):
        (home / "signals.toml").write_text(_configuration(judge, base_url), encoding="utf-8")
        yield from _run(home, "run", str(logs))
        yield from _read(home, judge)


def search(
    places: Sequence[tuple[str, str]], planted: Sequence[Canary], model: Parrot
) -> list[tuple[Canary, str]]:
    """Each canary with each place that holds it or a disguise of it."""
    needles: dict[str, set[Canary]] = defaultdict(set)
    for canary in planted:
        for needle in canary.needles:
            needles[needle].add(canary)
    for told, (canary, _) in model.told.items():
        if canary.kind != "sentence" or len(told.split()) > _LEAST_CHARS:
            needles[searchable(told)].add(canary)
    return [
        (canary, place)
        for place, text in places
        for needle, owners in needles.items()
        if len(needle) >= _LEAST_CHARS and needle in text
        for canary in owners
    ]


def turned_down(shared: Path) -> dict[str, Any] | str:
    """How many harmless abstract sentences the filter refuses to real sessions."""
    if reason := missing_data(shared):
        return reason
    listed = Path(__file__).parent / "canaries" / "harmless.txt"
    sentences = listed.read_text(encoding="utf-8").splitlines()
    reasons: Counter[str] = Counter()
    sessions = real_sessions(shared)
    for session in sessions:
        names = session_names(session)
        privacy = PrivacyFilter(session_texts(session), KNOWN_TOOLS, names)
        reasons.update(filter(None, map(privacy.check, sentences)))
    checked = len(sessions) * len(sentences)
    refused = sum(reasons.values())
    return {
        "sentences": len(sentences), "sessions": len(sessions), "checked": checked,
        "turned down": refused, "share": round(refused / checked, 4), "reasons": dict(reasons),
    }  # fmt: skip


def _read(home: Path, judge: str) -> Iterator[tuple[str, str]]:
    for verb in ("breaches", "tasks", "report"):
        yield from _run(home, verb)
    yield from _run(home, "--json", "report")
    yield from _run(home, "report", "--html", str(home / "report.html"))
    yield from _run(home, "report", "--digest")
    for what in _EXPORTS:
        lines = _command(home, "export", what).stdout
        yield from row_texts(f"export {what}", lines)
    for place, text in (*warehouse_texts(home), *snapshot_texts(home), *file_texts(home)):
        yield f"{place} ({judge})", text


def _run(home: Path, *arguments: str) -> Iterator[tuple[str, str]]:
    done = _command(home, *arguments)
    name = " ".join(word for word in arguments if "/" not in word)
    yield f"stdout of {name}", searchable(done.stdout)
    yield f"stderr of {name}", searchable(done.stderr)


def _command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pipelines", "--home", str(home), *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(arguments)}: exit {done.returncode}", file=sys.stderr)
    return done


def _configuration(judge: str, base_url: str) -> str:
    return (
        f'[judge]\njudge = "{judge}"\nbase_url = "{base_url}"\nmodel = "parrot"\n'
        "consent = true\nidle_hours = 0\n[thresholds]\nmin_sessions = 1\nmin_users = 1\n"
    )


if __name__ == "__main__":
    main()
