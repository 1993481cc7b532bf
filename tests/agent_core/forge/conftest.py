"""The GitHub that pull requests are proposed to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent_core.forge.github_world import TOKEN, World, git
from tests.fake_github import FakeGithub


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clone, bare = tmp_path / "clone", tmp_path / "shop.git"
    git(tmp_path, "init", "-q", "-b", "main", str(clone))
    (clone / "CLAUDE.md").write_text("- Be quick.\n")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "begin")
    git(tmp_path, "clone", "-q", "--bare", str(clone), str(bare))
    with FakeGithub(bare, "octo/shop", TOKEN) as github:
        yield World(clone, github)
