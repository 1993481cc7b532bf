"""Runs one process tree to its end: streams its output into a bound, holds its limits."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from agent_core.sandbox.confinement import Completed, Limit, Limits

_TICK_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_CHUNK_BYTES = 1 << 16
_PROC = Path("/proc")


def supervise(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    limits: Limits,
    stop_signal: int = signal.SIGKILL,
) -> Completed:
    """Run `argv` and report its end; `stop_signal` is what makes the tree's root end it all."""
    started = time.monotonic()
    process = subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    kept = {
        "stdout": CappedOutput(limits.output_bytes),
        "stderr": CappedOutput(limits.output_bytes),
    }
    try:
        exceeded = _watch(process, kept, limits, started + limits.timeout_seconds, stop_signal)
    finally:
        _end(process, stop_signal)
        _close(process)
    code = process.returncode
    return Completed(
        exit_code=code if code >= 0 else 128 - code,
        stdout=kept["stdout"].text(),
        stderr=kept["stderr"].text(),
        timed_out=exceeded == "time",
        seconds=time.monotonic() - started,
        limit=exceeded,
        dropped_bytes=sum(output.dropped for output in kept.values()),
    )


class CappedOutput:
    """Bytes of a stream: the first and the last half of `limit`, never more in memory."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def add(self, chunk: bytes) -> None:
        """Take the stream's next bytes."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self.dropped += surplus

    def text(self) -> str:
        """What was kept, with a line that says how much is missing in the middle."""
        head, tail = (bytes(part).decode("utf-8", "replace") for part in (self._head, self._tail))
        gap = f"\n[... {self.dropped} bytes of output dropped ...]\n" if self.dropped else ""
        return head + gap + tail


def _watch(
    process: subprocess.Popen[bytes],
    kept: Mapping[str, CappedOutput],
    limits: Limits,
    deadline: float,
    stop_signal: int,
) -> Limit | None:
    """Read until the process ends; None, or the limit for which it was ended."""
    exceeded: Limit | None = None
    next_look = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, kept[name])
        while process.poll() is None and exceeded is None:
            _read_ready(selector, _TICK_SECONDS)
            now = time.monotonic()
            if now >= next_look:
                exceeded = _exceeded(process.pid, limits, now >= deadline)
                next_look = now + _TICK_SECONDS
        if exceeded is not None:
            _end(process, stop_signal)
        while _read_ready(selector, 0.0):
            pass
    return exceeded


def _read_ready(selector: selectors.BaseSelector, timeout: float) -> bool:
    """Take what the pipes hold; True while a pipe had something."""
    if not selector.get_map():
        time.sleep(min(timeout, 0.01))
        return False
    had_bytes = False
    for key, _ in selector.select(timeout):
        with suppress(BlockingIOError):
            chunk = os.read(key.fd, _CHUNK_BYTES)
            if chunk:
                key.data.add(chunk)
                had_bytes = True
            else:
                selector.unregister(key.fileobj)
    return had_bytes


def _exceeded(pid: int, limits: Limits, is_late: bool) -> Limit | None:
    if is_late:
        return "time"
    tree = descendants(pid)
    # The launcher (and bubblewrap's two processes) are part of the tree, hence the allowance.
    if len(tree) > limits.processes + 3:
        return "processes"
    return "memory" if _memory_bytes(tree, limits.memory_bytes) > limits.memory_bytes else None


def descendants(pid: int) -> list[int]:
    """Processes below `pid`, from /proc; empty where there is none (macOS)."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found, pending = [], [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _parents() -> Iterable[tuple[int, int]]:
    if not _PROC.is_dir():
        return
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                stat = (entry / "stat").read_text(errors="replace")
                # The name in parentheses may hold anything, even a closing parenthesis.
                yield int(entry.name), int(stat.rpartition(")")[2].split()[1])


def _memory_bytes(tree: Sequence[int], most: int) -> int:
    """Resident memory of a tree that no file on a disk backs.

    What processes share is counted for each of them first; only where that is too much is it
    divided among them, which the kernel takes longer to tell.
    """
    rough = sum(map(_resident_bytes, tree))
    return rough if rough <= most else sum(map(_divided_bytes, tree))


def _resident_bytes(pid: int) -> int:
    return _kilobytes(_PROC / str(pid) / "status", ("RssAnon:", "RssShmem:")) or 0


def _divided_bytes(pid: int) -> int:
    divided = _kilobytes(_PROC / str(pid) / "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))
    return _resident_bytes(pid) if divided is None else divided


def _kilobytes(path: Path, names: tuple[str, ...]) -> int | None:
    """The sum of some lines of a file of /proc in bytes; None where it cannot be read."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith(names)]
    return sum(found) << 10 if found else None


def _end(process: subprocess.Popen[bytes], stop_signal: int) -> None:
    """End the tree: by its root, which knows how, and failing that by force."""
    if process.poll() is not None:
        _kill_group(process.pid)
        return
    family = descendants(process.pid)
    process.send_signal(stop_signal)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in descendants(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _kill_group(process.pid)
    process.wait()
    _await_the_end(family)


def _await_the_end(family: Iterable[int]) -> None:
    """Wait until a tree is gone: a namespace's processes die a moment after its root."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(map(_runs, family)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        state = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return state[0] not in "ZX"


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
