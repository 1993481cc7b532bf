"""Tasks side by side: one failure is one task's, the budget holds, nobody's task is taken."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import BudgetSpentError, ModelError, TaskHeldError
from agent_core.model import ChatMessage, ModelReply
from agent_core.policy import Action, AgentState, Policy
from agent_core.sandbox import find_sandbox
from agent_core.session import Tokens
from agent_core.worktree import alone_in, open_repository
from pipelines.config import load_config
from pipelines.context import Context
from pipelines.fleet import run_fleet
from pipelines.fleet_budget import BudgetedModel, FleetBudget
from pipelines.fleet_leftovers import clear_leftovers
from pipelines.home import Home
from pipelines.targets import configured_target
from pipelines.tasks import get_task, move_task
from pipelines.warehouse import query
from tests.pipelines.conftest import NOW
from tests.pipelines.fleet_world import context_of, git, make_world, scripted, with_budget

_SECRET = "the user said zebra-quokka-7781"


class _Broken:
    """Breaks in the middle of the work, with a session's words on its lips."""

    name = "broken"

    def next_action(self, state: AgentState) -> Action:
        raise RuntimeError(_SECRET)


def _second_is_broken(context: Context, model: BudgetedModel | None) -> Policy:
    _second_is_broken.calls += 1  # type: ignore[attr-defined]
    is_second = _second_is_broken.calls == 2  # type: ignore[attr-defined]
    return _Broken() if is_second else scripted(context, model)


@pytest.mark.slow
def test_three_tasks_side_by_side_of_which_one_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_sandbox() is None:
        pytest.skip("no sandbox works on this machine")
    _second_is_broken.calls = 0  # type: ignore[attr-defined]
    monkeypatch.setattr("pipelines.patching._policy", _second_is_broken)
    home = make_world(tmp_path, 3)
    result = run_fleet(context_of(home), jobs=3)
    assert sorted(o.status for o in result.outcomes.values()) == ["failed", "proposed", "proposed"]
    assert result.left == {}
    broken = next(task for task, o in result.outcomes.items() if o.status == "failed")
    with context_of(home).warehouse() as connection:
        rows = query(connection, "SELECT task_id, status, reason FROM patch_attempts").rows()
        states = query(connection, "SELECT state FROM patch_tasks ORDER BY state")["state"]
    assert list(states) == ["failed", "proposed", "proposed"]
    (reason,) = [row[2] for row in rows if row[0] == broken]
    assert reason.startswith("an error of Signals itself (RuntimeError); its place is in ")
    log = (home.state / "tasks.log").read_text()
    assert "next_action" in log
    assert _SECRET not in log + reason
    assert len(git(tmp_path / "target", "branch", "--list", "signals/*")) == 2
    assert len(git(tmp_path / "target", "worktree", "list")) == 1


