"""Where pull requests go. `local`: a branch in the repository, the text under the home.

A pull request is never merged by Signals, on any forge.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A proposal: its branch exists when it is published."""

    task_id: str
    title: str
    branch: str
    commit_sha: str
    text: str
    """Markdown, with evidence, cause, change, gate results, risk, expected effect and diff."""


class Forge(Protocol):
    """Publishes one pull request a task; a rerun of the task updates it."""

    def publish(self, request: PullRequest) -> Path:
        """Where a person reads it."""


class LocalForge:
    """Pull requests as files, `<folder>/<task id>.md`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, request: PullRequest) -> Path:
        """Write the text whole or not at all; only the owner may read it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{request.task_id}.md"
        temporary = path.with_name(f".{path.name}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(request.text)
        temporary.replace(path)
        return path


def open_forge(name: str, home: Path) -> Forge:
    """The forge of that name; ConfigError for one that Signals does not speak."""
    if name != "local":
        raise ConfigError(f'forge "{name}" is not supported: set it to "local" in signals.toml')
    return LocalForge(home / "pull_requests")
