"""Killed in any phase of its attempts, `signals tasks run --all` finishes every task once."""

import multiprocessing
import random
import shutil
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from agent_core.sandbox import find_sandbox
from pipelines.home import Home
from pipelines.warehouse import open_warehouse, query
from tests.pipelines.fleet_world import git, make_world, scripted

pytestmark = pytest.mark.slow

_KILLS = 30
_PHASES = ("work/*/base", "work/*/export", "sessions/patch-*", "work/*/tree", "work/*/scratch",
           "branch", "pull_requests/*.md")  # fmt: skip
"""What stands in the home, or the repository, once an attempt has come so far."""
_WAIT_SECONDS = 120


def _run_all(home: Path) -> None:
    """`signals tasks run --all`, with a script in the place of the paid model."""
    from pipelines import patching
    from pipelines.cli.app import run

    patching._policy = scripted
    raise SystemExit(run(["--home", str(home), "tasks", "run", "--all", "--jobs", "2"]))


@pytest.mark.timeout(3600)
def test_killed_at_random_moments_the_next_run_finishes_every_task_once(tmp_path: Path) -> None:
    if find_sandbox() is None:
        pytest.skip("no sandbox works on this machine")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["pipelines.cli.app", "pipelines.fleet"])
    chance = random.Random(19)
    states: Counter[str] = Counter()
    for number in range(_KILLS):
        world = tmp_path / str(number)
        home = make_world(world, 2)
        process = processes.Process(target=_run_all, args=(home.root,))
        process.start()
        _wait_for(_PHASES[number % len(_PHASES)], world, process)
        time.sleep(chance.uniform(0, 0.15))
        process.kill()
        process.join()
        states.update(_states(home))
        process = processes.Process(target=_run_all, args=(home.root,))
        process.start()
        process.join()
        assert process.exitcode == 0, (number, _states(home))
        _assert_finished_once(world, home)
        shutil.rmtree(world)
    print(f"states after the kill: {dict(states)}")
    assert {"open", "patching", "verifying"} <= states.keys()


def _wait_for(phase: str, world: Path, process: multiprocessing.process.BaseProcess) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until and process.is_alive():
        with suppress(OSError):  # a folder may go while it is listed
            if phase == "branch":
                found = any((world / "target/.git/refs/heads").glob("signals/*"))
            else:
                found = any((world / "home").glob(phase))
            if found:
                return
        time.sleep(0.002)


def _states(home: Home) -> list[str]:
    with open_warehouse(home.warehouse) as connection:
        return [str(state) for state in query(connection, "SELECT state FROM patch_tasks")["state"]]


def _assert_finished_once(world: Path, home: Home) -> None:
    repo = world / "target"
    with open_warehouse(home.warehouse) as connection:
        attempts = query(
            connection, "SELECT task_id, status, commit_sha FROM patch_attempts ORDER BY task_id"
        ).rows()
        proposed = query(
            connection,
            "SELECT task_id, count(*) FROM task_transitions WHERE to_state = 'proposed' "
            "GROUP BY task_id ORDER BY task_id",
        ).rows()
    tips = [git(repo, "rev-parse", f"signals/task-{number}")[0] for number in (1, 2)]
    assert _states(home) == ["proposed", "proposed"]
    assert attempts == [(f"task-{n}", "proposed", tip) for n, tip in zip((1, 2), tips, strict=True)]
    assert proposed == [("task-1", 1), ("task-2", 1)]
    branches = git(repo, "branch", "--format=%(refname:short)")
    assert branches == ["main", "signals/task-1", "signals/task-2"]
    for branch in branches[1:]:
        assert git(repo, "rev-list", "--count", f"main..{branch}") == ["1"]
    written = sorted(path.name for path in (home.root / "pull_requests").iterdir())
    assert written == ["task-1.md", "task-2.md"]
    assert len(git(repo, "worktree", "list")) == 1
    assert [path for path in (home.root / "work").rglob("*") if path.is_file()] == []
