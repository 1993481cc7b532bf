"""The playbook policy repairs real copies of the tools, through the tools, or gives up.

The defects are planted here, so that the tests do not depend on the values of the specs.
"""

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from agent_core.loop import AgentResult
from agent_core.playbook import load_playbooks, parse_playbook
from agent_core.playbook_policy import FailureKind, PlaybookPolicy, failure_kind
from agent_core.policy import AgentTurn
from agent_core.remedies import Case, carry_out
from agent_core.remedies.rules import RaiseLimit
from tests.agent_core.workbench import a_sandbox, opened

REPOSITORY = Path(__file__).resolve().parents[2]
RUN, EDIT = "agent_core/tools/run_command.toml", "agent_core/tools/edit_file.toml"
PROMPT = "agent_core/prompts/system.md"
BARE = 'no_match = "edit failed"'


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the core, as the agent's workspace."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "agent_core", tmp_path / "copy/agent_core", ignore=ignore)
    return tmp_path / "copy"


def spoil(copy: Path, path: str, pattern: str, replacement: str) -> None:
    text = (copy / path).read_text()
    spoiled, count = re.subn(pattern, lambda _: replacement, text, count=1, flags=re.DOTALL)
    assert count == 1, f"{path} has nothing like {pattern}"
    (copy / path).write_text(spoiled)


def spoil_timeout(copy: Path, value: str = "2") -> None:
    spoil(copy, RUN, r"timeout_seconds = [\d.]+", f"timeout_seconds = {value}")


def spoil_message(copy: Path) -> None:
    spoil(copy, EDIT, r'no_match = """.*?"""', BARE)


def repair(copy: Path, task: str) -> tuple[AgentResult, list[str]]:
    """The result, and the tools that were called."""
    home = copy.parent / "home"
    session = opened(copy, home, PlaybookPolicy(), sandbox=a_sandbox())
    result = session.send(task)
    turns = [turn for turn in session.state.turns if isinstance(turn, AgentTurn)]
    return result, [call.name for turn in turns for call in turn.action.tool_calls]


def task_for(tool: str, error_class: str) -> str:
    return f"A friction pattern.\n\ntool: {tool}\nerror class: {error_class}\n"


def test_raises_a_limit_and_leaves_the_rest_alone(copy: Path) -> None:
    spoil_timeout(copy)
    before = (copy / RUN).read_text()
    result, tools = repair(copy, task_for("run_command", "timeout"))
    assert (result.status, tools) == (
        "done",
        ["read_file", "read_file", "edit_file", "run_command", "submit"],
    )
    raised = tomllib.loads((copy / RUN).read_text())["limits"]["timeout_seconds"]
    assert 5 <= raised <= 300
    assert (copy / RUN).read_text() == before.replace("_seconds = 2\n", f"_seconds = {raised}\n")
    assert [subtask.status for subtask in result.plan] == ["done"] * 4


def test_makes_an_error_actionable(copy: Path) -> None:
    sound = (copy / EDIT).read_text()
    spoil_message(copy)
    result, _ = repair(copy, task_for("edit_file", "no_match"))
    assert result.status == "done"
    message = tomllib.loads((copy / EDIT).read_text())["errors"]["no_match"]
    assert "{path}" in message
    assert "{nearest}" in message
    assert "read_file" in message
    for key in ("limits", "parameters", "error_fields", "examples"):
        assert tomllib.loads((copy / EDIT).read_text())[key] == tomllib.loads(sound)[key]


def test_adds_the_guidance_where_it_is_missing(copy: Path) -> None:
    spoil(copy, PROMPT, r"- When edit_file[^\n]*\n", "")
    result, _ = repair(copy, task_for("edit_file", "no_match"))
    assert result.status == "done"
    section = (copy / PROMPT).read_text().split("## Tools")[1].split("##")[0].rstrip()
    assert section.splitlines()[-1].startswith("- When edit_file finds no match, read the file")


@pytest.mark.parametrize(
    ("tool", "error_class", "reason"),
    [
        pytest.param(
            "edit_file", "no_match", "the remedy for no_match in edit_file is in place", id="sound"
        ),
        pytest.param("search", "rate_limit", "no playbook applies to rate_limit", id="no playbook"),
        pytest.param("../x", "timeout", "no playbook applies|names no tool", id="no tool"),
    ],
)
def test_gives_up_and_changes_nothing(copy: Path, tool: str, error_class: str, reason: str) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    result, tools = repair(copy, task_for(tool, error_class))
    assert result.status == "gave_up"
    assert re.search(reason, result.text)
    assert tools[-1] == "submit"
    assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before


def test_gives_up_at_the_cap(copy: Path) -> None:
    spoil_timeout(copy, "1000")
    result, _ = repair(copy, task_for("run_command", "timeout"))
    assert (result.status, "is 1000 already, the cap" in result.text) == ("gave_up", True)


def test_gives_up_when_the_tool_does_not_supply_the_fields(copy: Path) -> None:
    spoil_message(copy)
    spoil(copy, EDIT, r'no_match = \["path", "nearest"\]', 'no_match = ["path"]')
    result, _ = repair(copy, task_for("edit_file", "no_match"))
    assert (result.status, "does not supply nearest" in result.text) == ("gave_up", True)


def test_gives_up_when_the_tools_no_longer_load(copy: Path) -> None:
    if a_sandbox() is None:
        pytest.skip("no sandbox works here")
    spoil_timeout(copy)
    (copy / "agent_core/tools/search.toml").write_text("name = ")
    result, _ = repair(copy, task_for("run_command", "timeout"))
    assert (result.status, "do not load" in result.text) == ("gave_up", True)


def test_a_limit_never_goes_above_the_cap(copy: Path) -> None:
    (playbook,) = (p for p in load_playbooks() if p.front.name == "raise_limit")
    remedy = playbook.front.remedy
    assert isinstance(remedy, RaiseLimit)
    cap = remedy.limits["run_command"]["timeout"].cap
    spoil_timeout(copy, f"{cap - 1:g}")
    case = Case("run_command", "timeout")
    ((change,), _) = carry_out([remedy], case, {RUN: (copy / RUN).read_text()})
    assert change.new_text.endswith(f"timeout_seconds = {cap:g}\n")
    assert (copy / RUN).read_text().count(change.old_text) == 1


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param("tool: a\nerror class: b", FailureKind("a", "b"), id="lines"),
        pytest.param("- Tool: `a`\n- Error_class: `b`", FailureKind("a", "b"), id="list"),
        pytest.param("the tool: a\nerror class: b", None, id="not at the line's start"),
        pytest.param("tool: a", None, id="no class"),
    ],
)
def test_reads_the_kind_of_failure(task: str, expected: FailureKind | None) -> None:
    assert failure_kind(task) == expected


def test_a_playbook_without_its_own_front_matter_is_not_used() -> None:
    text = (REPOSITORY / "agent_core/playbooks/raise_limit.md").read_text()
    playbook = parse_playbook("x.md", text)
    assert playbook.applies_to("run_command", "timeout")
    assert not playbook.applies_to("run_command", "no_match")
    assert not playbook.applies_to("submit", "timeout")
