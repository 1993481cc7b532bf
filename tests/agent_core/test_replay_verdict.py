"""What counts as better, and what as the same, tabled."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent_core.replay_records import RecordedCall
from agent_core.replay_verdict import (
    Replayed,
    ToolNames,
    Verdict,
    is_actionable,
    judge_failed,
    judge_unchanged,
)

_NAMES = ToolNames(frozenset({"edit_file", "read_file"}), frozenset({"path", "old_text"}))
_EDIT = {"path": "src/app.py", "old_text": "a = 1\nb = 2", "new_text": "a = 3"}
_MET = {"src/app.py": "a = 0\nb = 2\n"}


def _call(tool: str, arguments: Mapping[str, Any], content: str) -> RecordedCall:
    return RecordedCall("s", 1, tool, arguments, True, "no_match", content, {})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("no match", "no match in src/app.py: call read_file first", True),
        ("no match", "no match for a = 1: copy old_text exactly", True),
        ("no match", "no match", False),
        ("no match", "no match in src/app.py", False),
        ("no match", "no match: call read_file first", False),
        ("no match, use read_file", "no match in src/app.py, use read_file", False),
        ("failed after 2.5 s on src/app.py", "failed after 7 s on src/app.py", False),
        ("no match", "no match in src/app.py: reread_file it", False),
    ],
    ids=[
        *("names path and tool", "names text and argument", "same", "no next step"),
        *("not what is at fault", "no new step", "same but for the time", "no whole word"),
    ],
)
def test_actionable(before: str, after: str, expected: bool) -> None:
    assert is_actionable(_call("edit_file", _EDIT, before), after, _NAMES) is expected


@pytest.mark.parametrize(
    ("tool", "arguments", "now", "verdict"),
    [
        ("edit_file", _EDIT, Replayed(False, None, "ok", {"src/app.py": "a = 3\n"}), "serves"),
        ("edit_file", _EDIT, Replayed(False, None, "ok", _MET), "fails"),
        ("edit_file", _EDIT, Replayed(False, None, "ok", {"src/app.py": "a = 0\n"}), "fails"),
        ("read_file", {"path": "app.py"}, Replayed(False, None, "1  b = 2", _MET), "serves"),
        ("read_file", {"path": "app.py"}, Replayed(False, None, "fine", _MET), "fails"),
        ("run_command", {"command": "make"}, Replayed(False, None, "made", _MET), "serves"),
        ("edit_file", _EDIT, Replayed(True, "no_match", "no match", _MET), "fails"),
        (
            "edit_file",
            _EDIT,
            Replayed(True, "no_match", "src/app.py: see read_file", _MET),
            "fails_actionably",
        ),
    ],
    ids=[
        *("edited", "says so only", "edited otherwise", "read", "read nothing", "ran"),
        *("as before", "told what to do"),
    ],
)
def test_failed_calls(
    tool: str, arguments: Mapping[str, Any], now: Replayed, verdict: Verdict
) -> None:
    assert judge_failed(_call(tool, arguments, "no match"), _MET, now, _NAMES) == verdict


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (("", "Ran 3 tests in 0.01s"), ("", "Ran 3 tests in 1.5s"), "same"),
        (("", "made /tmp/a1/x"), ("", "made /tmp/b2/y"), "same"),
        (("", "3 tests"), ("", "4 tests"), "differs"),
        (("timeout", "after 1 s"), ("timeout", "another wording"), "same"),
        (("timeout", "late"), ("command_failed", "late"), "differs"),
        (("command_failed", "exit code 1"), ("", "fine"), "differs"),
    ],
    ids=["duration", "temporary path", "result", "wording", "class", "failure hidden"],
)
def test_calls_that_must_stay(
    before: tuple[str, str], now: tuple[str, str], verdict: Verdict
) -> None:
    old, new = (Replayed(bool(name), name or None, text) for name, text in (before, now))
    assert judge_unchanged(old, new) == verdict


def test_a_file_left_otherwise_differs() -> None:
    old, new = (Replayed(False, None, "ok", {"a": text}) for text in ("1", "2"))
    assert judge_unchanged(old, new) == "differs"
