"""The home: where Signals keeps its warehouse, sessions, replay records and snapshots."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from agent_core.errors import HomeError, JudgingHeldError, LockHeldError, TaskHeldError

DEFAULT_WAIT_SECONDS = 60.0
_SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Home:
    """A directory with mode 0700; every path of it is named here."""

    root: Path

    @property
    def warehouse(self) -> Path:
        return self.root / "signals.duckdb"

    @property
    def config(self) -> Path:
        return self.root / "signals.toml"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def sessions(self) -> Path:
        """The bundled core's own session logs."""
        return self.root / "sessions"

    @property
    def replay(self) -> Path:
        """The bundled core's recorded calls; never published."""
        return self.root / "replay"

    @property
    def spool(self) -> Path:
        """Steps on their way into the warehouse, while a run reads logs."""
        return self.root / "spool"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def labels(self) -> Path:
        """Label rows of the owner; they hold no text of a session."""
        return self.root / "labels"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    def prepare(self) -> "Home":
        """Create what is missing, for the owner's eyes only. Raises HomeError."""
        try:
            for folder in (
                self.root,
                self.state,
                self.inbox,
                self.sessions,
                self.replay,
                self.snapshots,
                self.dagster,
            ):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.root.chmod(0o700)
        except OSError as error:
            raise HomeError(
                f"{self.root}: the home cannot be made ({error.strerror}); "
                "choose another with --home DIR"
            ) from error
        return self

    def salt(self) -> bytes:
        """The secret that error signatures are hashed with; made once for each home."""
        if not self._has_salt():
            with self.locked("signals"):
                if not self._has_salt():
                    self._make_salt()
        return self._salt.read_bytes()

    @property
    def _salt(self) -> Path:
        return self.state / "salt"

    def _has_salt(self) -> bool:
        return self._salt.exists() and self._salt.stat().st_size == _SALT_BYTES

    def _make_salt(self) -> None:
        """Written whole and then put in place: a kill leaves no half of it."""
        draft = self.state / "salt.draft"
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(_SALT_BYTES))
        draft.replace(self._salt)

    @contextmanager
    def locked(self, holder: str, *, wait_seconds: float = DEFAULT_WAIT_SECONDS) -> Iterator[None]:
        """Hold the home's lock. Raises LockHeldError, naming the holder, after `wait_seconds`."""

        def refused(by: str) -> LockHeldError:
            return LockHeldError(f"{self.root}: in use by {by}; wait for it to end, then try again")

        with _held(self.lock, self.state / "lock-holder", holder, wait_seconds, refused):
            yield

    @contextmanager
    def judging_alone(self, holder: str) -> Iterator[None]:
        """Hold all judging that is paid for, at once or by a batch; the warehouse stays free.

        A second run would pay for the same again. Raises JudgingHeldError, naming the holder, at
        once: what another run pays for takes hours.
        """

        def refused(by: str) -> LockHeldError:
            return JudgingHeldError(
                f"{self.root}: {by} is judging by a model; wait for it to end, then try again"
            )

        lock, note = self.state / "judging.lock", self.state / "judging-holder"
        with _held(lock, note, holder, 0, refused):
            yield

    @contextmanager
    def working_on(self, task_id: str, holder: str) -> Iterator[None]:
        """Hold a patch task against every other process and thread; the system frees it at a kill.

        Raises TaskHeldError, naming the holder, at once.
        """

        def refused(by: str) -> LockHeldError:
            return TaskHeldError(f"{task_id}: {by} works on it; wait for it to end")

        lock, note = self.state / f"{task_id}.lock", self.state / f"{task_id}-holder"
        with _held(lock, note, holder, 0, refused):
            yield


@contextmanager
def _held(
    path: Path,
    note: Path,
    holder: str,
    wait_seconds: float,
    refused: Callable[[str], LockHeldError],
) -> Iterator[None]:
    """Hold a lock, with the holder's name in `note` for the others."""
    lock = FileLock(path, timeout=wait_seconds)
    try:
        lock.acquire()
    except Timeout:
        name = note.read_text().strip() if note.exists() else ""
        raise refused(name or "another process") from None
    except OSError as error:
        raise HomeError(f"{path}: cannot be locked ({error.strerror})") from error
    try:
        note.write_text(f"{holder} (process {os.getpid()})")
        yield
    finally:
        lock.release()
