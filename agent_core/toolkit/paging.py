"""Long results in pages, each with a pointer to the next."""

from agent_core.toolkit.errors import ToolError


def page(content: str, number: int, most_chars: int, argument: str) -> str:
    """Page `number` (from 1) of a text, cut at line ends; ToolError invalid_arguments beyond.

    A line longer than a page is a page of its own, cut to the size.
    """
    pages = _pages(content, most_chars)
    if not 1 <= number <= len(pages):
        problem = f"{argument} {number} of {len(pages)} does not exist"
        raise ToolError("invalid_arguments", problem=problem, arguments=argument)
    more = f"; go on with {argument}={number + 1}" if number < len(pages) else ""
    return f"{pages[number - 1]}\n[{argument} {number} of {len(pages)}{more}]"


def _pages(content: str, most_chars: int) -> list[str]:
    pages: list[list[str]] = [[]]
    size = 0
    for line in content.splitlines():
        kept = line[:most_chars]
        if pages[-1] and size + len(kept) + 1 > most_chars:
            pages.append([])
            size = 0
        pages[-1].append(kept)
        size += len(kept) + 1
    return ["\n".join(lines) for lines in pages]
