"""Runs scenarios with the whole agent of the tree on PYTHONPATH; runs in a sandbox.

`python -P scenario_worker.py TREE JOBS RESULTS`: JOBS is a JSON list of `{"root", "request",
"limits": {tool: {limit: value}}, "actions": [{"tool", "arguments", "only_after_error"}]}`, RESULTS
gets one JSON line a scenario:
`{"status", "observations": [{"tool", "is_error", "error_class", "content"}]}`.
It is started by its path, from the package that runs the gates: a patch does not reach it. Nor do
the commands: the jobs are gone and the results not there yet while they run.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import agent_core
from agent_core.loop import AgentSession
from agent_core.policy import Action, AgentState, AgentTurn
from agent_core.sandbox.inherited import Inherited
from agent_core.sandbox.seclusion import seclude
from agent_core.session import Observation, ToolCall
from agent_core.session_log import LogHeader, SessionLog
from agent_core.toolkit import Tool, Toolbox, Workspace, load_tools

_START = datetime(2000, 1, 1, tzinfo=UTC)


def main(tree: Path, jobs: Path, results: Path) -> None:
    """Run every scenario to its end, each in its own workspace."""
    loaded = Path(str(agent_core.__file__)).resolve()
    if not loaded.is_relative_to(tree.resolve()):
        sys.exit(f"wrong code: agent_core is {loaded}, not the tree under test")
    seclude()
    wanted = json.loads(jobs.read_text(encoding="utf-8"))
    jobs.unlink()
    run = partial(_run, tree, results.parent)
    with ThreadPoolExecutor(4) as pool:  # most of the time goes into waiting for time-outs
        done = list(pool.map(run, enumerate(wanted)))
    results.unlink(missing_ok=True)
    with results.open("x", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in done)


def _run(tree: Path, scratch: Path, numbered: tuple[int, Mapping[str, Any]]) -> dict[str, Any]:
    number, job = numbered
    tools = _limited(load_tools(tree / "agent_core" / "tools"), job["limits"])
    header = LogHeader(f"scenario-{number}", "0")
    session = AgentSession(
        policy=ScriptedPolicy(job["actions"]),
        toolbox=Toolbox(tools, Workspace(Path(job["root"])), Inherited()),
        log=SessionLog(scratch / f"scenario-{number}.json", header, lambda: _START),
    )
    status = session.send(job["request"]).status
    turns = [turn for turn in session.state.turns if isinstance(turn, AgentTurn)]
    seen = [
        _row(call, observed)
        for turn in turns
        for call, observed in zip(turn.action.tool_calls, turn.observations, strict=True)
    ]
    return {"status": status, "observations": seen}


def _limited(
    tools: Mapping[str, Tool], limits: Mapping[str, Mapping[str, float]]
) -> dict[str, Tool]:
    """The tools with some of their limits set, where they have them."""
    limited = dict(tools)
    for name, values in limits.items():
        tool = tools[name]
        known = {key: value for key, value in values.items() if key in tool.spec.limits}
        spec = tool.spec.model_copy(update={"limits": {**tool.spec.limits, **known}})
        limited[name] = replace(tool, spec=spec)
    return limited


class ScriptedPolicy:
    """Makes the calls of a script; those `only_after_error` where the call before failed."""

    def __init__(self, actions: Sequence[Mapping[str, Any]]) -> None:
        self._actions = list(actions)

    @property
    def name(self) -> str:
        """Stands where a model's name would."""
        return "script"

    def next_action(self, state: AgentState) -> Action:
        """The next call, or the end."""
        last = state.turns[-1]
        has_failed = isinstance(last, AgentTurn) and any(o.is_error for o in last.observations)
        while self._actions:
            action = self._actions.pop(0)
            if has_failed or not action["only_after_error"]:
                call = ToolCall(f"call-{len(state.turns)}", action["tool"], action["arguments"])
                return Action(tool_calls=(call,))
        return Action("done")


def _row(call: ToolCall, observed: Observation) -> dict[str, Any]:
    return {
        "tool": call.name,
        "is_error": observed.is_error,
        "error_class": observed.error_class,
        "content": observed.content.encode("utf-8", "replace").decode(),
    }


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
