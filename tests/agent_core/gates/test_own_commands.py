"""The commands of a foreign target: what they can tell of a patch and what not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent_core.gates import Candidate, GateResult
from agent_core.gates.style import check_style
from agent_core.gates.unit_tests import check_unit_tests
from agent_core.sandbox import Sandbox

pytestmark = pytest.mark.slow

_READS = ("python", "-c", "open('built', 'w'); assert 'yes' in open('rule.md').read(), 'no rule'")
_FAILS = "the test command ends with 1: AssertionError: no rule"


@pytest.mark.parametrize(
    ("before", "after", "command", "status", "reason"),
    [
        ("no", "yes", _READS, "passed", "the test command ended with 0"),
        ("yes", "no", _READS, "failed", _FAILS),
        ("no", "never", _READS, "unscored", "the test command fails without the patch too"),
        ("no", "yes", ("no-such-program",), "unscored", "the test command fails without the patch"),
        ("no", "yes", (), "unscored", "foreign target: [target] names no test_command"),
    ],
    ids=["passes", "broken by the patch", "broken before", "no such program", "none"],
)
def test_what_the_tests_of_a_target_tell(
    tmp_path: Path,
    make_candidate: Callable[..., Candidate],
    sandbox: Sandbox,
    before: str,
    after: str,
    command: tuple[str, ...],
    status: str,
    reason: str,
) -> None:
    base, tree = tmp_path / "base", tmp_path / "tree"
    for folder, text in ((base, before), (tree, after)):
        folder.mkdir()
        (folder / "rule.md").write_text(text)
    candidate = replace(make_candidate(base, tree, sandbox, None, command), is_core=False)
    finding = check_unit_tests(candidate)
    assert finding.status == status, finding
    assert finding.reason.startswith(reason)
    assert [path.name for path in tree.iterdir()] == ["rule.md"]  # it wrote into a copy
    # Only the command that nobody named lets a pull request be proposed without an answer.
    is_blocked = GateResult("unit tests", finding.status, finding.reason, 0.0).blocks
    assert is_blocked == (command != () and status != "passed")
    assert check_style(candidate).reason == "foreign target: [target] names no lint_command"
