"""Where agents of this user keep their logs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agent_core.errors import BadInputError
from pipelines.config import SourcesConfig


class AgentFolder(NamedTuple):
    """The folder that an agent keeps its data in, and those within that hold session logs."""

    agent: str
    folder: str
    """Relative to the user's home directory."""
    logs: tuple[str, ...]
    variable: str | None = None
    """The environment variable that names another place."""
    below_variable: str = ""
    """Where the data lies below what the variable names."""


# OpenCode is not here: it keeps a database, of which `opencode export` makes a log.
KNOWN_AGENTS = (
    AgentFolder("Claude Code", ".claude", ("projects",), "CLAUDE_CONFIG_DIR"),
    AgentFolder("Codex", ".codex", ("sessions", "archived_sessions"), "CODEX_HOME"),
    AgentFolder("Gemini CLI", ".gemini", ("tmp",), "GEMINI_CLI_HOME", ".gemini"),
    AgentFolder(
        "Copilot CLI", ".copilot", ("session-state", "history-session-state"), "COPILOT_HOME"
    ),
    AgentFolder("Pi", ".pi/agent", ("sessions",), "PI_CODING_AGENT_DIR"),
    AgentFolder(
        "OpenHands", ".openhands", ("sessions", "conversations"), "OPENHANDS_PERSISTENCE_DIR"
    ),
    AgentFolder("Cursor", ".cursor", ("projects",)),
)


def log_folders(
    sources: SourcesConfig, core_sessions: Path, environment: Mapping[str, str] = os.environ
) -> list[Path]:
    """The folders that `signals run` reads without a path: `[sources] paths`, else the known ones.

    The bundled core's own sessions are always among them where there are any. Raises
    BadInputError when there is nothing to read.
    """
    folders = [path.expanduser() for path in sources.paths] or present_folders(environment)
    if any(core_sessions.iterdir()):
        folders.append(core_sessions)
    if not folders:
        names = ", ".join(str(folder) for folder in _known_folders({}, Path("~")))
        raise BadInputError(f"no logs found in any of {names}; give a path: signals run PATH")
    return folders


def present_folders(environment: Mapping[str, str]) -> list[Path]:
    """The known log folders that there are on this machine."""
    return [folder for folder in _known_folders(environment, Path.home()) if folder.is_dir()]


def _known_folders(environment: Mapping[str, str], user_home: Path) -> list[Path]:
    return [
        _base(known, environment, user_home) / logs for known in KNOWN_AGENTS for logs in known.logs
    ]


def _base(known: AgentFolder, environment: Mapping[str, str], user_home: Path) -> Path:
    moved = environment.get(known.variable) if known.variable else None
    if not moved:
        return user_home / known.folder
    return Path(moved).expanduser() / known.below_variable
