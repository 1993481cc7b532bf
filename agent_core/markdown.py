"""Text from data in Markdown: one line that is shown as it stands and sets nothing off.

A forge reads more than Markdown in a text: `@name` calls a person, `#12` and `fixes #12` touch an
issue, a bare address becomes a link, HTML is rendered, `[skip ci]` stops the checks.
"""

import re
import unicodedata

_MARKUP = re.compile(r"([\\`*\[\]<>|~&$]|(?<!\w)_|_(?!\w))")
_ZERO_WIDTH = "\u200b"
_CALLS = re.compile(
    r"(@)(?=\S)|(#)(?=\d)|(:)(?=//)|(?<=\bwww)(\.)|(?<=\bGH)(-)(?=\d)", re.IGNORECASE
)
_BLOCK_START = re.compile(r"^(\d+)([.)])|^([-+=#])")


def one_line(text: str, most_chars: int = 300) -> str:
    """The text without line breaks, control and direction characters, cut to `most_chars`."""
    shown = "".join(" " if _is_hidden(char) else char for char in text)
    line = " ".join(shown.split())
    return line if len(line) <= most_chars else f"{line[: most_chars - 1].rstrip()}…"


def harmless(text: str, most_chars: int = 300) -> str:
    """One line of plain text, for a title or a commit message: nobody is called by it."""
    line = _CALLS.sub(lambda match: match.group(0) + _ZERO_WIDTH, one_line(text, most_chars))
    return line.replace("[", f"[{_ZERO_WIDTH}")


def escaped(text: str, most_chars: int = 300) -> str:
    """One line of Markdown that shows the text and nothing else."""
    line = _CALLS.sub(lambda match: match.group(0) + _ZERO_WIDTH, one_line(text, most_chars))
    marked = _MARKUP.sub(r"\\\1", line)
    return _BLOCK_START.sub(_guarded, marked)


def code(text: str, most_chars: int = 300) -> str:
    """The text as a code span, whatever backticks it holds; a table's cell may hold it too."""
    line = one_line(text, most_chars).replace("|", "/") or " "
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    if not longest:
        return f"`{line}`"
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}"


def fenced(text: str, language: str = "") -> list[str]:
    """Lines between fences longer than any in the text, which may hold Markdown itself."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text.rstrip("\n"), fence]


def _guarded(match: re.Match[str]) -> str:
    """What would begin a list or a heading's underline, escaped."""
    number, mark, sign = match.groups()
    return f"\\{sign}" if sign else f"{number}\\{mark}"


def _is_hidden(char: str) -> bool:
    """Control, direction and other characters without a shape; line and paragraph separators."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
