"""Merged tasks followed to their end: a real repository, a real warehouse, days that go by."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from git import Repo

from agent_core.release import current_release
from pipelines.config import Config
from pipelines.context import Context
from pipelines.stages.effects import WAIT, follow_merged_tasks
from pipelines.tasks import get_task, move_task, transitions
from pipelines.warehouse import query
from tests.fake_github import FakeGithub
from tests.pipelines.conftest import NOW
from tests.pipelines.warehouse_rows import add

pytestmark = pytest.mark.slow

_TOOL = "agent_core/tools/edit_file.toml"
_TASK = "task-1"


class World:
    """A target whose proposal waits, and an agent whose sessions can be made up."""

    def __init__(self, context: Context, folder: Path) -> None:
        self.folder = folder
        self.repo = Repo.init(folder, initial_branch="main")
        with self.repo.config_writer() as config:
            config.set_value("user", "name", "A Person").set_value("user", "email", "p@example.org")
        self.days = 0
        self.sessions = 0
        config_ = Config.model_validate({"target": {"repo": str(folder)}})
        self.context = replace(context, config=config_, clock=self.now)
        base = self._commit("no_match = 'edit failed'\n")
        self.bad = current_release(folder)
        self.repo.git.checkout("-b", f"signals/{_TASK}")
        fixed = self._commit("no_match = 'read the file again'\n")
        self.repo.git.checkout("main")
        self._propose(base, fixed)

    def now(self) -> Any:
        """The time of the day that it is, in the middle of the day."""
        return NOW + timedelta(days=self.days, hours=1)

    def _commit(self, text: str) -> str:
        file = self.folder / _TOOL
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        self.repo.git.add(_TOOL)
        self.repo.git.commit("-m", "a change")
        return str(self.repo.head.commit.hexsha)

    def _propose(self, base: str, fixed: str) -> None:
        with self.context.warehouse() as connection:
            add(
                connection, "patch_tasks", task_id=_TASK, state="proposed", task={"evidence": ["x"]}
            )
            add(connection, "task_transitions", task_id=_TASK, number=1, to_state="open",
                reason="a breach", moved_at=NOW)  # fmt: skip
            add(connection, "breaches", breach_id="b-1", detected_at=NOW, release=self.bad,
                tool="edit_file", error_class="no_match", affected=9, sessions=17,
                task_id=_TASK)  # fmt: skip
            add(connection, "patch_attempts", attempt_id="a-1", task_id=_TASK, base_commit=base,
                branch=f"signals/{_TASK}", commit_sha=fixed,
                diff=f"--- a/{_TOOL}\n+++ b/{_TOOL}\n")  # fmt: skip

    def merge(self) -> str:
        """A person merges the branch; the release that then runs."""
        with self.repo.git.custom_environment(GIT_COMMITTER_DATE=self.now().isoformat()):
            self.repo.git.merge("--no-ff", "-m", "take it", f"signals/{_TASK}")
        return current_release(self.folder)

    def run(self, number: int, release: str, *, shows: int, control: int = 0) -> None:
        """A day of sessions; the first so many show the pattern, the last the control."""
        self.days += 1
        with self.context.warehouse() as connection:
            for n in range(number):
                self.sessions += 1
                key = f"s-{self.sessions:04}"
                add(connection, "sessions", session_key=key, session_id=key, release=release,
                    first_seen=self.now(), started_at=self.now())  # fmt: skip
                add(connection, "judgements", judgement_id=key, session_key=key)
                for tool, has in (("edit_file", n < shows), ("search", n >= number - control)):
                    if has:
                        add(connection, "moments", moment_id=f"{key}-{tool}", judgement_id=key,
                            session_key=key, source_ref="1", tool=tool,
                            error_class="no_match")  # fmt: skip
            connection.execute(
                "INSERT OR REPLACE INTO releases SELECT agent, release, min(started_at), "
                "max(started_at), count(*) FROM sessions GROUP BY ALL"
            )

    def follow(self) -> dict[str, int]:
        """The stage, an hour after the day's sessions."""
        return follow_merged_tasks(self.context)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with self.context.warehouse() as connection:
            return query(connection, sql).rows()

    def history(self) -> list[str]:
        """The states that the task went through."""
        with self.context.warehouse() as connection:
            return [row[1] for row in transitions(connection, _TASK)]


@pytest.fixture
def world(context: Context, tmp_path: Path) -> World:
    return World(context, tmp_path / "target")


def test_a_fall_after_a_merge_that_nobody_told_of_resolves_the_task(world: World) -> None:
    world.run(40, world.bad, shows=20, control=6)
    assert world.follow()["merges_noticed"] == 0
    fixed = world.merge()
    world.run(15, fixed, shows=0, control=2)
    first = world.follow()
    assert (first["merges_noticed"], first["watching"]) == (1, 1)
    world.run(10, world.bad, shows=5)  # an older release that still runs is not "after"
    world.run(30, fixed, shows=0, control=5)
    assert world.follow()["resolved"] == 1
    assert world.history() == ["open", "merged", "watching", "resolved"]
    (last,) = world.rows(
        "SELECT affected_before, sessions_before, affected_after, sessions_after, waiting, verdict,"
        " left_out_window, left_out_release FROM effects ORDER BY measured_at DESC LIMIT 1"
    )
    assert last == (25, 50, 0, 40, 5, "resolved", 0, 0)


