"""What a sandbox promises, and the values that go in and come out of it."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from agent_core.errors import SandboxError

SandboxMode = Literal["bubblewrap", "landlock", "sandbox-exec"]
Limit = Literal["time", "memory", "processes"]

SANDBOX_VARIABLE = "SIGNALS_SANDBOX"
"""Set to the mode inside a sandbox, so that what runs there knows that it is confined."""

# Everything else on the machine is out of sight: an allow-list also covers places nobody
# thought of, such as other users' homes, mounted volumes and the Signals home.
SYSTEM_PATHS = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts"),
    *("/etc/ssl/certs", "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/mime.types"),
    *("/etc/gitconfig", "/etc/os-release"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a command may use; whatever goes beyond is killed, output is cut instead.

    `memory_bytes` and `processes` hold for the whole process tree (sampled ten times a second;
    memory for each single process also by the kernel), `output_bytes` for each of stdout and
    stderr.
    """

    timeout_seconds: float = 60.0
    memory_bytes: int = 2 << 30
    processes: int = 64
    output_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a command."""

    exit_code: int
    """The command's own; 128 + signal where a signal ended it."""
    stdout: str
    stderr: str
    timed_out: bool
    seconds: float
    limit: Limit | None = None
    """The limit that ended it."""
    dropped_bytes: int = 0
    """Output beyond the limit: the beginning and the end are kept, the middle is dropped."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a confined command sees: resolved paths and a clean environment."""

    cwd: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Protocol):
    """Runs commands without network, that write only where they are allowed to."""

    @property
    def mode(self) -> SandboxMode:
        """Which mechanism confines."""

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
        """Run `argv` to its end.

        It reads the system, this Python, `cwd`, `readable` and `writable`; it writes `writable`
        and a private temporary folder that is also its HOME and is removed afterwards. Its
        environment is PATH, LANG, HOME, TMPDIR, SIGNALS_SANDBOX and `env`. Raises SandboxError
        where the mechanism itself fails.
        """


def confine(
    cwd: Path,
    writable: Sequence[Path],
    readable: Sequence[Path],
    environment: Mapping[str, str],
) -> Confinement:
    """Resolve the caller's paths and add what every command needs to see."""
    missing = next((path for path in (cwd, *writable, *readable) if not path.exists()), None)
    if missing is not None:
        raise SandboxError(f"cannot confine a command to {missing}: it does not exist")
    return Confinement(
        cwd=cwd.resolve(),
        writable=tuple(path.resolve() for path in writable),
        readable=(*_python_paths(), *(path.resolve() for path in (cwd, *readable))),
        environment=environment,
    )


def clean_environment(
    mode: SandboxMode, private: str, given: Mapping[str, str] | None
) -> dict[str, str]:
    """The environment inside; nothing of this process's own gets in but what is `given`."""
    path = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin", "/opt/bin"]
    return {
        "PATH": os.pathsep.join(path),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **(given or {}),
        "HOME": f"{private}/home",
        "TMPDIR": private,
        SANDBOX_VARIABLE: mode,
    }


def system_paths() -> tuple[Path, ...]:
    """The parts of the operating system that exist here and that programs need."""
    return tuple(Path(path) for path in SYSTEM_PATHS if Path(path).exists())


def _python_paths() -> tuple[Path, ...]:
    """Where this interpreter lives: its virtual environment and the installation beneath."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent}
    return tuple(sorted(path for path in found if path != Path("/")))
