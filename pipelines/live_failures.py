"""Where a hook notes that it failed: `state/live.log` in the home, no word of the session."""

import time
from pathlib import Path

MAX_LOG_BYTES = 1 << 17


def note_failure(root: Path, error: Exception) -> None:
    """Add a line: when, the kind of error and the line of code, not its text, which may quote."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "?"
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        log = root / "state" / "live.log"
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)
        with log.open("a", encoding="utf-8") as lines:
            lines.write(f"{at} {type(error).__name__} at {place}\n")
    except OSError:
        return
