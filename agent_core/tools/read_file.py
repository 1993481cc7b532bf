"""Reads a text file, or a part of it."""

from collections.abc import Mapping
from typing import Any

from agent_core.toolkit import ToolContext


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """The lines as they are, with a note where the file goes on."""
    text = context.workspace.read_text(arguments["path"], context.limits["max_bytes"])
    lines = text.splitlines(keepends=True)
    start, wanted = arguments["start_line"], min(arguments["lines"], context.limits["max_lines"])
    last = min(len(lines), start - 1 + int(wanted))
    part = "".join(lines[start - 1 : last])
    if start == 1 and last == len(lines):
        return text or "[the file is empty]"
    note = f"[lines {start} to {last} of {len(lines)}"
    more = f"; read on with start_line={last + 1}" if last < len(lines) else ""
    return f"{part}\n{note}{more}]"
