"""The small coding tasks: a folder with `repo/` and a `task.toml` that says what is asked."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Edit:
    """What the model believes to stand in a file, and what it puts there."""

    path: str
    remembered: str
    new: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One request of the user."""

    name: str
    requests: dict[str, list[str]]
    """Language → wordings."""
    edits: tuple[Edit, ...]
    fix: Edit | None
    """What makes a wrong first edit right; None where the edits are right at once."""
    doubt: Edit | None
    """What the model makes of right edits when it cannot see its tests end."""
    check: str
    """What the model runs."""
    quick: str | None
    """A faster part of the check."""
    checker: str
    """What the user runs; exit code 0 = the request is met."""
    done: str


@dataclass(frozen=True, slots=True)
class Task:
    """A repository and the requests on it, in their order."""

    name: str
    repo: Path
    jobs: tuple[Job, ...]


def load_task(folder: Path) -> Task:
    """A task from its folder."""
    raw = tomllib.loads((folder / "task.toml").read_text(encoding="utf-8"))
    return Task(folder.name, folder / "repo", tuple(_job(job) for job in raw["jobs"]))


def _job(raw: dict[str, Any]) -> Job:
    return Job(
        name=raw["name"],
        requests=raw["requests"],
        edits=tuple(Edit(**edit) for edit in raw["edits"]),
        fix=Edit(**raw["fix"]) if "fix" in raw else None,
        doubt=Edit(**raw["doubt"]) if "doubt" in raw else None,
        check=raw["check"],
        quick=raw.get("quick"),
        checker=raw["checker"],
        done=raw["done"],
    )
