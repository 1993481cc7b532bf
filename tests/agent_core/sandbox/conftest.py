"""Every sandbox that works here, a workspace, and a secret beside it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_core.sandbox import Sandbox
from agent_core.sandbox.bubblewrap import Bubblewrap
from agent_core.sandbox.confinement import SANDBOX_VARIABLE
from agent_core.sandbox.finding import probe
from agent_core.sandbox.landlock import Landlock


@pytest.fixture(
    scope="session", params=[Bubblewrap(), Landlock()], ids=lambda sandbox: sandbox.mode
)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if SANDBOX_VARIABLE in os.environ:
        pytest.skip("already confined: sandboxes do not nest reliably")
    candidate: Sandbox = request.param
    reason = probe(candidate)
    if reason is not None:
        pytest.skip(reason)
    return candidate


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("the secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    return inside


@pytest.fixture
def loopback_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