def test_what_the_breach_was_found_by_is_no_baseline(world: World) -> None:
    world.days = -2
    world.run(40, world.bad, shows=40)  # known at noon, when the breach was found
    world.days = 0
    fixed = world.merge()
    world.run(40, fixed, shows=0)
    assert world.follow()["watching"] == 1
    rows = world.rows("SELECT sessions_before, left_out_window, needed_before, reason FROM effects")
    assert rows[0][:2] == (0, 40)
    assert rows[0][2] > 0
    assert "sessions without the patch" in rows[0][3]


def test_a_rise_opens_the_task_again_with_what_was_seen(world: World) -> None:
    world.run(60, world.bad, shows=6, control=12)
    fixed = world.merge()
    world.run(80, fixed, shows=64, control=16)
    assert world.follow()["regressed"] == 1
    assert world.history()[-2:] == ["regressed", "open"]
    with world.context.warehouse() as connection:
        evidence = get_task(connection, _TASK).task["evidence"]
    assert evidence[0].startswith("6 of 60 sessions without the patch, 64 of 80 with it (+")
    assert evidence[1] == "x"


def test_after_the_wait_the_task_ends_as_inconclusive_and_says_why(world: World) -> None:
    world.run(40, world.bad, shows=20)
    fixed = world.merge()
    world.run(40, fixed, shows=18)
    assert world.follow()["watching"] == 1
    world.days += WAIT.days
    assert world.follow()["inconclusive"] == 1
    with world.context.warehouse() as connection:
        reason = transitions(connection, _TASK)[-1][3]
    assert reason.startswith(
        "inconclusive after 28 days: 20 of 40 sessions without the patch, 18 of 40 with it ("
    )
    assert world.history()[-1] == "expired"
    assert world.follow()["watching"] == 0


def _fix_common_trend(world: World, fixed: str) -> None:
    world.run(40, fixed, shows=1, control=1)


def _no_release_is_known(world: World, fixed: str) -> None:
    world.run(40, "1.2.3", shows=0, control=10)


@pytest.mark.parametrize(
    ("after", "left_out"),
    [(_fix_common_trend, 0), (_no_release_is_known, 40)],
    ids=["the control fell as far", "releases that say nothing"],
)
def test_what_may_have_other_causes_is_not_told(
    world: World, after: Callable[[World, str], None], left_out: int
) -> None:
    world.run(40, world.bad, shows=16, control=16)
    after(world, world.merge())
    assert world.follow()["watching"] == 1
    assert world.rows("SELECT verdict, left_out_release FROM effects") == [("watching", left_out)]


def test_a_merge_that_git_does_not_see_is_said_to_be_missing(world: World) -> None:
    world.run(40, world.bad, shows=20)
    with world.context.warehouse() as connection:
        for state in ("merged", "watching"):
            move_task(connection, _TASK, state, "a person said so", world.now())
    assert world.follow()["watching"] == 1
    (reason,) = world.rows("SELECT reason FROM effects")[0]
    assert reason.startswith("git does not see the merge in the target's branch: pull it")


def test_a_target_that_is_gone_is_counted_and_the_task_waits(world: World) -> None:
    world.merge()
    world.follow()
    gone = Config.model_validate({"target": {"repo": str(world.folder / "gone")}})
    counts = follow_merged_tasks(replace(world.context, config=gone))
    assert (counts["without_target"], counts["watching"]) == (1, 1)


_CLOSED = {"state": "closed", "closed_at": "2026-10-02T10:00:00Z", "merged_at": None}


@pytest.mark.parametrize(
    ("pull", "token", "states", "count"),
    [
        (_CLOSED | {"merged_at": _CLOSED["closed_at"]}, "t0ken", ["merged", "watching"],
         "merges_noticed"),
        (_CLOSED, "t0ken", ["rejected"], "rejected"),
        (_CLOSED, "", [], "forge_unreachable"),
    ],
    ids=["merged there", "closed there", "no token"],
)  # fmt: skip
def test_what_the_forge_says_of_a_pull_request_counts(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    pull: dict[str, object],
    token: str,
    states: list[str],
    count: str,
) -> None:
    """GitHub merged it into a branch that this clone has not pulled."""
    monkeypatch.setenv("GITHUB_TOKEN", token)
    with FakeGithub(world.folder / ".git", "octo/shop", "t0ken") as github:
        github.pulls.append({
            "number": 1, "html_url": "http://127.0.0.1/1", "draft": True, "title": "", "body": "",
            "head": {"ref": f"signals/{_TASK}", "repo": {"full_name": "octo/shop"}},
            "base": {"ref": "main"}, "labels": [], "requested_reviewers": [],
            "requested_teams": [], **pull,
        })  # fmt: skip
        forge = {"name": "github", "repository": "octo/shop", "api_url": github.api_url}
        config = {"target": {"repo": str(world.folder)}, "forge": forge}
        context = replace(world.context, config=Config.model_validate(config))
        counts = follow_merged_tasks(context)
    assert counts[count] == 1
    assert world.history() == ["open", *states]
