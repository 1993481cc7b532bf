"""Whether anything private leaves: planted canaries, and a model that tells all it reads.

    python tests/benchmarks/privacy.py [--shared DIR] [--out FILE] [--home DIR]

Every canary stands in every place of three invented logs (turns, answers, names of tools, their
arguments, results and errors, folder, version, model, agent), of the bundled agent's own sessions,
and as the name of a user, session, project and file. The rules judge them, and a model that repeats
the canary in thirteen disguises in each text it may write. Then the warehouse but for the raw
steps, the snapshot, the exports, the reports, tasks and what would be a pull request for them, the
dashboard's pages, what the command prints and all other files of the home are searched. Fewer
than five ordinary words of a sentence are no leak (DESIGN.md). The second figure is what it costs:
harmless sentences turned down. Exits 1 on any leak, and where a command failed: what it would have
written was then not searched.
"""

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from agent_core.privacy import PrivacyFilter
from judges.publication import sealed
from judges.rules import RulesJudge
from judges.rules.vocabulary import KNOWN_TOOLS
from judges.transcript import session_names, session_texts
from tests.benchmarks.canaries.command import Command
from tests.benchmarks.canaries.parrot import DISGUISES, Parrot
from tests.benchmarks.canaries.searching import (
    file_texts,
    page_texts,
    row_texts,
    searchable,
    snapshot_texts,
    task_texts,
    warehouse_texts,
)
from tests.benchmarks.canaries.sessions import (
    Canary,
    canaries,
    write_core_logs,
    write_logs,
    write_named_logs,
)
from tests.judges.injection.planting import POSITIONS, planted
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
    result["in real sessions"] = in_real_sessions(options.shared)
    result["harmless sentences"] = turned_down(options.shared)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(result, indent=2, ensure_ascii=False))
    raise SystemExit(1 if went_wrong(result) else 0)


def went_wrong(result: Mapping[str, Any]) -> list[str]:
    """Every leak and every command that failed; real logs that are not there are neither."""
    real = result["in real sessions"]
    leaked = real["leaks"] if isinstance(real, dict) else []
    return [*result["failed commands"], *result["leaks"], *leaked]


def leaks(folder: Path) -> dict[str, Any]:
    """Canaries that are found where they must not be, by kind, script and place."""
    hidden, command = canaries(), Command()
    with Parrot(hidden) as model:
        places = list(outputs(folder, hidden, model.base_url, command))
        found = search(places, hidden, model)
    by_kind = Counter((canary.kind, canary.script) for canary in {c for c, _ in found})
    return {
        "canaries": len(hidden),
        "disguised texts of the model": len(hidden) * len(DISGUISES),
        "requests to the model": len(model.requests),
        "commands": command.calls,
        "failed commands": command.failed,
        "places searched": len(places),
        "characters searched": sum(len(text) for _, text in places),
        "leaked": len({canary.number for canary, _ in found}),
        "leaks": [f"{canary.kind}.{canary.script} {place}" for canary, place in sorted(
            found, key=lambda pair: (pair[1], pair[0].number))],
        "of": {
            f"{kind}.{script}": f"{by_kind[kind, script]} leaked of {count}"
            for (kind, script), count in Counter((c.kind, c.script) for c in hidden).items()
        },
    }  # fmt: skip


