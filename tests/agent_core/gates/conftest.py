"""Trees of the core and records of its calls, for the gates that run it in a sandbox."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent_core.change import changes_between
from agent_core.gates import Candidate
from agent_core.recorder import Recorder
from agent_core.replay_records import Selection, select_calls
from agent_core.sandbox import Sandbox, find_sandbox
from agent_core.sandbox.confinement import SANDBOX_VARIABLE
from agent_core.session import ToolCall
from agent_core.toolkit import Toolbox, Workspace, load_tools

Edits = Mapping[str, tuple[str, str]]
"""Path → old and new text."""


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    if SANDBOX_VARIABLE in os.environ:
        pytest.skip("already confined: sandboxes do not nest reliably")
    found = find_sandbox()
    if found is None:
        pytest.skip("no sandbox works on this machine")
    return found


@pytest.fixture
def make_tree(repository: Path, tmp_path: Path) -> Callable[[str, Edits], Path]:
    """A copy of the core with some texts replaced."""

    def make(name: str, edits: Edits) -> Path:
        tree = tmp_path / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / "agent_core", tree / "agent_core", ignore=ignored)
        shutil.copy(repository / "pyproject.toml", tree)
        for path, (old, new) in edits.items():
            text = (tree / path).read_text()
            assert old in text
            (tree / path).write_text(text.replace(old, new))
        return tree

    return make


@pytest.fixture
def record_calls(tmp_path: Path, sandbox: Sandbox) -> Callable[[Path, list[ToolCall]], Path]:
    """Makes calls with the tools of a tree, recorded as session s1; the records' folder."""

    def record(tree: Path, calls: list[ToolCall]) -> Path:
        root = tmp_path / "workspace"
        root.mkdir()
        (root / "a.py").write_text("def f():\n\treturn 1\n")
        workspace = Workspace(root)
        toolbox = Toolbox(load_tools(tree / "agent_core" / "tools"), workspace, sandbox)
        recorder = Recorder(tmp_path / "replay", "s1", workspace)
        for call in calls:
            recorder.recorded(call, toolbox.execute)
        return tmp_path / "replay"

    return record


@pytest.fixture
def make_candidate(tmp_path: Path) -> Callable[..., Candidate]:
    """A patch as the difference of two trees."""

    def make(
        base: Path,
        tree: Path,
        sandbox: Sandbox | None,
        wanted: Selection | None = None,
        test_command: tuple[str, ...] = (),
    ) -> Candidate:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        calls = select_calls(tmp_path / "replay", wanted or Selection((), None, None, ()), b"")
        return Candidate(
            changes=tuple(changes_between(base, tree)),
            diff="",
            description="",
            patchable=("agent_core/prompts", "agent_core/tools", "agent_core/playbooks"),
            base_commit="0" * 40,
            base=base,
            tree=tree,
            scratch=scratch,
            cache=tmp_path / "cache",
            test_command=test_command,
            is_core=True,
            calls=calls,
            sandbox=sandbox,
            reviewer=None,
        )

    return make
