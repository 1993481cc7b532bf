"""Commands, really run in the sandbox that works here."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from agent_core.sandbox import Sandbox
from agent_core.session import Observation, ToolCall
from agent_core.toolkit import TOOLS_FOLDER, Toolbox, Workspace, load_tools
from tests.agent_core.workbench import a_sandbox, call_tool


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    found = a_sandbox()
    if found is None:
        pytest.skip("no sandbox works here")
    return found


def run(root: Path, sandbox: Sandbox | None, command: str, **arguments: Any) -> Observation:
    return call_tool(root, "run_command", sandbox, command=command, **arguments)


@pytest.mark.parametrize(
    ("command", "content", "error_class"),
    [
        pytest.param("echo one; echo two", "one\ntwo", None, id="serves"),
        pytest.param("true", "[no output]", None, id="silent"),
        pytest.param("cd sub && pwd", "sub", None, id="own paths are relative"),
        pytest.param("echo bad >&2; exit 3", "exit code 3\nbad", "command_failed", id="fails"),
        pytest.param("echo 'FAIL: x'; exit 1", "exit code 1\nFAIL: x", "test_failure", id="tests"),
    ],
)
def test_gives_output_and_exit_code(
    tmp_path: Path, sandbox: Sandbox, command: str, content: str, error_class: str | None
) -> None:
    (tmp_path / "sub").mkdir()
    observed = run(tmp_path, sandbox, command)
    expected = (content, error_class is not None, error_class)
    assert (observed.content, observed.is_error, observed.error_class) == expected


def test_runs_where_it_is_told_to_and_writes_there(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "sub").mkdir()
    assert not run(tmp_path, sandbox, "echo x > made", cwd="sub").is_error
    assert (tmp_path / "sub/made").read_text() == "x\n"
    assert run(tmp_path, sandbox, "true", cwd="..").error_class == "permission"


@pytest.mark.slow
def test_an_ordinary_test_suite_is_not_stopped(tmp_path: Path, sandbox: Sandbox) -> None:
    observed = run(tmp_path, sandbox, "sleep 2.5; echo OK")
    assert (observed.content, observed.is_error) == ("OK", False)


def test_nothing_runs_without_a_sandbox(tmp_path: Path) -> None:
    observed = run(tmp_path, None, "touch made")
    assert (observed.is_error, observed.error_class) == (True, "permission")
    assert list(tmp_path.iterdir()) == []


def test_the_spec_decides_when_a_command_is_stopped(tmp_path: Path, sandbox: Sandbox) -> None:
    tools, root = tmp_path / "tools", tmp_path / "root"
    root.mkdir()
    shutil.copytree(TOOLS_FOLDER, tools)
    spec = tools / "run_command.toml"
    current = load_tools()["run_command"].spec.limits["timeout_seconds"]
    changed = spec.read_text().replace(f"timeout_seconds = {current}", "timeout_seconds = 0.5")
    spec.write_text(changed)
    call = ToolCall("c", "run_command", {"command": "echo begun; sleep 20"})
    observed = Toolbox(load_tools(tools), Workspace(root), sandbox).execute(call)
    assert (observed.is_error, observed.error_class) == (True, "timeout")
    assert "0.5 s" in observed.content
    assert observed.content.splitlines()[-1] == "begun"


def test_long_output_is_condensed(tmp_path: Path, sandbox: Sandbox) -> None:
    observed = run(tmp_path, sandbox, "seq 1 20000; echo 'Error: lost'; seq 1 20000")
    assert len(observed.content.splitlines()) < 5000
    assert "20001: Error: lost" in observed.content
