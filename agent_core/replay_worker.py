"""Executes recorded calls with the tools of the tree on PYTHONPATH; runs in a sandbox.

`python -P replay_worker.py TREE JOBS RESULTS`: JOBS is a JSON list of `{"root", "tool",
"arguments"}`, RESULTS gets one JSON line a call: `{"is_error", "error_class", "content"}`.
It is started by its path, from the package that runs the gates: a patch does not reach it.
"""

import json
import sys
from pathlib import Path

import agent_core
from agent_core.sandbox.inherited import Inherited
from agent_core.session import ToolCall
from agent_core.toolkit import Toolbox, Workspace, load_tools


def main(tree: Path, jobs: Path, results: Path) -> None:
    """Execute every call, each in its own restored workspace."""
    loaded = Path(str(agent_core.__file__)).resolve()
    if not loaded.is_relative_to(tree.resolve()):
        sys.exit(f"wrong code: agent_core is {loaded}, not the tree under test")
    tools = load_tools(tree / "agent_core" / "tools")
    sandbox = Inherited()
    with results.open("w", encoding="utf-8") as lines:
        for number, job in enumerate(json.loads(jobs.read_text(encoding="utf-8"))):
            toolbox = Toolbox(tools, Workspace(Path(job["root"])), sandbox)
            seen = toolbox.execute(ToolCall(f"replay-{number}", job["tool"], job["arguments"]))
            outcome = {
                "is_error": seen.is_error,
                "error_class": seen.error_class,
                "content": seen.content.encode("utf-8", "replace").decode(),
            }
            lines.write(json.dumps(outcome) + "\n")
            lines.flush()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
