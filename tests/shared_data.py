"""Where the real logs and labels are: SIGNALS_SHARED, else `shared` beside the checkout."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent


def shared_folder() -> Path:
    """The folder, whether or not anything is there."""
    return Path(os.environ.get("SIGNALS_SHARED", _ROOT.parent / "shared")).resolve()


def missing_data(folder: Path) -> str | None:
    """Why the data in `folder` cannot be used; None where it is there."""
    if (folder / "logs").is_dir():
        return None
    return f"real data not found: {folder} has no logs; name it with SIGNALS_SHARED"


def benchmark_data(folder: Path | None = None) -> Path:
    """The folder for a benchmark script, which ends with one line where it is missing."""
    found = folder or shared_folder()
    if reason := missing_data(found):
        sys.exit(reason)
    return found
