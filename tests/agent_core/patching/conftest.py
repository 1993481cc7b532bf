"""A small foreign target, and what an attempt at a task needs."""

import os
import subprocess
from pathlib import Path

import pytest
from git import Repo

from agent_core.sandbox import Sandbox, find_sandbox
from agent_core.sandbox.confinement import SANDBOX_VARIABLE

IDENTITY = ["-c", "user.name=Person", "-c", "user.email=person@example.org"]


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    if SANDBOX_VARIABLE in os.environ:
        pytest.skip("already confined: sandboxes do not nest reliably")
    found = find_sandbox()
    if found is None:
        pytest.skip("no sandbox works on this machine")
    return found


@pytest.fixture
def foreign_repo(tmp_path: Path) -> Path:
    root = tmp_path / "foreign"
    with Repo.init(root, initial_branch="main") as repo:
        (root / "CLAUDE.md").write_text("# Rules\n- Be quick.\n")
        (root / "app.py").write_text("x = 1\n")
        (root / "answers").mkdir()
        (root / "answers" / "key").write_text("42\n")
        repo.git.add(".")
    subprocess.run(["git", *IDENTITY, "commit", "-qm", "begin"], cwd=root, check=True)
    return root
