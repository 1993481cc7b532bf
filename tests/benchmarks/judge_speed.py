"""How fast the rules judge: all shared logs, and generated sessions of median length.

Every way of judging runs in a process of its own over a copy of one warehouse, one after another:
serial or in two workers, by words alone or with embeddings. Shares of the time are those of a
serial run. Memory is the peak of the proportional set size over all processes (Linux only).
Embedding is then measured apart, on a sample of the same turns. Usage:

    python tests/benchmarks/judge_speed.py [--sessions 10000] [--embedded 1000] [--texts 1000]
        [--out FILE]
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent_core.embedding import BATCH, Embedder
from judges.rules.batch import TurnVectors, texts_of
from pipelines.config import Config, JudgeConfig
from pipelines.context import Context
from pipelines.home import Home
from pipelines.stages import rules_judgements
from pipelines.stages.ingest import ingest
from pipelines.stages.rules_judgements import judge_by_rules
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from pipelines.warehouse.session_rows import load_sessions
from tests.benchmarks.median_sessions import write_median_sessions
from tests.benchmarks.process_memory import peak_memory
from tests.shared_data import missing_data, shared_folder

_WAYS = {
    "words, serial": (False, False),
    "words, two workers": (False, True),
    "embeddings, serial": (True, False),
    "embeddings, two workers": (True, True),
}
"""(with embeddings, parallel)"""
_GOAL_SECONDS = 600
_BF16_TEXTS = 100
"""Where the CPU has no bf16 instructions it takes ten times as long or more."""


def main() -> None:
    """Measure, print the tables, write the figures."""
    options = _options()
    if options.way:
        print(json.dumps(_judge(options.home, *_WAYS[options.way], options.limit)))
        return
    figures: dict[str, Any] = {"load_average": os.getloadavg(), "cores": os.cpu_count()}
    print(f"{figures['cores']} cores, load average {figures['load_average'][0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not missing_data(shared_folder()):
            home = _read(folder / "shared", shared_folder() / "logs")
            figures["shared logs"] = _compare(home, options.embedded)
        write_median_sessions(folder / "logs", options.sessions)
        home = _read(folder / "generated", folder / "logs")
        figures["generated sessions"] = _compare(home, options.embedded)
        figures["embedding"] = _embedding(_texts(home, options.texts))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--embedded", type=int, default=1_000, help="sessions at most, with them")
    parser.add_argument("--texts", type=int, default=1_000)
    parser.add_argument("--out", type=Path, default=Path("test-output/judge_speed.json"))
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _context(home: Path, *, embeddings: bool = False) -> Context:
    config = Config(judge=JudgeConfig(embeddings=embeddings))
    return Context(Home(home).prepare(), config, "r", "judge", progress=lambda *_: None)


def _read(home: Path, logs: Path) -> Path:
    context = _context(home)
    ingest(context, [logs])
    summarise_sessions(context)
    return home


def _compare(home: Path, embedded: int) -> dict[str, Any]:
    with _context(home).warehouse() as connection:
        sql = "SELECT count(*), sum(steps), median(steps) FROM sessions WHERE exclusion IS NULL"
        sessions, steps, median = query(connection, sql).row(0)
    print(f"\n{sessions} sessions, {steps} steps, median {median:.0f}")
    ways = {
        way: _try(way, home, embedded if embeddings else sessions)
        for way, (embeddings, _) in _WAYS.items()
    }
    return {"sessions": sessions, "steps": int(steps), "ways": ways}


def _try(way: str, home: Path, limit: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "home"
        shutil.copytree(home, copy)
        command = [sys.executable, "-m", "tests.benchmarks.judge_speed", "--way", way]
        command += ["--home", str(copy), "--limit", str(limit)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            peak = peak_memory(process)
            assert process.stdout is not None
            told = process.stdout.read()
        found: dict[str, Any] = json.loads(told) | {"peak_megabytes": peak()}
    print(_row(way, found))
    return found


def _judge(home: Path, embeddings: bool, parallel: bool, limit: int) -> dict[str, Any]:
    """What one way takes, by part where all is done in this process."""
    seconds: dict[str, float] = defaultdict(float)
    _timed(rules_judgements, "load_unchanged", "loading", seconds)
    _timed(rules_judgements, "write_judgements", "writing", seconds)
    _timed(TurnVectors, "prepare", "embedding", seconds)
    start = time.perf_counter()
    counts = judge_by_rules(_context(home, embeddings=embeddings), limit=limit, parallel=parallel)
    total = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    judged = counts["judged"] + counts.get("unscored", 0)
    shares = {part: round(spent / total, 3) for part, spent in seconds.items()}
    if not parallel:
        shares["rules and rest"] = round(1 - sum(shares.values()), 3)
    return {
        "sessions": judged,
        "seconds": round(total, 2),
        "processor_seconds": round(sum(use.ru_utime + use.ru_stime for use in used), 2),
        "shares": {} if parallel else shares,
    }


def _timed(owner: Any, name: str, part: str, seconds: dict[str, float]) -> None:
    work: Callable[..., Any] = getattr(owner, name)

    def timed(*given: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*given, **named)
        finally:
            seconds[part] += time.perf_counter() - start

    setattr(owner, name, timed)


def _row(way: str, found: dict[str, Any]) -> str:
    rate = found["sessions"] / found["seconds"]
    shares = ", ".join(f"{part} {share:.0%}" for part, share in found["shares"].items())
    peak = f"{found['peak_megabytes']:.0f} MB" if found["peak_megabytes"] else "not measured"
    return (
        f"{way:24}{found['sessions']:6} sessions{found['seconds']:8.1f} s"
        f" (processor {found['processor_seconds']:6.1f} s){rate:8.1f}/s"
        f"   10,000 in {10_000 / rate:5.0f} s (goal {_GOAL_SECONDS})   peak {peak}   {shares}"
    )


def _texts(home: Path, count: int) -> list[str]:
    with _context(home).warehouse() as connection:
        keys = query(connection, "SELECT session_key FROM sessions ORDER BY ALL LIMIT 1000")
        sessions = load_sessions(connection, keys["session_key"].to_list())
    texts = list(dict.fromkeys(text for one in sessions for text in texts_of(one)))
    return random.Random(7).sample(texts, min(count, len(texts)))


def _embedding(texts: Sequence[str]) -> dict[str, float]:
    """Texts a second of each way to embed a sample."""
    exact, rough = Embedder(precision="fp32"), Embedder(precision="bf16")
    cached = TurnVectors(exact, reads=lambda _: True)
    few = texts[:_BF16_TEXTS]
    # A call sorts what it is given by length: a call for each batch sorts nothing across batches.
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "fp32, sorted by length, cold": (len(texts), lambda: cached(texts)),
        "cached": (len(texts), lambda: cached(texts)),
        "fp32, not sorted": (len(texts), lambda: [exact.embed(batch) for batch in batches]),
        "fp32, one text a call": (len(few), lambda: [exact.embed([text]) for text in few]),
        "bf16": (len(few), lambda: rough.embed(few)),
    }
    exact.embed(["load the model"])
    rough.embed(["load the model"])
    print(f"\nembedding {len(texts)} turns of generated sessions")
    return {way: _rate(way, count, embed) for way, (count, embed) in ways.items()}


def _rate(way: str, count: int, embed: Callable[[], Any]) -> float:
    start = time.perf_counter()
    embed()
    rate = round(count / (time.perf_counter() - start), 1)
    print(f"{way:32}{rate:12.1f} texts/s")
    return rate


if __name__ == "__main__":
    main()
