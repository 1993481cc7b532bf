"""The bundled core repairs itself: a clone with planted defects, real sessions, all gates."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_core.gates.scenario_worker import ScriptedPolicy
from agent_core.loop import AgentSession
from agent_core.model import OpenAIModel
from agent_core.model_policy import ModelPolicy
from agent_core.patching import PatchOutcome, PatchTask, bundled_target, run_patch_task
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.policy import Policy
from agent_core.recorder import Recorder
from agent_core.sandbox import Sandbox, find_sandbox
from agent_core.session_log import LogHeader, SessionLog
from agent_core.toolkit import Toolbox, Workspace, load_tools
from tests.fake_openai import FakeOpenAI, json_text, tool_calls

pytestmark = pytest.mark.slow

_IDENTITY = ["-c", "user.name=Person", "-c", "user.email=person@example.org"]
_DEFECTS = (
    ("run_command", "timeout", "limits.timeout_seconds from 1 to 10"),
    ("edit_file", "no_match", "errors.no_match reworded"),
)


@pytest.fixture(scope="module")
def patient(repository: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """A folder with `clone`, whose tools are defective, and a `home` with sessions of it."""
    folder = tmp_path_factory.mktemp("patient")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    command, edit = (clone / f"agent_core/tools/{n}.toml" for n in ("run_command", "edit_file"))
    command.write_text(command.read_text().replace("timeout_seconds = 60", "timeout_seconds = 1"))
    text = edit.read_text()
    start, end = text.index('no_match = """'), text.index("no_match_several")
    edit.write_text(f'{text[:start]}no_match = "no match"\n{text[end:]}')
    subprocess.run(["git", *_IDENTITY, "commit", "-qam", "older tools"], cwd=clone, check=True)
    for number in range(3):
        _session(folder, number, sandbox)
    return folder


def _session(folder: Path, number: int, sandbox: Sandbox) -> None:
    root = folder / f"workspace-{number}"
    root.mkdir()
    (root / "a.py").write_text(f"def f():\n\treturn {number}\n")
    edit = {"path": "a.py", "old_text": f"    return {number}", "new_text": "    return 9"}
    calls: Sequence[tuple[str, dict[str, Any]]] = (
        ("run_command", {"command": f"sleep 2; echo slow {number}"}),
        ("run_command", {"command": f"echo quick {number}"}),
        ("run_command", {"command": "exit 3"}),
        ("edit_file", edit),
        ("edit_file", edit | {"old_text": f"return {number}"}),
    )
    script = [{"tool": t, "arguments": a, "only_after_error": False} for t, a in calls]
    workspace, session_id = Workspace(root), f"s{number}"
    log = folder / "home" / "sessions" / f"{session_id}.json"
    AgentSession(
        policy=ScriptedPolicy(script),
        toolbox=Toolbox(load_tools(folder / "clone/agent_core/tools"), workspace, sandbox),
        log=SessionLog(log, LogHeader(session_id, "0.0"), lambda: datetime.now(UTC)),
        recorder=Recorder(folder / "home" / "replay", session_id, workspace),
    ).send("work")


def _attempt(
    folder: Path, tool: str, error_class: str, policy: Policy | None = None
) -> PatchOutcome:
    task = PatchTask(
        task_id=f"task-{tool}",
        title=f"{tool}: {error_class} errors",
        type="error_event",
        tool=tool,
        error_class=error_class,
        affected_sessions=("s0", "s1", "s2"),
    )
    return run_patch_task(
        task,
        target=bundled_target(folder / "clone"),
        home=folder / "home",
        policy=policy or PlaybookPolicy(),
        sandbox=find_sandbox(),
        salt=b"salt",
        clock=lambda: datetime.now(UTC),
        on_state=lambda state, reason: None,
    )


def _git(folder: Path, *command: str) -> list[str]:
    done = subprocess.run(
        ["git", *command], cwd=folder / "clone", check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(("tool", "error_class", "change"), _DEFECTS, ids=lambda value: value)
def test_a_planted_defect_is_repaired(
    patient: Path, tool: str, error_class: str, change: str
) -> None:
    outcome = _attempt(patient, tool, error_class)
    statuses = {gate.gate: gate.status for gate in outcome.gate_results}
    assert statuses == {
        "scope": "passed",
        "style": "passed",
        "unit tests": "passed",
        "replay": "passed",
        "scenarios": "passed",
        "self-review": "unscored",
    }, outcome.gate_results
    assert outcome.status == "proposed"
    assert outcome.pr_path is not None
    assert f"- `agent_core/tools/{tool}.toml`: {change}" in Path(outcome.pr_path).read_text()
    changed = _git(patient, "diff", "--name-only", f"main...signals/task-{tool}")
    assert set(changed) <= {f"agent_core/tools/{tool}.toml", "agent_core/prompts/system.md"}


def test_a_model_repairs_a_defect_and_reviews_the_patch(patient: Path) -> None:
    """Over real HTTP: the model reads, edits and submits; its review is a gate of its own."""
    place = "agent_core/tools/run_command.toml"
    edit = {
        "path": place,
        "old_text": "timeout_seconds = 1\n",
        "new_text": "timeout_seconds = 45\n",
    }
    script = [
        tool_calls(("read_file", json.dumps({"path": ".signals/task.json"}))),
        tool_calls(("edit_file", json.dumps(edit))),
        tool_calls(("submit", json.dumps({"summary": "Commands may take 45 s."}))),
        json_text({"verdict": "approve", "reason": "the limit was too short"}),
    ]
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "scripted", "key", max_retries=0) as model,
    ):
        outcome = _attempt(patient, "run_command", "timeout", ModelPolicy(model))
    statuses = {gate.gate: gate.status for gate in outcome.gate_results}
    assert statuses == dict.fromkeys(
        ("scope", "style", "unit tests", "replay", "scenarios", "self-review"), "passed"
    ), outcome.gate_results
    assert outcome.status == "proposed"
    assert "+timeout_seconds = 45" in outcome.diff
    told = json.dumps(endpoint.requests[1]["messages"])
    assert "failed_calls" in told
    assert "timeout_seconds = 45" in json.dumps(endpoint.requests[3]["messages"])


_RUN = "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1:2]; \
from test_self_repair import _attempt; _attempt(Path(sys.argv[2]), 'run_command', 'timeout')"


def test_a_killed_run_is_finished_by_the_next(patient: Path) -> None:
    here = Path(__file__).parent
    for seconds in (0.6, 1.2, 2.5, 4.0, 6.0):
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN, str(here), str(patient)],
            start_new_session=True,
            cwd=here.parents[2],
        )
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    outcome = _attempt(patient, "run_command", "timeout")
    assert outcome.status == "proposed", outcome.reason
    branches = _git(patient, "branch", "--format=%(refname:short)", "--list", "*run_command")
    assert branches == ["signals/task-run_command"]
    assert _git(patient, "rev-list", "--count", "main..signals/task-run_command") == ["1"]
    assert len(_git(patient, "worktree", "list")) == 1
    assert list((patient / "home" / "work" / "task-run_command").iterdir()) == []
