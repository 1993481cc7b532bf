"""Who a log may say it is from: the bundled core's own sessions are told by where they lie or by
a hash that was registered, never by what they claim; names from logs are made fit to be shown.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from agent_core.release import AGENT_NAME
from agent_core.session import Session
from pipelines.home import Home
from pipelines.stages.shown_names import shown_agent, shown_release

UNVERIFIED = f"{AGENT_NAME} (unverified)"
"""A session that calls itself the core's and is not known to be: no task is ever opened for it."""

_HASH_CHARS = 8


@dataclass(frozen=True, slots=True)
class CoreLogs:
    """What is known of the bundled core's own logs."""

    folder: Path
    """Where the core writes them in this home."""
    registered: frozenset[str]
    """SHA-256 of logs from elsewhere that were vouched for (the samples of the demo)."""
    salt: bytes
    """Of the home; names that may not be shown are hashed with it."""

    @staticmethod
    def of(home: Home) -> "CoreLogs":
        """What the home knows."""
        path = _register(home)
        known = path.read_text().split() if path.exists() else []
        return CoreLogs(home.sessions.resolve(), frozenset(known), home.salt())

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


def with_sound_names(session: Session, core: CoreLogs, *, is_core: bool, path: Path) -> Session:
    """The session with an agent, version and release that are names, not text.

    One that claims to be the core's and is not gets another agent and a key of its own, so that
    it can neither open a task nor take the place of a session of the core.
    """
    claims = session.agent == AGENT_NAME
    named = _with_shown_names(session, core.salt)
    if is_core or not claims:
        return named
    return replace(named, agent=UNVERIFIED, key=f"{session.key}@{_hash(str(path))}")


def _with_shown_names(session: Session, salt: bytes) -> Session:
    """All names alike, so that what was equal still is."""
    version, release, native = session.agent_version, session.release, session.conversion_of
    return replace(
        session,
        agent=shown_agent(session.agent, salt),
        agent_version=shown_release(version, salt) if version else version,
        release=shown_release(release, salt) if release else release,
        conversion_of=(shown_agent(native[0], salt), native[1]) if native else None,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
