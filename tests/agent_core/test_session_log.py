"""The log against the published schema, and its promise to be whole at any time."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.model_policy import ModelPolicy
from agent_core.session_log import LogHeader, SessionLog
from tests.agent_core.workbench import RELEASE, ScriptedModel, Ticking, calls, opened

SCHEMA = "logs/atif/ATIF-v1.8.from-harbor-0.25.0.schema.json"


@pytest.mark.shared
def test_satisfies_the_published_schema(tmp_path: Path, shared_dir: Path) -> None:
    jsonschema: Any = pytest.importorskip("jsonschema")
    (tmp_path / "workspace").mkdir()
    model = ScriptedModel(
        calls("list_files", "I look."),
        calls("read_file", number=2, path="none"),
        calls("request_user_input", number=3, question="Which file?"),
        calls("update_plan", number=4, subtasks=[{"text": "look again"}]),
        calls("submit", number=5, summary="Done."),
    )
    session = opened(tmp_path / "workspace", tmp_path / "home", ModelPolicy(model))
    session.send("look")
    session.send("go on")
    document = json.loads((tmp_path / "home/sessions/s1.json").read_text())
    schema = json.loads((shared_dir / SCHEMA).read_text())
    problems = [e.message for e in jsonschema.Draft202012Validator(schema).iter_errors(document)]
    assert problems == []


def test_is_whole_after_every_step(tmp_path: Path) -> None:
    log = SessionLog(tmp_path / "sessions/s1.json", LogHeader("s1", RELEASE), Ticking())
    for number in range(1, 4):
        log.user(f"turn {number}")
        steps = json.loads(log.path.read_text())["steps"]
        assert [step["message"] for step in steps] == [f"turn {n + 1}" for n in range(number)]
    assert [path.name for path in log.path.parent.iterdir()] == ["s1.json"]


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    log = SessionLog(tmp_path / "s1.json", LogHeader("s1", RELEASE), Ticking())
    log.system("a task of a program")
    document = json.loads(log.path.read_text())
    assert document["extra"] == {"release": RELEASE}
    assert [step["source"] for step in document["steps"]] == ["system"]
