"""Writes a whole file."""

from collections.abc import Mapping
from typing import Any

from agent_core.toolkit import ToolContext, ToolError


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """Says what was written; ToolError output_limit when the text is too long."""
    path, text = arguments["path"], arguments["content"]
    size, most = len(text.encode()), int(context.limits["max_bytes"])
    if size > most:
        raise ToolError("output_limit", path=path, bytes=size, most=most)
    is_new = not context.workspace.resolve(path).exists()
    context.workspace.write_text(path, text)
    return f"{'created' if is_new else 'replaced'} {path} ({len(text.splitlines())} lines)"
