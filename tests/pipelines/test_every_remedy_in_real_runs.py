"""For each remedy a real defect of the bundled core, from real sessions to a confirmed effect.

The sessions, the ingest, the verdicts, the breach, the task, the patch, the gates and the sessions
after the merge are those of the benchmark of self-repair, which has more defects.
"""

from pathlib import Path

import pytest

from agent_core.playbook import load_playbooks
from agent_core.sandbox import find_sandbox
from tests.benchmarks.selfrepair import QUICK_TESTS
from tests.benchmarks.selfrepair_world.catalogue import git, load_defects
from tests.benchmarks.selfrepair_world.patient import Setting, treat, with_sound_sessions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DEFECTS = {
    "accept_alias": "write_aliases_gone",
    "accept_value": "numbers_as_text_refused",
    "mend_default": "wrong_default_folder",
    "mend_description": "path_said_to_be_absolute",
    "add_example": "no_example_of_a_pattern",
    "raise_limit": "timeout_too_short",
    "split_output": "search_refuses_long_results",
    "actionable_error": "bare_edit_error",
    "add_rule": "rule_on_errors_gone",
}


@pytest.fixture(scope="module")
def setting(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A clone of the sound core, and sessions of it."""
    if find_sandbox() is None:
        pytest.skip("no sandbox works on this machine")
    work = tmp_path_factory.mktemp("remedies")
    git(work, "clone", "-q", str(repository), str(work / "sound"))
    return with_sound_sessions(Setting(work, work / "sound", work / "sound-home", 30, QUICK_TESTS))


@pytest.mark.parametrize("remedy", DEFECTS)
def test_a_defect_is_found_and_repaired(setting: Setting, remedy: str) -> None:
    (defect,) = (one for one in load_defects()["tuned"] if one.name == DEFECTS[remedy])
    row = treat(defect, "tuned", setting)
    assert (row.detected, row.patched, row.gates, row.broken) == (True, True, True, 0), row
    assert row.confirmed, row.reason
    summary = _patch_session(setting.work / defect.name / "home")
    assert _summary_of(remedy) in summary


def _patch_session(home: Path) -> str:
    """The log of the session in which the core made the patch that was merged."""
    return "\n".join(log.read_text() for log in sorted((home / "sessions").glob("patch-*.json")))


def _summary_of(remedy: str) -> str:
    return next(one.front.summary for one in load_playbooks() if one.front.name == remedy)
