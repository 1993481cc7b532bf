"""Scope and protected paths: what a patch may touch, and what may not vanish from it."""

import re
from collections.abc import Iterator
from pathlib import Path

from agent_core.change import FileChange
from agent_core.gates.code_rules import code_problems
from agent_core.gates.result import Candidate, Finding
from agent_core.gates.spec_rules import spec_problems
from agent_core.gates.special_cases import special_cases
from agent_core.gates.text_rules import any_text_problems, text_problems

MOST_FILES = 12
MOST_BYTES = 200_000
_SUFFIXES = (".py", ".toml", ".md")
_TOOLS = "agent_core/tools"
# No space, quote or line end: the path stands in a diff, a table and a command line.
_PATH = re.compile(r"[\w./+@-]+", re.ASCII)
_KEPT_SHARE = 0.5
_PROBLEMS_SHOWN = 4


def check_scope(candidate: Candidate) -> Finding:
    """Passes a patch that changes something, only what it may, and takes nothing away."""
    problems = list(dict.fromkeys(_problems(candidate)))
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        shown = "; ".join(problems[:_PROBLEMS_SHOWN])
        return Finding("failed", shown + (f"; and {more} more" if more > 0 else ""))
    files = len(candidate.changes)
    where = ", ".join(candidate.patchable)
    return Finding("passed", f"{files} file{'s' if files > 1 else ''} changed, all in {where}")


def allowed(path: str, patchable: tuple[str, ...]) -> bool:
    """Whether a path is one of the patchable files or below one of the patchable folders."""
    return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in patchable)


def _problems(candidate: Candidate) -> Iterator[str]:
    if not candidate.changes:
        yield "the patch changes nothing"
    if len(candidate.changes) > MOST_FILES:
        yield f"the patch changes {len(candidate.changes)} files, more than {MOST_FILES}"
    tools = frozenset(path.stem for path in (candidate.base / _TOOLS).glob("*.toml"))
    for change in candidate.changes:
        if not allowed(change.path, candidate.patchable):
            yield f"{change.path} is out of bounds"
            continue
        yield from _file_problems(change, candidate.patchable)
        if candidate.is_core:
            yield from _core_problems(change, tools, candidate.tree)
    yield from special_cases(candidate.changes, candidate.calls)


def _file_problems(change: FileChange, patchable: tuple[str, ...]) -> Iterator[str]:
    if not _PATH.fullmatch(change.path) or "/." in f"/{_below(change.path, patchable)}":
        yield f"{change.path!r} is no name for a file"
    if change.after is None:
        yield f"{change.path} is deleted"
        return
    if not change.is_plain:
        yield f"{change.path} becomes a link or a program"
    if len(change.after) > MOST_BYTES:
        yield f"{change.path} grows beyond {MOST_BYTES} bytes"
    if b"\0" in change.after:
        yield f"{change.path} is no text"
    if len(change.after) < _KEPT_SHARE * len(change.before or b""):
        yield f"{change.path} loses more than half of its text"
    yield from any_text_problems(change)


def _below(path: str, patchable: tuple[str, ...]) -> str:
    """The part of the path that no patchable place names: `.claude/skills` may be one."""
    places = [place.rstrip("/") for place in patchable if allowed(path, (place,))]
    return path.removeprefix(max(places, key=len)).lstrip("/")


def _core_problems(change: FileChange, tools: frozenset[str], tree: Path) -> Iterator[str]:
    folder, _, name = change.path.rpartition("/")
    if not change.path.endswith(_SUFFIXES):
        yield f"{change.path} is neither code nor a spec, a prompt or a playbook"
    elif (folder == _TOOLS) == change.path.endswith(".md"):
        yield f"{change.path} lies where nothing of its kind belongs"
    if folder == _TOOLS and (change.before is None or name == "__init__.py"):
        yield f"{change.path} is none of the tools there are: a patch repairs, a person adds"
    if change.after is None:
        return
    if change.path.endswith(".py"):
        yield from code_problems(change)
        return
    yield from text_problems(change, tools)
    if change.path.endswith(".toml"):
        code = (tree / change.path).with_suffix(".py")
        yield from spec_problems(change, code.read_text("utf-8") if code.is_file() else "")
