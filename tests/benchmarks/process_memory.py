"""The memory of a process and its children together, at its peak."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_EVERY_SECONDS = 0.05
_REST = 20
"""Times as long as a look took nothing is looked at: the kernel walks all pages for it."""
_PROC = Path("/proc")


def peak_memory(process: subprocess.Popen[str]) -> Callable[[], float | None]:
    """Watch the process until it ends; the result waits for that and gives megabytes.

    Proportional set size (Linux, `smaps_rollup`): a page that several processes share counts
    once. None where the system does not tell.
    """
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            begun = time.perf_counter()
            peak = max(peak, sum(map(_megabytes, _family(process.pid))))
            stopped.wait(max(_EVERY_SECONDS, _REST * (time.perf_counter() - begun)))

    stopped = threading.Event()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()

    def result() -> float | None:
        process.wait()
        watcher.join()
        return peak or None

    return result


def _family(process_id: int) -> Iterator[int]:
    yield process_id
    for tasks in (_PROC / str(process_id) / "task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:  # gone meanwhile
            continue
        for child in children:
            yield from _family(int(child))


def _megabytes(process_id: int) -> float:
    try:
        lines = (_PROC / str(process_id) / "smaps_rollup").read_text().splitlines()
    except OSError:  # gone meanwhile, or not Linux
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
