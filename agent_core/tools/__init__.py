"""The tools of the agent core: code and spec side by side, both within reach of a patch."""

from agent_core.toolkit import Tool, Toolbox, ToolError, ToolSpec, Workspace, load_tools

__all__ = ["Tool", "ToolError", "ToolSpec", "Toolbox", "Workspace", "load_tools"]
