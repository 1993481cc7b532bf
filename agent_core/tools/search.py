"""Searches the workspace's text files for a regular expression."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from agent_core.toolkit import ToolContext, ToolError

_LINE_CHARS = 300


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """`path:line: text` for every line that matches; ToolError no_match when none does."""
    try:
        pattern = re.compile(arguments["pattern"])
    except re.error as error:
        problem = f"pattern is no regular expression ({error})"
        raise ToolError("invalid_arguments", problem=problem, arguments="pattern, path") from None
    context.workspace.existing(arguments["path"])
    most = int(context.limits["max_matches"])
    hits = list(islice(_hits(pattern, arguments["path"], context), most + 1))
    if not hits:
        raise ToolError("no_match", pattern=arguments["pattern"], path=arguments["path"])
    if len(hits) > most:
        return "\n".join([*hits[:most], f"[more than {most} matches; narrow pattern or path]"])
    return "\n".join(hits)


def _hits(pattern: re.Pattern[str], below: str, context: ToolContext) -> Iterator[str]:
    start = context.workspace.resolve(below)
    files = [below] if start.is_file() else context.workspace.files(below)
    for file in files:
        try:
            text = context.workspace.read_text(file, context.limits["max_bytes"])
        except ToolError:
            continue  # what is no text, or too large, cannot match
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line[:_LINE_CHARS]):
                yield f"{file}:{number}: {line[:_LINE_CHARS]}"
