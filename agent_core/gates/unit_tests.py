"""The unit tests of the target, in the patched tree."""

import re
import sys

from agent_core.gates.result import NO_SANDBOX, Candidate, Finding
from agent_core.gates.style import telling_line
from agent_core.sandbox import Limits

_LIMITS = Limits(timeout_seconds=600, memory_bytes=6 << 30, processes=200, output_bytes=500_000)
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


def check_unit_tests(candidate: Candidate) -> Finding:
    """Passes where the command ends with 0 and, for the core, tests were run at all."""
    if candidate.sandbox is None:
        return Finding("unscored", NO_SANDBOX)
    done = candidate.sandbox.run(
        [sys.executable, *_arguments(candidate)],
        cwd=candidate.tree,
        writable=[candidate.scratch],
        env={
            "PYTHONPATH": str(candidate.tree),
            # The tree is read-only: what passes here is what the later gates see.
            "HYPOTHESIS_STORAGE_DIRECTORY": str(candidate.scratch / "hypothesis"),
        },
        limits=_LIMITS,
    )
    summary = _summary(done.stdout)
    if done.timed_out:
        return Finding("failed", f"the tests did not end within {_LIMITS.timeout_seconds:g} s")
    if done.exit_code != 0:
        line = telling_line(f"{done.stdout}\n{done.stderr}", candidate.tree)
        return Finding("failed", f"{summary or f'exit code {done.exit_code}'}: {line}")
    if candidate.is_core and " passed" not in summary:
        return Finding("failed", "no test was run")
    return Finding("passed", summary or "the tests passed")


def _arguments(candidate: Candidate) -> tuple[str, ...]:
    if not candidate.is_core:
        return candidate.test_command
    return ("-c", _RIGHT_CODE, str(candidate.tree), *candidate.test_command)


def _summary(output: str) -> str:
    """Pytest's last line without its decoration, for example `12 passed, 1 skipped`."""
    found = re.findall(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", output, re.MULTILINE)
    return str(found[-1]) if found else ""
