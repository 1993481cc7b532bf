"""Python code, run in a sandbox."""

import sys
from pathlib import Path

from agent_core.sandbox import Completed, Limits, Sandbox


def run_python(
    sandbox: Sandbox, workspace: Path, code: str, limits: Limits | None = None
) -> Completed:
    argv = [sys.executable, "-I", "-c", code]
    return sandbox.run(argv, cwd=workspace, writable=[workspace], limits=limits)
