"""The private folder of one confined command, and the launcher in front of it."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent_core.sandbox import launch
from agent_core.sandbox.confinement import Limits

CANNOT_CONFINE, CANNOT = 126, "signals: cannot confine"
"""How the launcher ends, and what it says, where the kernel does not do as it should."""
_LARGEST_FILE_BYTES = 1 << 30


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder with a `home` in it, removed with all its content afterwards."""
    with tempfile.TemporaryDirectory(prefix="signals-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / "home").mkdir()
        yield folder


def launcher(
    limits: Limits,
    landlock: Mapping[str, Any] | None = None,
    *,
    outlives: bool = False,
    filters: bool = False,
) -> list[str]:
    """The command line that sets the kernel's limits for what follows it.

    With `landlock` or `outlives` it stays and ends what the command leaves behind; with `filters`
    what follows is bubblewrap.

    RLIMIT_DATA counts what a process can write to in memory, so that large read-only mappings
    and reserved address space, usual in numerical libraries, do not trip it as RLIMIT_AS would.
    """
    rlimits = {
        "RLIMIT_DATA": limits.memory_bytes,
        "RLIMIT_FSIZE": _LARGEST_FILE_BYTES,
        "RLIMIT_CORE": 0,
    }
    outlives = outlives or landlock is not None
    spec = json.dumps(
        {"rlimits": rlimits, "landlock": landlock, "outlives": outlives, "filters": filters}
    )
    return [sys.executable, "-I", str(Path(launch.__file__).resolve()), spec]
