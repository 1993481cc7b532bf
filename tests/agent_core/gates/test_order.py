"""The gates together, and those that run whole programs on the patched tree."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_core.gates import Candidate, GateName, GateResult, run_gates
from agent_core.gates.behaviour import check_scenarios
from agent_core.gates.result import NO_SANDBOX, Finding, GateStatus
from agent_core.gates.style import check_style
from agent_core.gates.unit_tests import check_unit_tests
from agent_core.sandbox import Sandbox

_EDIT = "agent_core/tools/edit_file.py"
_SPEC = "agent_core/tools/edit_file.toml"
_PYTEST = ("-m", "pytest", "tests", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("gate", "status", "reason", "blocks"),
    [
        ("style", "passed", "", False),
        ("style", "failed", "", True),
        ("unit tests", "unscored", NO_SANDBOX, True),
        ("replay", "unscored", "evidence purged: records of 2 sessions are gone", False),
        ("replay", "unscored", "no recorded call failed so", True),
        ("replay", "unscored", "foreign target: its calls are never replayed", False),
        ("self-review", "unscored", "no model", False),
        ("self-review", "failed", "it hides errors", True),
    ],
)
def test_what_blocks(gate: GateName, status: GateStatus, reason: str, blocks: bool) -> None:
    assert GateResult(gate, status, reason, 0.0).blocks is blocks


def test_without_a_sandbox_only_the_scope_is_judged(
    make_tree: Callable[..., Path], make_candidate: Callable[..., Candidate]
) -> None:
    base = make_tree("base", {})
    tree = make_tree("tree", {_SPEC: ("nearest_lines = 8", "nearest_lines = 9")})
    results = run_gates(make_candidate(base, tree, None))
    assert [(r.gate, r.status) for r in results] == [
        ("scope", "passed"),
        *((gate, "unscored") for gate in ("style", "unit tests", "replay", "scenarios")),
        ("self-review", "unscored"),
    ]


def test_no_gate_runs_after_a_failed_one(
    make_tree: Callable[..., Path], make_candidate: Callable[..., Candidate]
) -> None:
    tree = make_tree("tree", {})
    results = run_gates(make_candidate(tree, tree, None))
    assert [(r.gate, r.status, r.reason) for r in results] == [
        ("scope", "failed", "the patch changes nothing"),
        *(
            (gate, "unscored", "not run: scope failed")
            for gate in ("style", "unit tests", "replay", "scenarios", "self-review")
        ),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edits", "finding"),
    [
        (
            {_SPEC: ("nearest_lines = 8", "nearest_lines = 9")},
            Finding(
                "passed",
                "visible: 9 of 9 hold, 9 of 9 before; held-out: 9 of 9 hold, 9 of 9 before",
            ),
        ),
        (
            {_EDIT: ("text.replace(old, new))", "text.replace(old, new).strip())")},
            Finding(
                "failed",
                "broken: fix_and_test (shop/total.py is not as expected), "
                "other_names_of_arguments (app/config.ini is not as expected), "
                "recover_from_a_wrong_path (settings/server.ini is not as expected), 2 held-out; "
                "visible: 6 of 9 hold, 9 of 9 before; held-out: 7 of 9 hold, 9 of 9 before",
            ),
        ),
    ],
    ids=["sound", "broken"],
)
def test_scenarios_that_held_must_hold(
    edits: dict[str, tuple[str, str]],
    finding: Finding,
    sandbox: Sandbox,
    make_tree: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
) -> None:
    candidate = make_candidate(make_tree("base", {}), make_tree("tree", edits), sandbox)
    assert check_scenarios(candidate) == finding


def test_a_spec_that_does_not_load_fails(
    sandbox: Sandbox, make_tree: Callable[..., Path], make_candidate: Callable[..., Candidate]
) -> None:
    edits = {_SPEC: ("nearest_lines = 8", 'nearest_lines = "many"')}
    finding = check_style(make_candidate(make_tree("base", {}), make_tree("tree", edits), sandbox))
    assert finding.status == "failed"
    assert finding.reason.startswith("tools and playbooks load: edit_file.toml: limits.nearest")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("new", "finding"),
    [
        (
            "    if not old:\n        raise ToolError",
            Finding("passed", "ruff check, ruff format, mypy, tools and playbooks load"),
        ),
        (
            "    if not old :\n        raise ToolError",
            Finding("failed", f"ruff format: {_EDIT}:"),
        ),
        (
            "    if not missing:\n        raise ToolError",
            Finding("failed", f"ruff check: {_EDIT}:14:12: F821 Undefined name `missing`"),
        ),
        (
            "    if nearest_lines(text):\n        raise ToolError",
            Finding("failed", f"mypy: {_EDIT}:14: error: Missing positional arguments"),
        ),
    ],
    ids=["sound", "format", "name", "types"],
)
def test_changed_code_is_checked(
    new: str,
    finding: Finding,
    sandbox: Sandbox,
    make_tree: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
) -> None:
    tree = make_tree("tree", {_EDIT: ("    if not old or old == new:", new.splitlines()[0])})
    seen = check_style(make_candidate(make_tree("base", {}), tree, sandbox))
    assert seen.status == finding.status
    assert seen.reason.startswith(finding.reason)


@pytest.mark.parametrize(
    ("base", "test", "finding"),
    [
        ("", "def test_x():\n    pass\n", Finding("passed", "1 passed")),
        ("", "def test_x():\n    assert 0\n", Finding("failed", "0 passed, 1 failed: tests.")),
        (
            "def test_x():\n    assert 0\n\n\ndef test_y():\n    assert 0\n",
            "def test_x():\n    assert 0\n\n\ndef test_y():\n    pass\n",
            Finding("passed", "1 passed, 1 failed on the base too, 1 of its failures repaired"),
        ),
        pytest.param(
            "def test_x():\n    pass\n\n\ndef test_y():\n    pass\n",
            "import pytest\n\n\n@pytest.mark.skip\ndef test_x():\n    pass\n\n\n"
            "def test_y():\n    pass\n",
            Finding("failed", "1 tests ran, 2 on the base"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "",
            "import os\nos._exit(0)\n",
            Finding("failed", "no test was run"),
            marks=pytest.mark.slow,
        ),
        pytest.param("", "", Finding("failed", "no test was run"), marks=pytest.mark.slow),
        pytest.param(
            "",
            "import agent_core.no_such\n",
            Finding("failed", "0 passed, 1 failed"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["passing", "failing", "failing before", "skipped", "leaving early", "none", "broken"],
)
def test_the_unit_tests_run_on_the_patched_tree(
    base: str,
    test: str,
    finding: Finding,
    sandbox: Sandbox,
    make_tree: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
) -> None:
    trees = []
    for name, text in (("base", base), ("tree", test)):
        trees.append(make_tree(name, {}))
        (trees[-1] / "tests").mkdir()
        (trees[-1] / "tests" / "test_x.py").write_text(text)
    seen = check_unit_tests(make_candidate(*trees, sandbox, test_command=_PYTEST))
    assert seen.status == finding.status
    assert seen.reason.startswith(finding.reason)


def test_a_tree_without_the_code_is_refused(
    sandbox: Sandbox, tmp_path: Path, make_candidate: Callable[..., Candidate]
) -> None:
    (tmp_path / "tree" / "tests").mkdir(parents=True)
    (tmp_path / "tree" / "tests" / "test_x.py").write_text("def test_x():\n    pass\n")
    tree = tmp_path / "tree"
    seen = check_unit_tests(make_candidate(tree, tree, sandbox, test_command=_PYTEST))
    assert seen.status == "failed"
