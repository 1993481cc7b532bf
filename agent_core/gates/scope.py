"""Scope and protected paths: what a patch may touch, and what may not vanish from it."""

from collections.abc import Iterator

from agent_core.change import FileChange
from agent_core.gates.code_rules import code_problems
from agent_core.gates.result import Candidate, Finding
from agent_core.gates.spec_rules import spec_problems
from agent_core.gates.special_cases import special_cases

MOST_FILES = 12
MOST_BYTES = 200_000
_SUFFIXES = (".py", ".toml", ".md")
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
    for change in candidate.changes:
        if not allowed(change.path, candidate.patchable):
            yield f"{change.path} is out of bounds"
            continue
        yield from _file_problems(change)
        if candidate.is_core:
            yield from _core_problems(change)
    yield from special_cases(candidate.changes, candidate.calls)


def _file_problems(change: FileChange) -> Iterator[str]:
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


def _core_problems(change: FileChange) -> Iterator[str]:
    if not change.path.endswith(_SUFFIXES):
        yield f"{change.path} is neither code nor a spec, a prompt or a playbook"
    if change.after is None:
        return
    if change.path.endswith(".py"):
        yield from code_problems(change)
    elif change.path.endswith(".toml"):
        yield from spec_problems(change)
