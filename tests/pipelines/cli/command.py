"""The command in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def signals(
    *arguments: str | Path,
    home: Path,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """`signals --home HOME …` without any key of this machine's environment."""
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "pipelines", "--home", str(home), *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=kept | {"COLUMNS": "200"} | (environment or {}),
        cwd=cwd,
        check=False,
    )
