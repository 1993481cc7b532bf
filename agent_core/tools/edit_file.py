"""Replaces a piece of text in a file."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from agent_core.toolkit import ToolContext, ToolError


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """Says what was replaced; ToolError no_match when the old text is absent or ambiguous."""
    path, old, new = arguments["path"], arguments["old_text"], arguments["new_text"]
    text = context.workspace.read_text(path, context.limits["max_bytes"])
    if not old or old == new:
        problem = "old_text is empty" if not old else "old_text and new_text are the same"
        raise ToolError("invalid_arguments", problem=problem, arguments="path, old_text, new_text")
    found = text.count(old)
    if found == 0:
        nearest = nearest_lines(text, old, int(context.limits["nearest_lines"]))
        raise ToolError("no_match", path=path, nearest=nearest)
    if found > 1 and not arguments["replace_all"]:
        raise ToolError("no_match", case="several", path=path, count=found)
    context.workspace.write_text(path, text.replace(old, new))
    return f"replaced {found} occurrence{'s' if found > 1 else ''} in {path}"


def nearest_lines(text: str, wanted: str, most: int) -> str:
    """The lines most like the wanted ones, numbered, in quotes that show tabs and spaces."""
    lines, size = text.splitlines(), min(len(wanted.splitlines()), most)
    if not lines:
        return "[the file is empty]"
    target = "\n".join(line.strip() for line in wanted.splitlines()[:size])
    matcher = SequenceMatcher(b=target, autojunk=False)

    def likeness(start: int) -> float:
        matcher.set_seq1("\n".join(line.strip() for line in lines[start : start + size]))
        return matcher.ratio() if matcher.quick_ratio() > 0.3 else 0.0

    best = max(range(max(1, len(lines) - size + 1)), key=likeness)
    shown = enumerate(lines[best : best + size], start=best + 1)
    return "\n".join(f"{number}: {line!r}" for number, line in shown)