def outputs(
    folder: Path, hidden: Sequence[Canary], base_url: str, command: Command
) -> Iterator[tuple[str, str]]:
    """(place, text) of all that is written and printed, in three homes.

    In the first the rules judge canaries in the texts, also of the bundled agent's own sessions;
    in the second a model that tells; in the third the canaries are names of users and projects,
    first for their owner, who sees them in the columns that say whose session it is, then for a
    team, which must not.
    """
    texts, model, names = (_home(folder / name) for name in ("texts", "model", "names"))
    write_logs(folder / "texts logs", list(hidden))
    write_core_logs(texts / "sessions", list(hidden))
    _configure(texts, "rules", base_url)
    yield from command.printed(texts, "run", str(folder / "texts logs"), str(texts / "sessions"))
    yield from _read(command, texts, "rules")
    yield from task_texts(texts)
    yield from page_texts(texts)
    write_logs(folder / "model logs", list(hidden), each=False)
    _configure(model, "llm", base_url)
    yield from command.printed(model, "run", str(folder / "model logs"))
    yield from _read(command, model, "model")
    write_named_logs(folder / "names logs", list(hidden))
    _configure(names, "rules", base_url)
    command.done(names, "run", str(folder / "names logs"))
    # Its owner's report names the sessions that it stands on; the team's, below, must not.
    yield from (found for found in _read(command, names, "names") if "report" not in found[0])
    _configure(names, "rules", base_url, mode="team")
    yield from command.printed(names, "run", str(folder / "names logs"))
    yield from command.printed(names, "report")
    yield from command.printed(names, "--json", "report")
    for place, text in (*snapshot_texts(names, with_ids=True), *page_texts(names)):
        yield f"{place} (team)", text


def search(
    places: Sequence[tuple[str, str]], hidden: Sequence[Canary], model: Parrot
) -> list[tuple[Canary, str]]:
    """Each canary with each place that holds it or a disguise of it."""
    needles: dict[str, set[Canary]] = defaultdict(set)
    for canary in hidden:
        for needle in canary.needles:
            needles[needle].add(canary)
    for told, (canary, _) in model.told.items():
        if canary.kind != "sentence" or len(told.split()) > _LEAST_CHARS:
            needles[searchable(told)].add(canary)
    by_start: dict[str, list[str]] = defaultdict(list)
    for needle in needles:
        if len(needle) >= _LEAST_CHARS:
            by_start[needle[:_LEAST_CHARS]].append(needle)
    return [
        (canary, place)
        for place, text in places
        for start in {text[n : n + _LEAST_CHARS] for n in range(len(text))} & by_start.keys()
        for needle in by_start[start]
        if needle in text
        for canary in needles[needle]
    ]


def in_real_sessions(shared: Path) -> dict[str, Any] | str:
    """Canaries in every position of a real session: what the rules say, what a model might."""
    if reason := missing_data(shared):
        return reason
    sessions = [s for s in real_sessions(shared) if any(step.is_person for step in s.steps)]
    judge, leaked, told = RulesJudge(b"salt"), list[str](), 0
    for canary in canaries():
        session = sessions[canary.number % len(sessions)]
        for position in POSITIONS:
            session = planted(session, position, canary.text, canary.number)
        said = searchable(orjson.dumps(sealed(judge(session), session)).decode())
        if any(needle in said for needle in canary.needles if len(needle) >= _LEAST_CHARS):
            leaked.append(f"rules: {canary.kind}.{canary.script}")
        privacy = PrivacyFilter(session_texts(session), KNOWN_TOOLS, session_names(session))
        for name, disguise in DISGUISES.items():
            said = disguise(canary.text)
            if canary.kind == "sentence" and len(said.split()) <= _LEAST_CHARS:
                continue
            told += 1
            if privacy.check(f"The person was waiting for {said}"[:600]) is None:
                leaked.append(f"model, {name}: {canary.kind}.{canary.script}")
    return {"canaries": len(canaries()), "texts of a model": told, "leaks": leaked}


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


def _read(command: Command, home: Path, judge: str) -> Iterator[tuple[str, str]]:
    for verb in ("breaches", "tasks", "report"):
        yield from command.printed(home, verb)
    yield from command.printed(home, "--json", "report")
    for what in _EXPORTS:
        lines = command.done(home, "export", what).stdout
        yield from row_texts(f"export {what}", lines)
    for place, text in (*warehouse_texts(home), *snapshot_texts(home), *file_texts(home)):
        yield f"{place} ({judge})", text


def _home(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True)
    return folder


def _configure(home: Path, judge: str, base_url: str, mode: str = "owner") -> None:
    text = (
        f'mode = "{mode}"\n[judge]\njudge = "{judge}"\nbase_url = "{base_url}"\nmodel = "parrot"\n'
        "consent = true\nidle_hours = 0\n[thresholds]\nmin_sessions = 1\nmin_users = 1\n"
    )
    (home / "signals.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
