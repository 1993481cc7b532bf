"""Where agents of this user keep their logs."""

from pathlib import Path

from agent_core.errors import BadInputError
from pipelines.config import SourcesConfig

# Relative to the user's home directory.
_KNOWN = (".claude/projects", ".codex/sessions")


def log_folders(sources: SourcesConfig, core_sessions: Path) -> list[Path]:
    """The folders that `signals run` reads without a path: `[sources] paths`, else the known ones.

    The bundled core's own sessions are always among them where there are any. Raises
    BadInputError when there is nothing to read.
    """
    folders = [path.expanduser() for path in sources.paths] or [
        Path.home() / folder for folder in _KNOWN if (Path.home() / folder).is_dir()
    ]
    if any(core_sessions.iterdir()):
        folders.append(core_sessions)
    if not folders:
        names = " or ".join(f"~/{folder}" for folder in _KNOWN)
        raise BadInputError(f"no logs found in {names}; give a path: signals run PATH")
    return folders
