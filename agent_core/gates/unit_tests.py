"""The unit tests of the target, in the patched tree and, where some fail, on the base too."""

import json
import sys
import uuid
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agent_core.gates.own_commands import check_own_command
from agent_core.gates.result import NO_SANDBOX, Candidate, Finding
from agent_core.gates.telling_line import telling_line
from agent_core.sandbox import Completed, Limits, Sandbox

_LIMITS = Limits(timeout_seconds=600, memory_bytes=6 << 30, processes=200, output_bytes=500_000)
_SHOWN = 3
# An editable installation would have the tests import the code it points to, not the patched one.
_RIGHT_CODE = """
import runpy, sys
from pathlib import Path
import agent_core
root = sys.argv.pop(1)
if not Path(agent_core.__file__).resolve().is_relative_to(root):
    sys.exit(f"wrong code: agent_core is {agent_core.__file__}, not the tree under test")
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class TestRun:
    """What pytest reported; `failed` holds `module::test`, errors included."""

    __test__ = False

    passed: int
    failed: frozenset[str]

    @property
    def ran(self) -> int:
        """Tests that came to a result; skipped ones did not."""
        return self.passed + len(self.failed)


def check_unit_tests(candidate: Candidate) -> Finding:
    """Passes where no test fails that did not fail before the patch."""
    if not candidate.is_core:
        return check_own_command(candidate, "test", candidate.test_command)
    if candidate.sandbox is None:
        return Finding("unscored", NO_SANDBOX)
    with ThreadPoolExecutor(1) as pool:
        base = pool.submit(_base_run, candidate, candidate.sandbox)
        done, run = _run_core_tests(candidate, candidate.tree, candidate.sandbox)
        return _judge(candidate, done, run, base.result())


def _judge(
    candidate: Candidate, done: Completed, run: TestRun | None, base: TestRun | None
) -> Finding:
    if run is None or not (run.passed or run.failed):
        line = telling_line(f"{done.stderr}\n{done.stdout}", candidate.tree)
        return Finding("failed", f"no test was run: {line}")
    finding = Finding("passed", f"{run.passed} passed")
    if run.failed:
        finding = _against_the_base(run, base)
    if finding.status == "passed" and base is not None and run.ran < base.ran:
        return Finding("failed", f"{run.ran} tests ran, {base.ran} on the base")
    return finding


def _against_the_base(run: TestRun, base: TestRun | None) -> Finding:
    """A base that fails by itself, say by a defect other than the task's, blocks no repair."""
    broken = sorted(run.failed - (base.failed if base else frozenset()))
    counts = f"{run.passed} passed, {len(run.failed)} failed"
    if broken:
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        return Finding("failed", f"{counts}: {', '.join(broken[:_SHOWN])}{more}")
    repaired = len(base.failed - run.failed) if base else 0
    return Finding("passed", f"{counts} on the base too, {repaired} of its failures repaired")


def _base_run(candidate: Candidate, sandbox: Sandbox) -> TestRun | None:
    """The base's own result, kept by commit and sandbox (which decides what is skipped).

    It is run beside the patched tree's tests, on another core.
    """
    kept = candidate.cache / "tests" / f"{candidate.base_commit}-{sandbox.mode}.json"
    if kept.is_file():
        values = json.loads(kept.read_text(encoding="utf-8"))
        return TestRun(values["passed"], frozenset(values["failed"]))
    _, run = _run_core_tests(candidate, candidate.base, sandbox)
    if run is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        values = {"passed": run.passed, "failed": sorted(run.failed)}
        kept.write_text(json.dumps(values), encoding="utf-8")
    return run


def _run_core_tests(
    candidate: Candidate, tree: Path, sandbox: Sandbox
) -> tuple[Completed, TestRun | None]:
    report = candidate.scratch / f"tests-{uuid.uuid4().hex}.xml"
    command = ("-c", _RIGHT_CODE, str(tree), *candidate.test_command, f"--junitxml={report}")
    done = _run(candidate, tree, sandbox, command)
    return done, read_report(report)


def read_report(path: Path) -> TestRun | None:
    """A JUnit report; None where there is none, as when the tests' process was ended."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    failed = set()
    passed = 0
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed.add(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" not in kinds:
            passed += 1
    return TestRun(passed, frozenset(failed))


def _run(candidate: Candidate, tree: Path, sandbox: Sandbox, command: tuple[str, ...]) -> Completed:
    return sandbox.run(
        [sys.executable, *command],
        cwd=tree,
        writable=[candidate.scratch],
        env={
            "PYTHONPATH": str(tree),
            # The tree is read-only: what passes here is what the later gates see.
            "HYPOTHESIS_STORAGE_DIRECTORY": str(candidate.scratch / "hypothesis"),
        },
        limits=_LIMITS,
    )
