"""Produces the sample sessions: `python data/produce_samples.py --out data/samples`.

The agent core of HEAD (sound) and the same with `data/defects/*.patch` on top (defective) really
work on the tasks in `data/tasks`, each from a clone of its own in a process of its own. Model and
user are scripted; tools, files, commands, errors and time limits are real. The same sessions come
out every time, up to the durations that commands print.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent
REPOSITORY = DATA.parent
# How often a task comes up among the sessions of a release.
WEIGHTS = {
    **{"invoice": 4, "ledger": 3, "settings": 3},  # an edit from memory does not match
    **{"retry": 4, "queue": 4},  # the tests take more than two seconds
    **{"slugs": 3, "report": 2, "dates": 4},  # nothing in the way
}
USERS = ("ana", "ben", "dieter", "emi", "farid", "lucia", "noor")
SOUND_START = datetime(2026, 9, 7, tzinfo=UTC)
DEFECTIVE_START = datetime(2026, 9, 28, tzinfo=UTC)
_WORKERS = 2


def main() -> None:
    """Parses `--out` and writes sessions, replay records and SHA256SUMS there."""
    parser = argparse.ArgumentParser(description="Produce the sample sessions.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    out = parser.parse_args().out.resolve()
    for name in ("sessions", "replay"):
        shutil.rmtree(out / name, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="signals-samples-") as scratch:
        sound, defective = Path(scratch, "sound"), Path(scratch, "defective")
        clone_head(REPOSITORY, sound)
        clone_head(REPOSITORY, defective)
        apply_defects(defective)
        produce(cast_release(SOUND_START), sound, out)
        produce(cast_release(DEFECTIVE_START), defective, out)
    write_sums(out)


def clone_head(repository: Path, clone: Path) -> None:
    """A clone of the repository's HEAD, without what is not committed."""
    _git(repository.parent, "clone", "--quiet", "--no-hardlinks", str(repository), str(clone))


def apply_defects(clone: Path) -> None:
    """The commits that put the older, defective tools back."""
    patches = sorted((DATA / "defects").glob("*.patch"))
    who = ["-c", "user.name=Signals", "-c", "user.email=signals@example.org"]
    _git(clone, *who, "am", "--quiet", "--3way", *map(str, patches))


def cast_release(first_day: datetime) -> list[dict[str, Any]]:
    """Who works on what, when, under one release; tasks and people are the same under both."""
    names = [name for name, weight in WEIGHTS.items() for _ in range(weight)]
    random.Random("order of the tasks").shuffle(names)
    seen = {name: 0 for name in WEIGHTS}
    parts = []
    for number, name in enumerate(names):
        seen[name] += 1
        day = first_day + timedelta(days=number // 2, hours=8 + 5 * (number % 2))
        parts.append(
            {
                "session_id": f"core-{day:%Y%m%d}-{number + 1:02}",
                "task": name,
                "user": USERS[(number * 3 + number // 7) % len(USERS)],
                "started": (day + timedelta(minutes=(number * 17) % 60)).isoformat(),
                "temper": _temper(name, seen[name]),
            }
        )
    return parts


def produce(parts: list[dict[str, Any]], clone: Path, out: Path) -> None:
    """Plays the parts with the clone's agent, in processes of their own."""
    shares = [parts[worker::_WORKERS] for worker in range(_WORKERS)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(lambda share: _play(share, clone, out), shares))


def write_sums(out: Path) -> None:
    """SHA256SUMS over all sessions and records, as `sha256sum --check` reads it."""
    files = sorted(file for name in ("sessions", "replay") for file in (out / name).glob("*.json"))
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(out).as_posix()}\n"
        for file in files
    ]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _temper(task: str, time: int) -> dict[str, Any]:
    return {
        "stubborn": 1 + time % 2,
        "careless": task == "dates" and time % 3 == 0,
        "honest": time % 4 == 3 and task != "queue",
        "slow_to_learn": time % 3,
    }


def _play(parts: list[dict[str, Any]], clone: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="signals-parts-") as scratch:
        listed = Path(scratch, "parts.json")
        listed.write_text(json.dumps(parts), encoding="utf-8")
        arguments = [str(listed), str(DATA / "tasks"), str(out), str(clone)]
        subprocess.run(
            [sys.executable, "-P", "-m", "sampling.conversation", *arguments],
            check=True,
            env=os.environ | {"PYTHONPATH": f"{clone}{os.pathsep}{DATA}"},
        )


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main()
