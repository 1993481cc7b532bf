"""Style and types of the changed code, and whether every spec, prompt and playbook loads."""

import sys
from collections.abc import Sequence

from agent_core.errors import SandboxError
from agent_core.gates.own_commands import check_own_command
from agent_core.gates.result import NO_SANDBOX, Candidate, Finding
from agent_core.gates.telling_line import telling_line
from agent_core.sandbox import Limits, Sandbox

_LIMITS = Limits(timeout_seconds=400, memory_bytes=4 << 30, output_bytes=200_000)
_LOADS = """
import sys
from pathlib import Path
import agent_core
from agent_core.errors import SignalsError
from agent_core.playbook import load_playbooks
from agent_core.toolkit import load_tools
root = Path(sys.argv[1])
assert Path(agent_core.__file__).is_relative_to(root), "the tree under test is not what is loaded"
try:
    load_tools(root / "agent_core/tools")
    load_playbooks(root / "agent_core/playbooks")
except SignalsError as error:
    sys.exit(str(error))
"""


def check_style(candidate: Candidate) -> Finding:
    """Ruff and mypy on the changed Python files; all tools and playbooks of the core load.

    Of a foreign target its own command.
    """
    if not candidate.is_core:
        return check_own_command(candidate, "lint", candidate.lint_command)
    if candidate.sandbox is None:
        return Finding("unscored", NO_SANDBOX)
    files = candidate.changed(".py")
    checks = [*_checks(candidate, files), _loading(candidate)]
    for name, argv in checks:
        problem = _run(candidate, candidate.sandbox, argv)
        if problem is not None:
            return Finding("failed", f"{name}: {problem}")
    return Finding("passed", ", ".join(name for name, _ in checks))


def _checks(candidate: Candidate, files: Sequence[str]) -> list[tuple[str, list[str]]]:
    if not files:
        return []
    mypy_cache = str(candidate.cache / "mypy")
    concise = ["--output-format", "concise", "--no-cache"]
    return [
        ("ruff check", ["-m", "ruff", "check", "--quiet", *concise, *files]),
        ("ruff format", ["-m", "ruff", "format", "--check", *concise, *files]),
        ("mypy", ["-m", "mypy", "--cache-dir", mypy_cache, *files]),
    ]


def _loading(candidate: Candidate) -> tuple[str, list[str]]:
    return "tools and playbooks load", ["-c", _LOADS, str(candidate.tree)]


def _run(candidate: Candidate, sandbox: Sandbox, argv: Sequence[str]) -> str | None:
    """None where the check passes, else its most telling line."""
    cache = candidate.cache / "mypy"
    cache.mkdir(parents=True, exist_ok=True)
    done = sandbox.run(
        [sys.executable, *argv],
        cwd=candidate.tree,
        # Loading runs the patch's code, which must not write what later attempts believe.
        writable=[cache] if "mypy" in argv else [],
        env={"PYTHONPATH": str(candidate.tree)},
        limits=_LIMITS,
    )
    if done.exit_code == 0:
        return None
    if done.limit is not None and argv[0] == "-m":
        # The checker, not the patch, ran out of it: on a busy machine that says nothing.
        raise SandboxError(
            f"{argv[1]} was stopped by its limit of {done.limit}: run the task again"
        )
    return telling_line(f"{done.stderr}\n{done.stdout}", candidate.tree)
