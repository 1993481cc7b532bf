"""Executes recorded calls with the tools of the tree on PYTHONPATH; runs in a sandbox.

`python -P replay_worker.py TREE JOBS RESULTS`: JOBS is a JSON list of `{"root", "tool",
"arguments"}`, RESULTS gets one JSON line a call: `{"is_error", "error_class", "content"}`.
It is started by its path, from the package that runs the gates: a patch does not reach it. Nor do
the commands: the jobs are gone and the results not there yet while they run.
"""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import agent_core
from agent_core.sandbox import Sandbox
from agent_core.sandbox.inherited import Inherited
from agent_core.sandbox.seclusion import seclude
from agent_core.session import ToolCall
from agent_core.toolkit import Tool, Toolbox, Workspace, load_tools


def main(tree: Path, jobs: Path, results: Path) -> None:
    """Execute every call, each in its own restored workspace."""
    loaded = Path(str(agent_core.__file__)).resolve()
    if not loaded.is_relative_to(tree.resolve()):
        sys.exit(f"wrong code: agent_core is {loaded}, not the tree under test")
    seclude()
    wanted = json.loads(jobs.read_text(encoding="utf-8"))
    jobs.unlink()
    execute = partial(_outcome, load_tools(tree / "agent_core" / "tools"), Inherited())
    # Two at a time: what is slow about a call is the command that it runs.
    with ThreadPoolExecutor(2) as pool:
        lines = [json.dumps(outcome) + "\n" for outcome in pool.map(execute, wanted)]
    results.unlink(missing_ok=True)
    with results.open("x", encoding="utf-8") as file:
        file.writelines(lines)


def _outcome(tools: Mapping[str, Tool], sandbox: Sandbox, job: Mapping[str, Any]) -> dict[str, Any]:
    toolbox = Toolbox(tools, Workspace(Path(job["root"])), sandbox)
    seen = toolbox.execute(ToolCall("replay", job["tool"], job["arguments"]))
    return {
        "is_error": seen.is_error,
        "error_class": seen.error_class,
        "content": seen.content.encode("utf-8", "replace").decode(),
    }


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
