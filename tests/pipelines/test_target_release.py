"""Which release of a foreign target a session ran with."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_core.errors import TargetError
from pipelines.config import TargetConfig
from pipelines.context import Context
from pipelines.target_release import (
    Release,
    release_at,
    set_target_releases,
    target_releases,
)
from tests.pipelines.warehouse_rows import add


def _git(repo: Path, *command: str, on: int = 1) -> str:
    at = f"2026-09-{on:02d}T12:00:00+00:00"
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", "-C", str(repo), *identity, *command],
        env={**os.environ, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def _commit(repo: Path, path: str, *, on: int) -> str:
    """A commit of September that changes one file; its short id."""
    file = repo / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"written on day {on}\n")
    _git(repo, "add", path)
    _git(repo, "commit", "-qm", f"{path} {on}", on=on)
    return _git(repo, "rev-parse", "HEAD")[:12]


def _at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 9, day, hour, tzinfo=UTC)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    return root


def _target(repo: Path) -> TargetConfig:
    return TargetConfig(repo=repo, patchable=["CLAUDE.md", "tools"], agent="claude-code")


def test_only_commits_that_touch_prompts_and_tools_are_releases(repo: Path) -> None:
    first = _commit(repo, "CLAUDE.md", on=2)
    _commit(repo, "app.py", on=3)
    second = _commit(repo, "tools/deploy.py", on=4)
    assert target_releases(_target(repo)) == [Release(_at(2), first), Release(_at(4), second)]


def test_a_change_counts_from_its_merge_on(repo: Path) -> None:
    first = _commit(repo, "CLAUDE.md", on=2)
    _git(repo, "switch", "-qc", "patch")
    _commit(repo, "CLAUDE.md", on=3)
    _git(repo, "switch", "-q", "main")
    _git(repo, "merge", "-q", "--no-ff", "-m", "merged", "patch", on=9)
    merged = _git(repo, "rev-parse", "HEAD")[:12]
    assert target_releases(_target(repo)) == [Release(_at(2), first), Release(_at(9), merged)]


@pytest.mark.parametrize(
    ("started_at", "release"),
    [(_at(1), None), (_at(2, 13), "a"), (_at(4), "a"), (_at(4, 13), "b"), (None, None)],
    ids=["before all", "after the first", "at the second", "after it", "unknown"],
)
def test_a_session_has_the_release_that_stood_when_it_began(
    started_at: datetime | None, release: str | None
) -> None:
    assert release_at([Release(_at(2), "a"), Release(_at(4), "b")], started_at) == release


def test_sessions_of_the_target_get_its_releases_and_lose_them_with_it(context: Context) -> None:
    sessions = {
        "claude_code:in": ("claude-code", "/home/ada/shop/sub", "2.1.0"),
        "claude_code:out": ("claude-code", "/home/ada/shopping", "2.1.0"),
        "codex:in": ("codex", "/home/ada/shop", "0.9.0"),
    }
    target = TargetConfig(
        repo=Path("/gone"), patchable=["x"], agent="claude-code", projects=["/home/ada/shop"]
    )
    with context.warehouse() as connection:
        for key, (agent, project, version) in sessions.items():
            named = {"agent": agent, "project": project, "format": key.partition(":")[0]}
            versions = {"agent_version": version, "release": version}
            add(connection, "sessions", session_key=key, started_at=_at(5), **named, **versions)
        read = "SELECT session_key, release FROM sessions ORDER BY ALL"
        set_target_releases(connection, target, [Release(_at(2), "0123456789ab")])
        assert connection.execute(read).fetchall() == [
            ("claude_code:in", "0123456789ab"),
            ("claude_code:out", None),
            ("codex:in", "0.9.0"),
        ]
        set_target_releases(connection, TargetConfig(), [])
        assert {release for _, release in connection.execute(read).fetchall()} == {"2.1.0", "0.9.0"}


def test_a_target_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="is no git repository"):
        target_releases(_target(tmp_path))
