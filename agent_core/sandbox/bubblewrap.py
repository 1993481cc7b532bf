"""Confinement by bubblewrap: own namespaces for processes, network, users and mounts.

A filter of system calls closes what no namespace hides: keys, socket files, the machine's host.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agent_core.errors import SandboxError
from agent_core.sandbox.confinement import (
    Completed,
    Confinement,
    Limits,
    SandboxMode,
    clean_environment,
    confine,
    system_paths,
)
from agent_core.sandbox.git_files import guarded_git
from agent_core.sandbox.private import CANNOT, CANNOT_CONFINE, launcher, private_folder
from agent_core.sandbox.supervision import supervise

_NOT_STARTED = 127
_SHARED_MEMORY_BYTES = str(64 << 20)


class Bubblewrap:
    """Nothing is seen but what is mounted; the end of bubblewrap ends every process inside."""

    mode: SandboxMode = "bubblewrap"

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
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxError("bubblewrap is not installed: install the package bubblewrap")
        limits = limits or Limits()
        confinement = confine(cwd, writable, readable, clean_environment(self.mode, "/tmp", env))
        with guarded_git(confinement.writable), private_folder() as private:
            command = [program, *arguments(confinement, private), "--", *argv]
            completed = supervise(
                [*launcher(limits, filters=True), *command],
                cwd=Path("/"),
                env=confinement.environment,
                limits=limits,
            )
        return _understood(completed)


def _understood(completed: Completed) -> Completed:
    """Tell bubblewrap's own failures, which share the exit code 1, from the command's."""
    if completed.exit_code == CANNOT_CONFINE and CANNOT in completed.stderr:
        raise SandboxError(f"bubblewrap does not work here: {completed.stderr.strip()}")
    if completed.exit_code != 1 or not completed.stderr.startswith("bwrap: "):
        return completed
    if completed.stderr.startswith("bwrap: execvp"):
        return replace(completed, exit_code=_NOT_STARTED)
    raise SandboxError(f"bubblewrap does not work here: {completed.stderr.strip()}")


def arguments(confinement: Confinement, private: Path) -> list[str]:
    """Bubblewrap's arguments; later mounts lie over earlier ones, so the writable come last."""
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for path in system_paths():
        options += ["--ro-bind", str(path), str(path)]
    options += ["--proc", "/proc", "--dev", "/dev"]
    options += ["--size", _SHARED_MEMORY_BYTES, "--tmpfs", "/dev/shm"]
    options += ["--bind", str(private), "/tmp"]
    mounts = {path: "--ro-bind" for path in confinement.readable}
    mounts |= {path: "--bind" for path in confinement.writable}
    for path in sorted(mounts, key=lambda path: len(path.parts)):
        options += [mounts[path], str(path), str(path)]
    # What is left of the root and of /dev lives in memory and has no bound: nothing to write to.
    options += ["--remount-ro", "/", "--remount-ro", "/dev"]
    return [*options, "--chdir", str(confinement.cwd)]
