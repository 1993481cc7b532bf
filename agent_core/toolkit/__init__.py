"""What a tool is: its spec (data), its failure, its workspace, and how a box of tools is run.

The tools themselves are in `agent_core/tools`, which a patch may change; this is the part that
confines them and that no patch reaches.
"""

from agent_core.toolkit.errors import ToolError
from agent_core.toolkit.registry import TOOLS_FOLDER, Toolbox, load_tools
from agent_core.toolkit.spec import ToolSpec, load_spec
from agent_core.toolkit.tool import Tool, ToolContext
from agent_core.toolkit.workspace import Workspace

__all__ = [
    "TOOLS_FOLDER",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolSpec",
    "Toolbox",
    "Workspace",
    "load_spec",
    "load_tools",
]
