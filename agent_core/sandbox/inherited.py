"""The confinement that this process is already in, for what it runs in its turn."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_core.errors import SandboxError
from agent_core.sandbox.confinement import (
    SANDBOX_VARIABLE,
    Completed,
    Limits,
    SandboxMode,
    clean_environment,
)
from agent_core.sandbox.private import launcher, private_folder
from agent_core.sandbox.supervision import supervise

_MODES: dict[str, SandboxMode] = {
    "bubblewrap": "bubblewrap",
    "landlock": "landlock",
    "sandbox-exec": "sandbox-exec",
}


class Inherited:
    """Limits and a clean environment; files and network are confined from outside, once."""

    def __init__(self) -> None:
        """Raises SandboxError in a process that no sandbox confines."""
        mode = _MODES.get(os.environ.get(SANDBOX_VARIABLE, ""))
        if mode is None:
            raise SandboxError("not confined: only a command inside a sandbox can inherit it")
        self.mode: SandboxMode = mode

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        writable: Sequence[Path] = (),
        readable: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Completed:
        """See `Sandbox.run`; `writable` and `readable` are those of the outer sandbox."""
        limits = limits or Limits()
        with private_folder() as private:
            return supervise(
                [*launcher(limits, outlives=True), *argv],
                cwd=cwd,
                env=clean_environment(self.mode, str(private), env),
                limits=limits,
                stop_signal=signal.SIGTERM,
            )
