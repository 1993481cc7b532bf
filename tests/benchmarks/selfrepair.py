"""What the playbook policy repairs of defects planted one at a time in the agent core.

    python -m tests.benchmarks.selfrepair [--only NAME] [--jobs N] [--sessions N] [--sound N]
                                          [--quick-gate] [--out FILE]

For each defect of `selfrepair_defects/`: a clone of HEAD with the defect committed; sessions of the
sound and of the defective release, really run (scripted model and person, real tools, files,
commands); ingested, judged by the rules, breached, tasked, patched by the playbook policy, gated,
merged; sessions of the repaired release, whose rate of the task's pattern is compared with the
defective one's (Fisher's exact test, one-sided, 5 %). `tuned.toml` holds the defects that were at
hand while the remedies were written, `held_out.toml` those that were written after them and not
looked at for choosing anything. `broken` counts scenarios of `selfrepair_scenarios/`, which no gate
knows, that hold on the defective tree and not on the patched one.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from agent_core.patching.target import CORE_TESTS
from tests.benchmarks.selfrepair_world.catalogue import Defect, git, load_defects
from tests.benchmarks.selfrepair_world.patient import (
    Row,
    Setting,
    sound_tasks,
    table,
    treat,
    with_sound_sessions,
)

REPOSITORY = Path(__file__).resolve().parents[2]
# The tests of what patches touch: specs, tools, playbooks.
QUICK_TESTS = (
    *("-m", "pytest", "tests/agent_core/toolkit", "tests/agent_core/tools/test_file_tools.py"),
    *("tests/agent_core/test_playbook.py", "-q", "-p", "no:cacheprovider"),
    *("-m", "not slow and not shared and not browser"),
)


def main() -> None:
    """Parses the options, treats the defects, prints the table."""
    options = _options()
    defects = [
        (half, defect)
        for half, found in load_defects().items()
        for defect in found
        if not options.only or defect.name in options.only
    ]
    # Those that a playbook is meant for first: they take longest.
    defects.sort(key=lambda item: item[1].kind)
    with tempfile.TemporaryDirectory(prefix="selfrepair-", dir=options.work) as name:
        setting = _setting(Path(name), options)
        if options.sound:
            looks, tasks = sound_tasks(options.sound, setting)
            named = f" ({', '.join(tasks)})" if tasks else ""
            print(
                f"sound agent: {options.sound} sessions, {looks} looks, {len(tasks)} tasks{named}"
            )
            if not options.only:
                return
        rows = _treat_all(defects, with_sound_sessions(setting), options.jobs)
    print(table(rows))
    print(summary(rows))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", action="append", default=[], help="a defect's name; repeatable")
    parser.add_argument("--jobs", type=int, default=1, help="defects side by side")
    parser.add_argument("--sessions", type=int, default=30, help="sessions of each release")
    parser.add_argument("--sound", type=int, default=0, help="N sessions of a sound agent instead")
    parser.add_argument("--quick-gate", action="store_true", help="fewer unit tests in the gate")
    parser.add_argument("--work", type=Path, default=None, help="folder for clones and homes")
    parser.add_argument("--out", type=Path, default=None, help="rows as JSON")
    return parser.parse_args()


def _setting(work: Path, options: argparse.Namespace) -> Setting:
    clone = work / "sound"
    git(work, "clone", "-q", str(REPOSITORY), str(clone))
    tests = QUICK_TESTS if options.quick_gate else CORE_TESTS
    return Setting(work, clone, work / "sound-home", options.sessions, tests)


def _treat_all(defects: Sequence[tuple[str, Defect]], setting: Setting, jobs: int) -> list[Row]:
    def one(item: tuple[str, Defect]) -> Row:
        half, defect = item
        try:
            row = treat(defect, half, setting)
        except Exception as error:  # noqa: BLE001  one defect's failure is a row, with its reason
            row = Row(defect.name, defect.kind, half, reason=f"{type(error).__name__}: {error}")
        shutil.rmtree(setting.work / defect.name, ignore_errors=True)
        print(f"{table([row]).splitlines()[-1]} {row.details} {row.seconds}", flush=True)
        return row

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, defects))


def summary(rows: Sequence[Row]) -> str:
    """End to end by kind and set, and what passed the gates while it broke something."""
    lines = []
    for kind in ("mechanical", "other"):
        for half in ("tuned", "held_out"):
            own = [row for row in rows if row.kind == kind and row.half == half]
            if own:
                done = sum(row.end_to_end for row in own)
                share = f"{done} of {len(own)} ({done / len(own):.0%})"
                lines.append(f"{kind}, {half}: {share} end to end")
    mechanical = [row for row in rows if row.kind == "mechanical"]
    if mechanical:
        done = sum(row.end_to_end for row in mechanical)
        lines.append(f"mechanical, all: {done} of {len(mechanical)} end to end (goal 80 %)")
    broken = sum(bool(row.broken) for row in rows)
    lines.append(f"patches that passed the gates and broke a held-out scenario: {broken} (goal 0)")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
