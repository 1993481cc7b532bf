"""Confinement by macOS's sandbox-exec.

The profile follows Apple's profile language (TinyScheme, "version 1") as the system's own
profiles in /System/Library/Sandbox/Profiles use it. It was written without a Mac at hand: only
the generated text is tested. `find_sandbox` still believes it only after its probe has run.
"""

import shutil
from collections.abc import Mapping, Sequence
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
from agent_core.sandbox.private import launcher, private_folder
from agent_core.sandbox.supervision import supervise

_MAC_PATHS = ("/System", "/Library", "/private/etc", "/private/var/db/timezone", "/dev")


class Seatbelt:
    """Limits on processes and memory hold for each process only: macOS has no /proc to sum."""

    mode: SandboxMode = "sandbox-exec"

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
        program = shutil.which("sandbox-exec")
        if program is None:
            raise SandboxError("sandbox-exec is not installed: it is part of macOS only")
        limits = limits or Limits()
        with private_folder() as private:
            environment = clean_environment(self.mode, str(private), env)
            confinement = confine(cwd, [*writable, private], readable, environment)
            command = [program, "-p", profile(confinement), *argv]
            with guarded_git(confinement.writable):
                return supervise(
                    [*launcher(limits), *command],
                    cwd=confinement.cwd,
                    env=confinement.environment,
                    limits=limits,
                )


def profile(confinement: Confinement) -> str:
    """The profile: everything denied, then what a program needs, then the caller's paths."""
    seen = (*map(Path, _MAC_PATHS), *system_paths(), *confinement.readable, *confinement.writable)
    return "\n".join(
        [
            "(version 1)",
            "(deny default)",
            "(allow process-fork process-exec* sysctl-read mach-lookup)",
            "(allow signal (target same-sandbox))",
            "(allow file-read-metadata)",
            f"(allow file-read* {_subpaths(seen)})",
            f"(allow file-write* {_subpaths(confinement.writable)})",
            '(allow file-write-data (literal "/dev/null") (literal "/dev/zero"))',
            "(deny network*)",
        ]
    )


def _subpaths(paths: Sequence[Path]) -> str:
    quoted = (str(path).replace("\\", "\\\\").replace('"', '\\"') for path in paths)
    return " ".join(f'(subpath "{path}")' for path in dict.fromkeys(quoted))
