"""Finds the first sandbox that works on this machine, by running something in it."""

import json
import socket
import sys
import tempfile
from pathlib import Path

from agent_core.errors import SandboxError
from agent_core.sandbox.bubblewrap import Bubblewrap
from agent_core.sandbox.confinement import Limits, Sandbox, SandboxMode
from agent_core.sandbox.landlock import Landlock
from agent_core.sandbox.seatbelt import Seatbelt

_PROBE_LIMITS = Limits(timeout_seconds=10, memory_bytes=1 << 30, processes=8, output_bytes=10_000)
# Prints which of four things were possible: write inside, write outside, read outside, connect.
_PROBE = """
import json, pathlib, socket, sys
def possible(act):
    try:
        act()
    except OSError:
        return False
    return True
inside, outside, port = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
print(json.dumps([
    possible(lambda: (inside / "made").write_text("x")),
    possible(lambda: (outside / "made").write_text("x")),
    possible(lambda: (outside / "secret").read_text()),
    possible(lambda: socket.create_connection(("127.0.0.1", port), 1)),
]))
"""


def find_sandbox() -> Sandbox | None:
    """The first of bubblewrap, Landlock with seccomp, sandbox-exec that holds; None if none."""
    return next((sandbox for sandbox in _candidates() if probe(sandbox) is None), None)


def probe_sandboxes() -> dict[SandboxMode, str | None]:
    """Every mode with None where it works, else with the reason why it does not."""
    return {sandbox.mode: probe(sandbox) for sandbox in _candidates()}


def probe(sandbox: Sandbox) -> str | None:
    """Try to write, read and connect out of a sandbox; None if it holds, else what failed."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        inside, outside = Path(folder, "inside"), Path(folder, "outside")
        inside.mkdir()
        outside.mkdir()
        (outside / "secret").write_text("secret")
        port = str(server.getsockname()[1])
        argv = [sys.executable, "-I", "-c", _PROBE, str(inside), str(outside), port]
        try:
            done = sandbox.run(argv, cwd=inside, writable=[inside], limits=_PROBE_LIMITS)
        except SandboxError as error:
            return str(error)
    if done.exit_code != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.exit_code}"]
        return f"{sandbox.mode} does not start here: {lines[-1]}"
    return _judge(sandbox.mode, json.loads(done.stdout))


def _judge(mode: SandboxMode, possible: list[bool]) -> str | None:
    if not possible[0]:
        return f"{mode} lets nothing be written, not even in the workspace"
    escapes = ("writing outside", "reading outside", "the network")
    leaks = [name for name, leak in zip(escapes, possible[1:], strict=True) if leak]
    return f"{mode} does not confine here: {', '.join(leaks)}" if leaks else None


def _candidates() -> tuple[Sandbox, ...]:
    return (Bubblewrap(), Landlock(), Seatbelt())
