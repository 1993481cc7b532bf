"""Ways out that need a system call, a daemon, a leftover or patience; all of them take a while."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent_core.sandbox import Limits, Sandbox
from tests.agent_core.sandbox.confined import run_python

pytestmark = pytest.mark.slow

_CALL = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); "


def _marked(marker: str) -> list[int]:
    """Processes with a text in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker in (entry / "cmdline").read_text(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.parametrize(
    "way",
    ["/proc/1/root", "/proc/self/root", "/proc/{parent}/root", "/proc/self/cwd/../../../../.."],
)
def test_no_link_of_proc_leads_out(sandbox: Sandbox, workspace: Path, way: str) -> None:
    secret = workspace.parent / "outside" / "secret"
    path = f"{way.format(parent=os.getpid())}{secret}"
    done = run_python(sandbox, workspace, f"print(open({path!r}).read())")
    assert (done.exit_code, "the secret" in done.stdout) == (1, False)


@pytest.mark.parametrize(
    "code",
    [
        "libc.ptrace(16, {pid}, 0, 0)",
        "open('/proc/{pid}/mem', 'rb').read(1)",
        "open('/proc/{pid}/mem', 'r+b')",
        "__import__('resource').prlimit({pid}, 7, (9, 9))",
        "os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
        "os.sched_setaffinity({pid}, {{0}})",
        "os.kill({pid}, 15)",
        "os.killpg({group}, 15)",
        "os.pidfd_open({pid}) and __import__('signal').pidfd_send_signal(os.pidfd_open({pid}), 15)",
    ],
    ids=["trace", "read", "write", "limits", "priority", "cores", "signal", "group", "descriptor"],
)
def test_other_processes_are_out_of_reach(sandbox: Sandbox, workspace: Path, code: str) -> None:
    """The victim is a process of the same user."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as victim:
        before = (resource.prlimit(victim.pid, 7), os.getpriority(os.PRIO_PROCESS, victim.pid))
        attempt = code.format(pid=victim.pid, group=victim.pid)
        check = f"{_CALL}result = {attempt}; raise SystemExit(9 if result == -1 else 0)"
        done = run_python(sandbox, workspace, check)
        after = (resource.prlimit(victim.pid, 7), os.getpriority(os.PRIO_PROCESS, victim.pid))
        assert victim.poll() is None
        victim.kill()
    assert done.exit_code != 0
    assert after == before


def test_a_daemon_that_lets_go_of_everything_ends(sandbox: Sandbox, workspace: Path) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.closerange(0, 256)\n"
        "        os.chdir('/')\n"
        "        time.sleep(1.5)\n"
        f"        open({str(workspace / 'late')!r}, 'w')\n"
        "    os._exit(0)\n"
        "os.wait(); print('gone')"
    )
    done = run_python(sandbox, workspace, code)
    assert (done.stdout, done.exit_code) == ("gone\n", 0)
    time.sleep(2)
    assert not (workspace / "late").exists()


def test_a_bomb_of_forks_leaves_nothing(sandbox: Sandbox, workspace: Path) -> None:
    marker = f"bomb-{os.getpid()}-{sandbox.mode}"
    code = f"import os, time\n'{marker}'\nfor _ in range(9): os.fork()\ntime.sleep(60)"
    done = run_python(sandbox, workspace, code, Limits(timeout_seconds=30, processes=40))
    assert done.limit == "processes"
    assert _marked(marker) == []


def test_those_who_fork_on_while_they_are_ended_are_ended(
    sandbox: Sandbox, workspace: Path
) -> None:
    marker = f"hydra-{os.getpid()}-{sandbox.mode}"
    code = f"import os\n'{marker}'\nwhile True:\n    if os.fork(): os._exit(0)"
    done = run_python(sandbox, workspace, f"import os\nif os.fork() == 0:\n    exec({code!r})")
    assert done.exit_code == 0
    assert _marked(marker) == []


@pytest.mark.parametrize("place", ["inside", "abstract"])
def test_a_socket_within_sight_does_not_answer(
    sandbox: Sandbox, workspace: Path, place: str
) -> None:
    address = str(workspace / "daemon") if place == "inside" else f"\0signals-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        code = f"import socket; socket.socket(socket.AF_UNIX).connect({address!r})"
        assert run_python(sandbox, workspace, code).exit_code == 1


def test_the_machines_host_is_out_of_reach(sandbox: Sandbox, workspace: Path) -> None:
    done = run_python(sandbox, workspace, "import socket; socket.socket(socket.AF_VSOCK)")
    assert "PermissionError" in done.stderr


def test_no_open_file_is_inherited(sandbox: Sandbox, workspace: Path) -> None:
    with (workspace.parent / "outside" / "secret").open() as secret:
        os.set_inheritable(secret.fileno(), True)
        code = (
            "import os\nfor n in range(3, 512):\n"
            " try: print(n, os.readlink(f'/proc/self/fd/{n}'))\n except OSError: pass"
        )
        done = run_python(sandbox, workspace, code)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "code",
    [
        "open('/dev/tty', 'w').write('x')",
        "import fcntl, termios; [fcntl.ioctl(n, termios.TIOCSTI, b'x') for n in (0, 1, 2)]",
    ],
    ids=["terminal", "typed for the user"],
)
def test_the_terminal_is_out_of_reach(sandbox: Sandbox, workspace: Path, code: str) -> None:
    assert run_python(sandbox, workspace, code).exit_code == 1


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("libc.unshare(0x10000000)", "PermissionError"),
        ("libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)", "PermissionError"),
        ("libc.memfd_create(b'x', 0)", "OSError"),
        ("libc.syscall(250, 0, -3, 0)", "PermissionError"),
        ("libc.ptrace(0, 0, 0, 0)", "PermissionError"),
    ],
    ids=["namespace", "mount", "file in memory", "keys", "trace"],
)
def test_what_no_command_needs_is_denied(
    sandbox: Sandbox, workspace: Path, call: str, error: str
) -> None:
    code = f"{_CALL}failed = ({call}) == -1; number = ctypes.get_errno()\n"
    code += "if failed: raise OSError(number, 'denied')"
    done = run_python(sandbox, workspace, code)
    assert done.stderr.strip().splitlines()[-1].startswith(error)


@pytest.mark.parametrize("command", ["chown 1 {}", "setfattr -n user.x -v 1 {}", "touch {}.new"])
def test_owners_outside_stay(sandbox: Sandbox, workspace: Path, command: str) -> None:
    secret = workspace.parent / "outside" / "secret"
    argv = ["sh", "-c", command.format(secret)]
    assert sandbox.run(argv, cwd=workspace, writable=[workspace]).exit_code != 0
    assert secret.stat().st_uid == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
def test_another_users_keys_are_out_of_reach(sandbox: Sandbox, workspace: Path) -> None:
    key = workspace.parent / "outside" / "id_ed25519"
    key.write_text("PRIVATE KEY")
    key.chmod(0o600)
    os.chown(key, 65534, 65534)
    done = run_python(sandbox, workspace, f"print(open({str(key)!r}).read())")
    assert (done.exit_code, done.stdout) == (1, "")


def test_memory_that_processes_share_counts(sandbox: Sandbox, workspace: Path) -> None:
    code = (
        "import mmap, time\n"
        "shared = mmap.mmap(-1, 400 << 20)\n"
        "for at in range(0, 400 << 20, 4096): shared[at] = 1\n"
        "time.sleep(20)"
    )
    limits = Limits(memory_bytes=200 << 20, timeout_seconds=20)
    assert run_python(sandbox, workspace, code, limits).limit == "memory"


def test_memory_that_is_shared_counts_once(sandbox: Sandbox, workspace: Path) -> None:
    code = (
        "import mmap, os, time\n"
        "shared = mmap.mmap(-1, 60 << 20)\n"
        "for _ in range(2): os.fork()\n"
        "for at in range(0, 60 << 20, 4096): shared[at] = 1\n"
        "time.sleep(1)"
    )
    limits = Limits(memory_bytes=200 << 20, timeout_seconds=20)
    assert run_python(sandbox, workspace, code, limits).limit is None


def test_nothing_in_the_home_lasts(sandbox: Sandbox, workspace: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    plant = (
        f'd="$HOME/.local/lib/{version}/site-packages"; mkdir -p "$d"; '
        'echo "print(1)" > "$d/usercustomize.py"; echo "echo planted" > "$HOME/.profile"; '
        'touch "$TMPDIR/left"'
    )
    look = 'ls -A "$HOME" "$TMPDIR"; python -c "print(2)"'
    for command in (plant, look):
        done = sandbox.run(["sh", "-c", command], cwd=workspace, writable=[workspace])
    assert done.stdout.endswith("\n2\n")
    assert not {"1", "left", ".local", ".profile"} & set(done.stdout.split())


_GIT = ["git", "-c", "user.name=P", "-c", "user.email=p@example.org"]


@pytest.fixture
def git_workspace(workspace: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=workspace, check=True)
    hook = workspace / ".git" / "hooks" / "commit-msg"
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    return workspace


@pytest.mark.parametrize(
    "command",
    [
        "echo 'touch {mark}' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit",
        "echo 'touch {mark}' > .git/hooks/commit-msg; chmod +x .git/hooks/commit-msg",
        "git config core.fsmonitor 'touch {mark}'; git config core.hooksPath ours",
        "mv .git old; cp -r old .git; echo 'touch {mark}' > .git/hooks/pre-commit",
        "rm -r .git/hooks; ln -s ../../outside .git/hooks",
        "rm .git/config; ln -s ../../outside/secret .git/config",
        "mv .git away; echo 'gitdir: away' > .git; git config core.fsmonitor 'touch {mark}'",
        "git init -q .git/modules/x; cp .git/hooks/commit-msg .git/modules/x/.git/hooks/pre-push",
    ],
    ids=["hook", "other hook", "config", "replaced", "hooks", "config link", "moved", "submodule"],
)
def test_git_runs_nothing_that_a_command_left(
    sandbox: Sandbox, git_workspace: Path, command: str
) -> None:
    git, mark = git_workspace / ".git", git_workspace.parent / "ran"
    config, hook = (git / "config").read_bytes(), (git / "hooks" / "commit-msg").read_bytes()
    argv = ["sh", "-c", command.format(mark=mark)]
    sandbox.run(argv, cwd=git_workspace, writable=[git_workspace])
    outside = git_workspace.parent / "outside"
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"secret": "the secret"}
    subprocess.run([*_GIT, "add", "."], cwd=git_workspace, capture_output=True)
    subprocess.run([*_GIT, "commit", "-qm", "x"], cwd=git_workspace, capture_output=True)
    assert not mark.exists()
    if git.is_dir() and (git / "hooks").is_dir():
        assert (git / "config").read_bytes() == config
        assert (git / "hooks" / "commit-msg").read_bytes() == hook


def test_a_new_repository_keeps_what_is_harmless(sandbox: Sandbox, workspace: Path) -> None:
    command = (
        "git init -q -b main && git config user.name Ann && git config core.pager 'touch ran' && "
        "git config alias.st '!touch ran' && echo 'touch ran' > .git/hooks/pre-commit && "
        "git add . && git commit -q --allow-empty -m x --author 'A <a@example.org>' || true"
    )
    sandbox.run(["sh", "-c", command], cwd=workspace, writable=[workspace])
    config = (workspace / ".git" / "config").read_text()
    assert ("name = Ann" in config, "pager" in config, "alias" in config) == (True, False, False)
    assert not (workspace / ".git" / "hooks" / "pre-commit").exists()
    shown = subprocess.run(["git", "status"], cwd=workspace, capture_output=True, text=True)
    assert shown.returncode == 0
