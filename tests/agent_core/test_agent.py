"""The agent put together, as the command and the patch tasks use it."""

import json
from pathlib import Path

import pytest

from agent_core.agent import Opening, run_agent, run_task
from agent_core.errors import BadInputError
from agent_core.model_policy import ModelPolicy
from agent_core.release import current_release
from agent_core.session_log import LogHeader, SessionLog
from agent_core.toolkit import Workspace, load_tools
from tests.agent_core.workbench import RELEASE, ScriptedModel, Ticking, says


def test_a_task_of_a_person_is_logged_under_this_release(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    policy = ModelPolicy(ScriptedModel(says("Nothing to do.")))
    opening = Opening("s9", Ticking(), user="ana")
    result = run_task(
        "look", tmp_path / "shop", tmp_path / "home", policy, opening=opening, sandbox=None
    )
    assert (result.status, result.session_id) == ("done", "s9")
    document = json.loads((tmp_path / "home/sessions/s9.json").read_text())
    assert document["extra"] == {
        "release": current_release(),
        "user": "ana",
        "project": "shop",
        "policy": "scripted",
    }
    assert [step["source"] for step in document["steps"]] == ["user", "agent"]


def test_a_task_of_a_program_has_no_person(tmp_path: Path) -> None:
    log = SessionLog(tmp_path / "s1.json", LogHeader("s1", RELEASE), Ticking())
    run_agent(
        "repair",
        workspace=Workspace(tmp_path),
        policy=ModelPolicy(ScriptedModel(says("Done."))),
        tools=load_tools(),
        session_log=log,
        sandbox=None,
    )
    steps = json.loads(log.path.read_text())["steps"]
    assert [step["source"] for step in steps] == ["system", "agent"]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere is no folder"):
        run_task(
            "look",
            tmp_path / "nowhere",
            tmp_path / "home",
            ModelPolicy(ScriptedModel()),
            opening=Opening("s1", Ticking()),
            sandbox=None,
        )
    assert not (tmp_path / "home").exists()
