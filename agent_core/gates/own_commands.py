"""The commands that a foreign target names for its style and its tests, run in the sandbox."""

from collections.abc import Sequence
from pathlib import Path

from agent_core.gates.result import FOREIGN, NO_SANDBOX, Candidate, Finding
from agent_core.gates.telling_line import telling_line
from agent_core.sandbox import Completed, Limits, Sandbox
from agent_core.worktree import copy_tree

_LIMITS = Limits(timeout_seconds=600, memory_bytes=6 << 30, processes=200, output_bytes=500_000)


def check_own_command(candidate: Candidate, name: str, command: Sequence[str]) -> Finding:
    """Passes where the command ends with 0; `unscored` where it does not on the base either.

    Each run has a copy of its tree, which it may write to: builds and test runners do.
    """
    if not command:
        return Finding("unscored", f"{FOREIGN}: [target] names no {name}_command")
    if candidate.sandbox is None:
        return Finding("unscored", NO_SANDBOX)
    done = _run(candidate, candidate.sandbox, candidate.tree, command)
    if done.exit_code == 0:
        return Finding("passed", f"the {name} command ended with 0")
    if _run(candidate, candidate.sandbox, candidate.base, command).exit_code != 0:
        what = f"the {name} command fails without the patch too"
        return Finding("unscored", f"{what}: {_line(candidate, done)}")
    what = f"the {name} command ends with {done.exit_code}"
    return Finding("failed", f"{what}: {_line(candidate, done)}")


def _run(candidate: Candidate, sandbox: Sandbox, tree: Path, command: Sequence[str]) -> Completed:
    folder = candidate.scratch / "own_command"
    copy_tree(tree, folder)
    return sandbox.run(command, cwd=folder, writable=[folder], limits=_LIMITS)


def _line(candidate: Candidate, done: Completed) -> str:
    folder = (candidate.scratch / "own_command").resolve()
    if done.timed_out:
        return f"stopped after {_LIMITS.timeout_seconds:.0f} s"
    return telling_line(f"{done.stdout}\n{done.stderr}", folder)
