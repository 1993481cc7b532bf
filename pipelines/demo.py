"""The whole loop on the sample logs, in a home of its own; the user's clone stays untouched."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from git import Repo

from agent_core.errors import BadInputError, DataError, TargetError
from agent_core.patching import PatchOutcome, Target
from agent_core.replay_packing import unpack_record
from agent_core.worktree import AUTHOR_EMAIL, AUTHOR_NAME, readable_git_errors
from pipelines.config import load_config
from pipelines.context import Context, new_run_id
from pipelines.fleet import run_tasks, waiting_task_ids
from pipelines.home import Home
from pipelines.job import run_job_in_process
from pipelines.stages.provenance import register_core_logs

CHECKOUT = Path(__file__).resolve().parents[1]
DATA = CHECKOUT / "data"
_MARK = "demo-home"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo did."""

    home: Home
    target: Target
    outcomes: dict[str, PatchOutcome]
    """Attempts of this run by task id; empty where an earlier run made them."""


def run_demo(home: Home, *, fresh: bool) -> DemoResult:
    """Samples to pull request. Raises DataError, TargetError, BadInputError.

    The job runs twice: on the samples, and, once the core has patched, on the session in which
    it did so.
    """
    prepared = _prepare_home(home, fresh=fresh)
    target = _target(prepared)
    _register_samples(prepared)
    run_job_in_process(prepared, [DATA / "samples" / "sessions", DATA / "handmade"])
    outcomes = _patch(prepared, target)
    if outcomes:
        run_job_in_process(prepared, [prepared.sessions])
    return DemoResult(prepared, target, outcomes)


def _prepare_home(home: Home, *, fresh: bool) -> Home:
    """A home of the demo's own: one that is in use for something else is refused."""
    mark = home.root / _MARK
    if home.root.exists() and any(home.root.iterdir()) and not mark.exists():
        raise BadInputError(f"{home.root}: not a home of the demo; name another with --home DIR")
    if fresh and home.root.exists():
        # Renamed first: killed while it deletes, no half of a home is left under the name.
        doomed = home.root.with_name(f"{home.root.name}.old-{os.getpid()}")
        home.root.rename(doomed)
        shutil.rmtree(doomed)
    home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark.touch()
    return home.prepare()


def _register_samples(home: Home) -> None:
    """Vouch for the samples, once their hashes are found right, and unpack their replay records."""
    recorded = _check_hashes(DATA / "samples")
    register_core_logs(
        home, [digest for name, digest in recorded.items() if name.startswith("sessions/")]
    )
    for packed in sorted((DATA / "samples" / "replay").glob("*.json")):
        if not (home.replay / packed.name).exists():
            unpack_record(packed, home.replay)


def _check_hashes(samples: Path) -> dict[str, str]:
    """SHA-256 by file name, as recorded and found. Raises DataError where they differ."""
    lines = (samples / "SHA256SUMS").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {
        path.relative_to(samples).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in samples.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    wrong = sorted(
        name for name in recorded.keys() | found if recorded.get(name) != found.get(name)
    )
    if wrong:
        raise DataError(
            f"{samples / wrong[0]}: not as recorded in SHA256SUMS ({len(wrong)} such files); "
            "restore it: git checkout data/samples"
        )
    return recorded


def _target(home: Home) -> Target:
    """A clone of this checkout in the home, with the older, defective tools put back."""
    folder = home.root / "target"
    if not (folder / ".git").exists():
        draft = home.root / "target.draft"
        shutil.rmtree(draft, ignore_errors=True)
        _clone_with_defects(draft, sorted((DATA / "defects").glob("*.patch")))
        draft.rename(folder)
    return Target(folder)


def _clone_with_defects(folder: Path, patches: Sequence[Path]) -> None:
    if not (CHECKOUT / ".git").exists():
        raise TargetError(
            f"{CHECKOUT} is no git repository: the demo patches a clone of it; run it in a clone"
        )
    with readable_git_errors(f"make the demo's clone of {CHECKOUT} with the defects in it"):
        clone = Repo(CHECKOUT).clone(folder)
        author = ("-c", f"user.name={AUTHOR_NAME}", "-c", f"user.email={AUTHOR_EMAIL}")
        clone.git.execute(["git", *author, "am", "--quiet", *map(str, patches)])


def _patch(home: Home, target: Target) -> dict[str, PatchOutcome]:
    context = demo_context(home, "demo")
    return run_tasks(context, waiting_task_ids(context), target)


def demo_context(home: Home, verb: str) -> Context:
    """A context in the demo's home."""
    return Context(home, load_config(home.config), new_run_id(datetime.now(UTC)), verb)
