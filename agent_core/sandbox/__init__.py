"""Where commands of the agent and of the gates run: no network, few places to write, limits."""

from agent_core.sandbox.confinement import Completed, Confinement, Limits, Sandbox, SandboxMode
from agent_core.sandbox.finding import find_sandbox, probe_sandboxes

__all__ = [
    "Completed",
    "Confinement",
    "Limits",
    "Sandbox",
    "SandboxMode",
    "find_sandbox",
    "probe_sandboxes",
]
