"""Who a log may say it is from: the bundled core's own sessions are told by where they lie or by
a hash that was registered, never by what they claim; names from logs are made fit to be shown.
"""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from agent_core.release import AGENT_NAME
from agent_core.session import Session
from pipelines.home import Home

UNVERIFIED = f"{AGENT_NAME} (unverified)"
"""A session that calls itself the core's and is not known to be: no task is ever opened for it."""

_AGENT = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{0,39}")
_VERSION = re.compile(r"v?\d[0-9A-Za-z.+_-]{0,39}")
_MODEL = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}")
_HASH_CHARS = 8


@dataclass(frozen=True, slots=True)
class CoreLogs:
    """What is known of the bundled core's own logs."""

    folder: Path
    """Where the core writes them in this home."""
    registered: frozenset[str]
    """SHA-256 of logs from elsewhere that were vouched for (the samples of the demo)."""

    @staticmethod
    def of(home: Home) -> "CoreLogs":
        """What the home knows."""
        path = _register(home)
        known = path.read_text().split() if path.exists() else []
        return CoreLogs(home.sessions.resolve(), frozenset(known))

    def hold(self, path: Path, digest: str | None) -> bool:
        """Whether the log at `path` with that SHA-256 is the core's own."""
        # Unlike Path.resolve it takes a link that leads to itself.
        place = Path(os.path.realpath(path))
        return place.is_relative_to(self.folder) or digest in self.registered


def register_core_logs(home: Home, digests: list[str]) -> None:
    """Vouch for logs of the core by their SHA-256, besides those known already."""
    known = CoreLogs.of(home).registered | set(digests)
    draft = _register(home).with_suffix(".draft")
    draft.write_text("\n".join(sorted(known)) + "\n")
    draft.replace(_register(home))


def _register(home: Home) -> Path:
    return home.state / "core_sessions"


def with_sound_names(session: Session, *, is_core: bool, path: Path) -> Session:
    """The session with an agent, version and release that are names, not text.

    One that claims to be the core's and is not gets another agent and a key of its own, so that
    it can neither open a task nor take the place of a session of the core.
    """
    claims = session.agent == AGENT_NAME
    named = replace(
        session,
        agent=session.agent if _AGENT.fullmatch(session.agent) else _hashed("agent", session.agent),
        agent_version=_version(session.agent_version),
        release=_version(session.release),
    )
    if is_core or not claims:
        return named
    return replace(named, agent=UNVERIFIED, key=f"{session.key}@{_hash(str(path))}")


def sound_model(name: str) -> str:
    """The name of a model as it may be shown: itself, or a hash of what is no name but text."""
    return name if _MODEL.fullmatch(name) else _hashed("model", name)


def _version(name: str | None) -> str | None:
    if name is None or _VERSION.fullmatch(name):
        return name
    return _hashed("release", name)


def _hashed(kind: str, name: str) -> str:
    return f"{kind}-{_hash(name)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
