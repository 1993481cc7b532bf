"""Somebody's own agent as the patient: from the friction in its logs to a pull request."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_core.model import OpenAIModel
from agent_core.model_policy import ModelPolicy
from agent_core.patching import PatchOutcome, PatchTask, run_patch_task
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.policy import Policy
from agent_core.sandbox import find_sandbox
from pipelines import loop
from pipelines.config import Config, TargetConfig
from pipelines.context import Context
from pipelines.home import Home
from pipelines.stages.ingest import ingest
from pipelines.targets import configured_target
from pipelines.tasks import list_tasks
from pipelines.warehouse import query
from tests.fake_openai import FakeOpenAI, json_text, tool_calls
from tests.pipelines.foreign_world import PATCHABLE, git, sample_repository, write_sessions

pytestmark = pytest.mark.slow

_NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A home whose target is the sample repository, after a look at 60 of its sessions."""
    if find_sandbox() is None:
        pytest.skip("no sandbox works on this machine")
    folder = tmp_path_factory.mktemp("foreign")
    repo = sample_repository(folder / "shop")
    write_sessions(folder / "logs", repo, each=30)
    write_sessions(folder / "elsewhere", folder / "other", each=5)
    target = TargetConfig(
        repo=repo,
        patchable=list(PATCHABLE),
        held_out=["answers"],
        test_command=["python", "-m", "tests.check"],
        agent="claude-code",
    )
    home = Home(folder / "home").prepare()
    context = Context(home, Config(target=target), "run-1", "test", lambda: _NOW)
    ingest(context, [folder / "logs", folder / "elsewhere"])
    stages = (loop.sessions, loop.judgements, loop.moments, loop.breaches, loop.patch_tasks)
    loop.run_stages(context, *stages)
    return context


def _task(world: Context) -> PatchTask:
    with world.warehouse() as connection:
        tasks = [task for task in list_tasks(connection) if task.tool == "Edit"]
    (row,) = tasks
    return PatchTask.from_dict(row.task)


def _attempt(world: Context, task: PatchTask, policy: Policy) -> PatchOutcome:
    return run_patch_task(
        task,
        target=configured_target(world.config),
        home=world.home.root,
        policy=policy,
        sandbox=find_sandbox(),
        salt=world.home.salt(),
        clock=lambda: _NOW,
        on_state=lambda state, reason: None,
    )


def test_sessions_have_the_commit_that_they_ran_with(world: Context) -> None:
    repo = world.config.target.repo
    assert repo is not None
    second, first = git(repo, "log", "--format=%H", "--", "CLAUDE.md").splitlines()
    with world.warehouse() as connection:
        rows = query(connection, "SELECT release, count(*) FROM sessions GROUP BY ALL").rows()
    assert dict(rows) == {first[:12]: 30, second[:12]: 30, None: 10}


def test_friction_of_its_logs_becomes_a_pull_request_without_a_model(world: Context) -> None:
    task = _task(world)
    assert (task.tool, task.error_class, task.type) == ("Edit", "no_match", "error_event")
    outcome = _attempt(world, task, PlaybookPolicy())
    assert outcome.status == "proposed", (outcome.reason, outcome.gate_results)
    assert [(gate.gate, gate.status) for gate in outcome.gate_results] == [
        ("scope", "passed"),
        ("style", "unscored"),
        ("unit tests", "passed"),
        ("replay", "unscored"),
        ("scenarios", "unscored"),
        ("self-review", "unscored"),
    ]
    repo = configured_target(world.config).repo
    shown = git(repo, "show", f"{outcome.branch}:CLAUDE.md")
    assert "- When an edit finds no match, read the file again and copy" in shown
    assert git(repo, "diff", "--name-only", f"main...{outcome.branch}") == "CLAUDE.md"
    text = Path(str(outcome.pr_path)).read_text()
    assert "24 of 30 sessions of release" in text
    assert "The gate replay could not tell: foreign target: its calls are never replayed" in text
    assert "basket" not in text


def test_a_model_may_change_the_skill_and_the_tool(world: Context) -> None:
    skill = {
        "path": ".claude/skills/release/SKILL.md",
        "old_text": "Run the tool, then tell.",
        "new_text": "Read the page, run the tool, then tell.",
    }
    tool = {"path": "tools/deploy.py", "old_text": "= 1\n", "new_text": "= 30\n"}
    script = [
        tool_calls(("edit_file", json.dumps(skill)), ("edit_file", json.dumps(tool))),
        tool_calls(("submit", json.dumps({"summary": "Read before it edits."}))),
        json_text({"verdict": "approve", "reason": "small"}),
    ]
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "scripted", "key", max_retries=0) as model,
    ):
        outcome = _attempt(world, _task(world), ModelPolicy(model))
    assert outcome.status == "proposed", (outcome.reason, outcome.gate_results)
    statuses = {gate.gate: gate.status for gate in outcome.gate_results}
    assert (statuses["unit tests"], statuses["self-review"]) == ("passed", "passed")
    changed = git(
        configured_target(world.config).repo, "diff", "--stat", f"main...{outcome.branch}"
    )
    assert "SKILL.md" in changed
    assert "tools/deploy.py" in changed
    assert "basket" not in json.dumps(endpoint.requests)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (("tools/deploy.py", "return place", "return 1"), "the gate unit tests failed"),
        (("tests/check.py", "assert", "# assert"), "the gate scope failed"),
    ],
    ids=["breaks its tests", "touches its tests"],
)
def test_what_the_targets_own_gates_refuse(
    world: Context, edit: tuple[str, str, str], reason: str
) -> None:
    given = dict(zip(("path", "old_text", "new_text"), edit, strict=True))
    script = [
        tool_calls(("edit_file", json.dumps(given))),
        tool_calls(("submit", json.dumps({"summary": "Done."}))),
    ]
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "scripted", "key", max_retries=0) as model,
    ):
        outcome = _attempt(world, _task(world), ModelPolicy(model))
    assert (outcome.status, outcome.reason) == ("failed", reason)
