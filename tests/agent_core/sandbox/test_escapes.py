"""Real escapes tried from inside every sandbox that works here."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from agent_core.errors import SandboxError
from agent_core.sandbox import Limits, Sandbox
from tests.agent_core.sandbox.confined import run_python


def test_writes_inside_stay_and_the_exit_code_is_the_commands(
    sandbox: Sandbox, workspace: Path
) -> None:
    done = sandbox.run(
        ["sh", "-c", "echo kept > made; echo out; echo err >&2; exit 3"],
        cwd=workspace,
        writable=[workspace],
    )
    assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert (done.timed_out, done.limit, done.dropped_bytes) == (False, None, 0)
    assert (workspace / "made").read_text() == "kept\n"


@pytest.mark.parametrize(
    "command",
    [
        "echo x > ../outside/made",
        "echo x > ../outside/secret",
        "rm ../outside/secret",
        "mv ../outside/secret taken",
        "ln ../outside/secret hard && echo x > hard",
        "ln -s ../outside link && echo x > link/secret",
        "python -c \"import os; os.truncate('../outside/secret', 0)\"",
    ],
)
def test_nothing_outside_is_written(sandbox: Sandbox, workspace: Path, command: str) -> None:
    done = sandbox.run(["sh", "-c", command], cwd=workspace, writable=[workspace])
    assert done.exit_code != 0
    outside = workspace.parent / "outside"
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "the secret"


@pytest.mark.parametrize("command", ["cat ../outside/secret", "cat /etc/shadow"])
def test_nothing_outside_is_read(sandbox: Sandbox, workspace: Path, command: str) -> None:
    done = sandbox.run(["sh", "-c", command], cwd=workspace, writable=[workspace])
    assert done.exit_code != 0
    assert "secret" not in done.stdout


def test_the_users_home_is_out_of_sight(sandbox: Sandbox, workspace: Path) -> None:
    code = f"import os; print(os.listdir({str(Path.home())!r}))"
    done = run_python(sandbox, workspace, code)
    # Parents of the interpreter may show, empty but for the way to it.
    way_to_python = {Path(sys.base_prefix), Path(sys.prefix)}
    hidden = [
        path.name
        for path in Path.home().iterdir()
        if not any(path == python or path in python.parents for python in way_to_python)
    ]
    assert [name for name in hidden if repr(name) in done.stdout] == []


def test_what_is_readable_is_read_but_not_written(sandbox: Sandbox, workspace: Path) -> None:
    outside = workspace.parent / "outside"
    done = sandbox.run(
        ["sh", "-c", f"cat {outside}/secret; echo x > {outside}/secret"],
        cwd=workspace,
        writable=[workspace],
        readable=[outside],
    )
    assert (done.stdout, done.exit_code != 0) == ("the secret", True)
    assert (outside / "secret").read_text() == "the secret"


def test_loopback_is_out_of_reach(sandbox: Sandbox, workspace: Path, loopback_port: int) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {loopback_port}), 2)"
    done = run_python(sandbox, workspace, code)
    assert done.exit_code == 1
    assert done.stderr.strip().splitlines()[-1].startswith(("PermissionError", "ConnectionRefused"))


def test_a_daemons_socket_file_is_out_of_reach(sandbox: Sandbox, workspace: Path) -> None:
    address = workspace.parent / "outside" / "daemon"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(address)!r})"
        assert run_python(sandbox, workspace, code).exit_code == 1


def test_the_environment_is_clean(
    sandbox: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code = "import os; print(sorted(os.environ))"
    done = sandbox.run(
        [sys.executable, "-I", "-c", code], cwd=workspace, env={"GIVEN": "1", "HOME": "/root"}
    )
    names = [
        "GIVEN",
        "HOME",
        "LANG",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "SIGNALS_SANDBOX",
        "TMPDIR",
    ]
    assert [name for name in eval(done.stdout) if name not in ("LC_CTYPE", "PWD")] == names


@pytest.mark.parametrize(
    "path", ["/proc/{}/environ", "/proc/{}/cwd/pyproject.toml", "/proc/{}/root/etc/shadow"]
)
def test_this_process_is_out_of_reach(sandbox: Sandbox, workspace: Path, path: str) -> None:
    done = run_python(sandbox, workspace, f"open({path.format(os.getpid())!r}).read()")
    assert done.exit_code == 1
    kill = run_python(sandbox, workspace, f"import os; os.kill({os.getpid()}, 0)")
    assert kill.exit_code == 1


def test_root_inside_is_not_root(sandbox: Sandbox, workspace: Path) -> None:
    code = "import ctypes; print(ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None))"
    assert run_python(sandbox, workspace, code).stdout == "-1\n"


def test_children_do_not_outlive_the_time(sandbox: Sandbox, workspace: Path) -> None:
    command = "(setsid sh -c 'sleep 1.2; echo late > late' &) ; echo started; sleep 30"
    done = sandbox.run(
        ["sh", "-c", command],
        cwd=workspace,
        writable=[workspace],
        limits=Limits(timeout_seconds=0.5),
    )
    assert (done.stdout, done.timed_out, done.limit) == ("started\n", True, "time")
    assert done.exit_code == 137
    assert done.seconds < 3
    time.sleep(1.2)
    assert not (workspace / "late").exists()


def test_children_do_not_outlive_the_command(sandbox: Sandbox, workspace: Path) -> None:
    command = "(setsid sh -c 'sleep 0.6; echo late > late' &) ; echo done"
    done = sandbox.run(["sh", "-c", command], cwd=workspace, writable=[workspace])
    assert (done.stdout, done.exit_code, done.seconds < 0.6) == ("done\n", 0, True)
    time.sleep(0.8)
    assert not (workspace / "late").exists()


def test_output_beyond_the_limit_loses_its_middle(sandbox: Sandbox, workspace: Path) -> None:
    code = "print('first'); print('x' * 50_000_000); print('last')"
    done = run_python(sandbox, workspace, code, Limits(output_bytes=1000))
    assert done.stdout.startswith("first\nxxx")
    assert done.stdout.endswith("xxx\nlast\n")
    assert len(done.stdout) < 1100
    assert done.dropped_bytes == 50_000_012 - 1000


def test_endless_output_ends_with_the_time(sandbox: Sandbox, workspace: Path) -> None:
    limits = Limits(timeout_seconds=0.5, output_bytes=1000)
    done = sandbox.run(["yes"], cwd=workspace, limits=limits)
    assert (done.timed_out, len(done.stdout) < 1100) == (True, True)


def test_a_fork_bomb_is_ended(sandbox: Sandbox, workspace: Path) -> None:
    limits = Limits(timeout_seconds=20, processes=20)
    done = sandbox.run(["sh", "-c", "while :; do sleep 5 & done"], cwd=workspace, limits=limits)
    assert (done.limit, done.seconds < 10) == ("processes", True)


def test_one_process_cannot_take_all_memory(sandbox: Sandbox, workspace: Path) -> None:
    code = "x = bytearray(1 << 30); print(len(x))"
    done = run_python(sandbox, workspace, code, Limits(memory_bytes=200 << 20))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "MemoryError" in done.stderr


def test_many_processes_cannot_take_all_memory(sandbox: Sandbox, workspace: Path) -> None:
    code = "import os, time\nfor _ in range(3): os.fork()\nx = b'x' * (60 << 20)\ntime.sleep(20)"
    limits = Limits(memory_bytes=200 << 20, timeout_seconds=20)
    done = run_python(sandbox, workspace, code, limits)
    assert (done.limit, done.seconds < 10) == ("memory", True)


def test_an_unknown_command_says_so(sandbox: Sandbox, workspace: Path) -> None:
    done = sandbox.run(["no-such-command"], cwd=workspace)
    assert (done.exit_code, "no-such-command" in done.stderr) == (127, True)


def test_a_missing_folder_is_refused(sandbox: Sandbox, workspace: Path) -> None:
    with pytest.raises(SandboxError, match="does not exist"):
        sandbox.run(["true"], cwd=workspace, writable=[workspace / "absent"])
