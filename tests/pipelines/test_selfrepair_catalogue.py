"""The catalogue of the benchmark of self-repair fits the tools as they are."""

import re
from pathlib import Path

import pytest

from agent_core.gates.behaviour import run_scenarios
from agent_core.sandbox import find_sandbox
from agent_core.toolkit import load_spec
from tests.benchmarks.selfrepair_world.catalogue import Defect, load_defects
from tests.benchmarks.selfrepair_world.patient import Row, load_scenarios, table

_DEFECTS = [defect for found in load_defects().values() for defect in found]


@pytest.mark.parametrize("defect", _DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_finds_its_place_and_leaves_a_tool_that_loads(
    repository: Path, tmp_path: Path, defect: Defect
) -> None:
    texts: dict[str, str] = {}
    for edit in defect.edits:
        text = texts.get(edit.path) or (repository / edit.path).read_text()
        found = re.findall(edit.old, text, re.DOTALL)
        assert len(found) == 1, edit
        texts[edit.path] = text.replace(found[0], edit.new)
    for path, text in texts.items():
        assert text != (repository / path).read_text()
        spoiled = tmp_path / Path(path).name
        spoiled.write_text(text)
        if spoiled.suffix == ".toml":
            assert load_spec(spoiled).name == spoiled.stem
        elif spoiled.suffix == ".py":
            compile(text, path, "exec")


def test_enough_of_them_and_some_held_out() -> None:
    names = [defect.name for defect in _DEFECTS]
    assert len(set(names)) == len(names) >= 20
    kinds = {half: {one.kind for one in found} for half, found in load_defects().items()}
    assert kinds == {"tuned": {"mechanical", "other"}, "held_out": {"mechanical", "other"}}


@pytest.mark.slow
def test_the_scenarios_hold_on_the_sound_agent(repository: Path, tmp_path: Path) -> None:
    sandbox = find_sandbox()
    if sandbox is None:
        pytest.skip("no sandbox works on this machine")
    held = run_scenarios(load_scenarios(), repository, tmp_path, sandbox)
    assert held == dict.fromkeys(load_scenarios())


def test_the_table_says_which_stage_was_not_reached() -> None:
    row = Row("x", "mechanical", "tuned", detected=True, patched=False, reason="no playbook")
    assert table([row]).splitlines()[-1] == (
        "| x | mechanical | tuned | yes | - | no | - | - | - | 0.0 | 0 | no playbook |"
    )
