"""Confinement by Landlock and seccomp, for kernels where bubblewrap may not open namespaces."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_core.errors import SandboxError
from agent_core.sandbox.confinement import (
    Completed,
    Limits,
    SandboxMode,
    clean_environment,
    confine,
    system_paths,
)
from agent_core.sandbox.git_files import guarded_git
from agent_core.sandbox.private import CANNOT, CANNOT_CONFINE, launcher, private_folder
from agent_core.sandbox.supervision import supervise

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")


class Landlock:
    """The kernel refuses paths outside the lists, and every socket, even a local one.

    Weaker than bubblewrap in three things: mode and times of files of this user outside the lists
    can be changed (their content and owner can not), names and sizes of files outside can be asked
    for one by one, and the table of processes is shared: command lines show, but neither memory nor
    environment, and signals to the outside are refused from Landlock ABI 6 on.
    """

    mode: SandboxMode = "landlock"

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
        """See `Sandbox.run`."""
        limits = limits or Limits()
        with private_folder() as private:
            environment = clean_environment(self.mode, str(private), env)
            confinement = confine(cwd, writable, readable, environment)
            spec = {
                "readable": [*map(str, (*system_paths(), *confinement.readable)), "/proc"],
                "writable": [*map(str, (*confinement.writable, private)), *_DEVICES],
            }
            with guarded_git(confinement.writable):
                completed = supervise(
                    [*launcher(limits, spec), *argv],
                    cwd=confinement.cwd,
                    env=confinement.environment,
                    limits=limits,
                    stop_signal=signal.SIGTERM,
                )
        if completed.exit_code == CANNOT_CONFINE and CANNOT in completed.stderr:
            raise SandboxError(f"Landlock does not work here: {completed.stderr.strip()}")
        return completed
