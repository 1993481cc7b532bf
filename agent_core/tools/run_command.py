"""Runs a shell command in the sandbox, inside the workspace."""

from collections.abc import Mapping
from typing import Any

from agent_core.condense import Shape, condense
from agent_core.sandbox import Completed, Limits
from agent_core.signature import classify_error
from agent_core.toolkit import ToolContext, ToolError

# Sets and dicts of strings print in the same order each time, so that a replay can compare.
_ENVIRONMENT = {"PYTHONHASHSEED": "0"}


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """The condensed output; a time-out or an exit code other than 0 is a ToolError."""
    if context.sandbox is None:
        raise ToolError("permission", command=arguments["command"])
    directory = context.workspace.existing(arguments["directory"])
    completed = context.sandbox.run(
        ["/bin/sh", "-c", arguments["command"]],
        cwd=directory,
        writable=[context.workspace.root, directory],
        env=_ENVIRONMENT,
        limits=_limits(context.limits),
    )
    output = _output(completed, context)
    if completed.timed_out:
        seconds = context.limits["timeout_seconds"]
        raise ToolError("timeout", seconds=seconds, output=output, command=arguments["command"])
    if completed.limit is not None:
        raise ToolError("command_failed", case="limit", limit=completed.limit, output=output)
    if completed.exit_code != 0:
        code = "test_failure" if classify_error(output) == "test_failure" else "command_failed"
        raise ToolError(code, exit_code=completed.exit_code, output=output)
    return output


def _limits(limits: Mapping[str, float]) -> Limits:
    return Limits(
        timeout_seconds=limits["timeout_seconds"],
        memory_bytes=int(limits["memory_mb"] * 1024 * 1024),
        processes=int(limits["processes"]),
        output_bytes=int(limits["output_bytes"]),
    )


def _output(completed: Completed, context: ToolContext) -> str:
    text = context.workspace.relative(f"{completed.stdout}{completed.stderr}")
    if completed.dropped_bytes:
        text += f"\n[{completed.dropped_bytes} bytes of output dropped from the middle]"
    lines = (int(context.limits[f"{part}_lines"]) for part in ("head", "tail", "error"))
    return condense(text, Shape(*lines)) or "[no output]"
