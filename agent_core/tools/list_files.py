"""Lists the files of the workspace."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from agent_core.toolkit import ToolContext


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """One relative path a line, with a note where there are more."""
    context.workspace.existing(arguments["path"])
    most = int(context.limits["max_files"])
    files = list(islice(context.workspace.files(arguments["path"]), most + 1))
    if len(files) > most:
        return "\n".join([*files[:most], f"[more than {most} files; name a folder as path]"])
    return "\n".join(files) or "[no files]"
