"""The replay gate on real records: honest repairs pass, hidden failures do not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_core.gates import Candidate
from agent_core.gates.recorded_calls import check_recorded_calls
from agent_core.gates.result import NO_SANDBOX, Finding
from agent_core.replay_records import Selection
from agent_core.sandbox import Sandbox
from agent_core.session import ToolCall

_SPEC = "agent_core/tools/run_command.toml"
_CODE = "agent_core/tools/run_command.py"
_HASTY = {_SPEC: ("timeout_seconds = 60", "timeout_seconds = 1")}
_TIMEOUTS = Selection(("s1",), "run_command", "timeout", ())
_COMMANDS = (
    *("sleep 2; echo one", "sleep 2; echo two"),
    *("echo fine", "echo made > b.txt", "exit 3", "ls nowhere"),
)


def _calls(*commands: str) -> list[ToolCall]:
    return [ToolCall(f"c{n}", "run_command", {"command": c}) for n, c in enumerate(commands)]


@pytest.mark.parametrize(
    ("edits", "status", "reason"),
    [
        (
            {_SPEC: ("timeout_seconds = 60", "timeout_seconds = 30")},
            "passed",
            "visible half: 1 failed calls (1 serve), 2 others (2 stay the same); "
            "held-out half: 1 failed calls (1 serve), 2 others (2 stay the same)",
        ),
        pytest.param(
            _HASTY,
            "failed",
            "visible half: 1 failed calls (1 still fail without one), 2 others (2 stay the same); "
            "held-out half: 1 failed calls (1 still fail without one), 2 others (2 stay the same)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {
                **_HASTY,
                _CODE: (
                    "    if completed.timed_out:",
                    '    if completed.timed_out:\n        return "done"\n    if completed.limit:',
                ),
            },
            "failed",
            "visible half: 1 failed calls (1 still fail without one), 2 others (2 stay the same); "
            "held-out half: 1 failed calls (1 still fail without one), 2 others (2 stay the same)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {_CODE: ("if completed.exit_code != 0:", "if completed.exit_code > 9:")},
            "failed",
            "visible half: 1 failed calls (1 serve), 2 others (1 give something else, 1 stay the "
            "same); held-out half: 1 failed calls (1 serve), 2 others (1 give something else, "
            "1 stay the same)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {_CODE: ("def run(", "import os\nos._exit(0)\n\n\ndef run(")},
            "failed",
            "visible half: 1 failed calls (1 still fail without one), 2 others (2 give something "
            "else); held-out half: 1 failed calls (1 still fail without one), 2 others (2 give "
            "something else)",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["limit raised", "nothing better", "time-out hidden", "exit code hidden", "process ended"],
)
def test_the_cause_must_be_gone_and_nothing_else_change(
    edits: dict[str, tuple[str, str]],
    status: str,
    reason: str,
    sandbox: Sandbox,
    make_tree: Callable[..., Path],
    record_calls: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
) -> None:
    base = make_tree("base", _HASTY)
    record_calls(base, _calls(*_COMMANDS))
    candidate = make_candidate(base, make_tree("tree", edits), sandbox, _TIMEOUTS)
    finding = check_recorded_calls(candidate)
    assert (finding.status, finding.reason) == (status, reason)


@pytest.mark.slow
def test_what_the_base_does_not_repeat_proves_nothing(
    sandbox: Sandbox,
    make_tree: Callable[..., Path],
    record_calls: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
) -> None:
    base = make_tree("base", _HASTY)
    record_calls(base, _calls("sleep 2; echo one", "python -c 'import uuid; print(uuid.uuid4())'"))
    candidate = make_candidate(base, make_tree("tree", {}), sandbox, _TIMEOUTS)
    reason = (
        "visible half: 0 failed calls, 0 others; "
        "held-out half: 1 failed calls (1 serve), 0 others, 1 not reproducible"
    )
    assert check_recorded_calls(candidate) == Finding("passed", reason)


def test_purged_evidence_is_said_and_does_not_block(
    make_tree: Callable[..., Path], make_candidate: Callable[..., Candidate]
) -> None:
    tree = make_tree("tree", {})
    candidate = make_candidate(tree, tree, None, _TIMEOUTS)
    reason = "evidence purged: records of 1 sessions are gone"
    assert check_recorded_calls(candidate) == Finding("unscored", reason)


def test_without_a_sandbox_nothing_is_replayed(
    make_tree: Callable[..., Path],
    record_calls: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
) -> None:
    base = make_tree("base", _HASTY)
    record_calls(base, _calls("sleep 2; echo one"))
    candidate = make_candidate(base, base, None, _TIMEOUTS)
    assert check_recorded_calls(candidate) == Finding("unscored", NO_SANDBOX)
