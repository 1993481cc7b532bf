"""The forge that the configuration names."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from agent_core.errors import ConfigError
from agent_core.forge.request import Forge
from agent_core.forge.settings import ForgeSettings

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def make_forge(settings: ForgeSettings, home_root: Path, repo: Path) -> Forge:
    """The forge for the target repository in `repo`; nothing is sent yet.

    Raises ConfigError for a forge that Signals does not speak, for settings that cannot be used,
    and where the token's environment variable is empty.
    """
    if settings.name == "local":
        from agent_core.forge.local import LocalForge

        return LocalForge(home_root / "pull_requests", repo)
    if settings.name == "github":
        from agent_core.forge.github import GithubForge

        check_github(settings)
        return GithubForge(settings, repo, _token(settings))
    raise ConfigError(
        f'forge "{settings.name}" is not supported: set [forge] name to "local" or "github" in '
        "signals.toml"
    )


def check_github(settings: ForgeSettings) -> None:
    """ConfigError where a pull request could not be addressed, or the token would be exposed."""
    if not _REPOSITORY.fullmatch(settings.repository or ""):
        raise ConfigError('[forge] repository: "owner/name" is needed for github')
    parts = urlsplit(settings.api_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("[forge] api_url: not a URL such as https://github.example.org/api/v3")
    if parts.username or parts.password or parts.query:
        raise ConfigError("[forge] api_url: a place only; the token stands in the environment")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError("[forge] api_url: http would send the token unencrypted; use https")


def _token(settings: ForgeSettings) -> str:
    token = os.environ.get(settings.token_env, "").strip()
    if not token:
        raise ConfigError(
            f"no token for {settings.repository}: set {settings.token_env}, or name another "
            "variable with [forge] token_env"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{settings.token_env}: holds characters that no token has")
    return token
