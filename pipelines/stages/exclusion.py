"""Which sessions `[sources] exclude` keeps out of everything."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path, PurePath

from agent_core.session import Session


def is_excluded(session: Session, patterns: Sequence[str]) -> bool:
    """Whether a pattern names the session's project, its log, or a folder above one of them."""
    return names_excluded(session.source_path, session.project, patterns)


def names_excluded(source_path: str, project: str | None, patterns: Sequence[str]) -> bool:
    """Whether a pattern names the project, the log, or a folder above one of them."""
    names = [source_path, str(Path(source_path).absolute())]
    names += [project] if project else []
    places = {place for name in names for place in _with_parents(name)}
    return any(
        fnmatch.fnmatchcase(place, pattern)
        for pattern in map(_folder, patterns)
        for place in places
    )


def _with_parents(name: str) -> list[str]:
    path = PurePath(name)
    return [name, str(path), *(str(parent) for parent in path.parents)]


def _folder(pattern: str) -> str:
    if pattern.startswith("~/") or pattern == "~":
        pattern = f"{Path.home()}{pattern[1:]}"
    return pattern.rstrip("/") or pattern