_HOLD = """
import sys, time
from pathlib import Path
from pipelines.home import Home
with Home(Path(sys.argv[1])).working_on("task-1", "signals tasks run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_task_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    home = make_world(tmp_path, 1)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(home.root)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        result = run_fleet(context_of(home))
        other.kill()
    told = f"task-1: signals tasks run (process {other.pid}) works on it; wait for it to end"
    assert (result.outcomes, result.left) == ({}, {"task-1": told})
    with home.working_on("task-1", "the next run"):  # the kill has freed it
        pass


def test_a_task_is_held_against_threads_too(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    told = r"task-1: signals one \(process \d+\) works on it"
    with (
        home.working_on("task-1", "signals one"),
        home.working_on("task-2", "signals two"),
        pytest.raises(TaskHeldError, match=told),
        home.working_on("task-1", "signals three"),
    ):
        pass


class _Model:
    """A model that answers with so many tokens, or fails."""

    name = "fake"

    def __init__(self, answers: Sequence[int | None]) -> None:
        self._answers = list(answers)

    def __call__(self, messages: Sequence[ChatMessage], **_: Any) -> ModelReply:
        tokens = self._answers.pop(0)
        if tokens is None:
            raise ModelError("unreachable")
        return ModelReply("yes", tokens=Tokens(input=tokens))


def test_no_call_is_made_that_the_budget_has_no_room_for() -> None:
    budget = FleetBudget(lambda: NOW, tokens=20_000)
    model = BudgetedModel(_Model([9_000, 9_000]), budget)
    other = BudgetedModel(_Model([1]), budget)
    model([ChatMessage("user", "a")])
    model([ChatMessage("user", "b")])
    with pytest.raises(BudgetSpentError, match=r"18,000 of 20,000 tokens are used; the next run"):
        other([ChatMessage("user", "c" * 60)])
    assert (model.tokens, other.tokens, budget.spent) == (18_000, 0, 18_000)
    budget.check()


def test_what_a_failed_or_uncounted_call_took_is_estimated() -> None:
    budget = FleetBudget(lambda: NOW, tokens=10_000)
    model = BudgetedModel(_Model([None, 0]), budget)
    with pytest.raises(ModelError, match="unreachable"):
        model([ChatMessage("user", "a" * 300)])
    model([ChatMessage("user", "a" * 300)])
    assert budget.spent == model.tokens == 2 * 4_100


def test_after_the_minutes_nothing_is_begun() -> None:
    times = iter([NOW, NOW + timedelta(minutes=4), NOW + timedelta(minutes=5)])
    budget = FleetBudget(lambda: next(times), minutes=5)
    budget.check()
    with pytest.raises(BudgetSpentError, match="budget_minutes: 5 minutes are over"):
        budget.check()


@pytest.mark.slow
def test_tasks_that_the_budget_does_not_reach_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.patching._policy", scripted)
    home = make_world(tmp_path, 2)
    result = run_fleet(with_budget(context_of(home), budget_minutes=1e-9), jobs=2)
    assert result.outcomes == {}
    assert set(result.left) == {"task-1", "task-2"}
    with context_of(home).warehouse() as connection:
        assert {get_task(connection, f"task-{n}").state for n in (1, 2)} == {"open"}


@pytest.mark.slow
def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    home, repo = make_world(tmp_path, 3), tmp_path / "target"
    context = context_of(home)
    with context.warehouse() as connection:
        for task_id in ("task-1", "task-2"):
            for state in ("planned", "patching", "verifying"):
                move_task(connection, task_id, state, "killed later", NOW)
    work = home.root / "work" / "task-1" / "base"
    work.parent.mkdir(parents=True)
    git(repo, "worktree", "add", "-q", "--detach", str(work))
    (home.root / "work" / "task-gone" / "export").mkdir(parents=True)
    ours = ("-c", "user.name=Signals", "-c", "user.email=signals@localhost")
    tree = git(repo, "rev-parse", "HEAD^{tree}")[0]
    commit = git(repo, *ours, "commit-tree", tree, "-p", "HEAD", "-m", "killed")[0]
    theirs = ("-c", "user.name=P", "-c", "user.email=p@example.org")
    by_person = git(repo, *theirs, "commit-tree", tree, "-p", "HEAD", "-m", "mine")[0]
    git(repo, "update-ref", "refs/heads/signals/task-1", commit)
    git(repo, "update-ref", "refs/heads/signals/task-2", by_person)
    target = configured_target(load_config(home.config))
    assert clear_leftovers(context, target) == ["task-1", "task-2", "task-gone"]
    assert list((home.root / "work").iterdir()) == []
    assert len(git(repo, "worktree", "list")) == 1
    assert git(repo, "branch", "--format=%(refname:short)") == ["main", "signals/task-2"]
    with context.warehouse() as connection:
        assert {get_task(connection, f"task-{n}").state for n in (1, 2, 3)} == {"open"}
    assert clear_leftovers(context, target) == []


@pytest.mark.slow
def test_a_lock_of_git_that_a_kill_left_is_removed(tmp_path: Path) -> None:
    make_world(tmp_path, 0)
    repo = open_repository(tmp_path / "target")
    left = tmp_path / "target" / ".git" / "refs" / "heads" / "signals" / "task-1.lock"
    left.parent.mkdir(parents=True)
    left.touch()
    with alone_in(repo):
        assert not left.exists()
    repo.close()
