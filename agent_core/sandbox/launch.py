"""The first program of every confined command; run by its path, imports nothing of ours.

`python -I launch.py '{"rlimits": …, "landlock": … or null, "outlives": …, "filters": …}' COMMAND…`
sets the kernel's limits and becomes COMMAND. If it `outlives` the command it stays its parent
instead (with `landlock`, the child is confined), and ends every process that the command leaves
behind: orphans fall to it as their subreaper. With `filters`, COMMAND is bubblewrap and gets the
filter of system calls as an argument.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

# linux/landlock.h, linux/prctl.h; the system call numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_READ = 0b1101  # execute, read a file, read a folder
_ON_FILES = 0b111 | 1 << 14 | 1 << 15  # what a rule for a single file may grant
_SCOPES = 0b11  # abstract sockets and signals to the outside, from ABI 6 on
_LEAST_ABI = 3  # before it, truncate() reached files outside
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
# What no command needs: ways of a privileged process to reach the machine, keys (which no namespace
# hides), other processes' memory, io_uring (which opens sockets without the system call).
_DENIED = (
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "mount", "umount2", "move_mount"),
    *("open_tree", "fsopen", "fsmount", "pivot_root", "chroot", "unshare", "setns", "ptrace"),
    *("process_vm_writev", "bpf", "perf_event_open", "userfaultfd", "fanotify_init", "init_module"),
    *("finit_module", "kexec_load", "reboot", "keyctl", "add_key", "request_key", "settimeofday"),
    *("clock_settime", "sethostname", "open_by_handle_at", "memfd_secret"),
)
# Without namespaces also: sockets of every family (Landlock does not keep a process from connecting
# to a daemon's socket file), memory and queues that are shared by name, owners and attributes of
# files outside.
_DENIED_UNCONFINED = (
    *("socket", "shmget", "shmat", "msgget", "semget", "mq_open", "chown", "fchown", "lchown"),
    *("fchownat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr"),
    *("fremovexattr", 463, 466),  # setxattrat, removexattrat: newer than most libseccomp
)
# Which argument names a process; another one than itself (0) is none of the command's business.
_OF_A_PROCESS = {
    "prlimit64": 0,
    "sched_setaffinity": 0,
    "sched_setscheduler": 0,
    "sched_setparam": 0,
    "sched_setattr": 0,
    "setpriority": 1,
    "ioprio_set": 1,
}
# Files in memory only count for no limit; programs go on without them.
_ABSENT = ("memfd_create",)
# Inside a network namespace the internet families lead nowhere, but a socket file of a daemon in a
# visible folder and the virtual machine's host (AF_VSOCK) would answer.
_HARMLESS_FAMILIES = frozenset({2, 10, 16})  # AF_INET, AF_INET6, AF_NETLINK
_HARMLESS_FAMILIES_END = 17


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: Sequence[str]) -> int:
    """Confine as the first argument says and run the rest; the command's exit code."""
    spec = json.loads(arguments[0])
    set_limits(spec["rlimits"])
    if not spec["outlives"]:
        become(_filtered(arguments[1:]) if spec["filters"] else arguments[1:])
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(_PR_SET_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: _end_family())
    child = os.fork()
    if child == 0:
        _confine_and_become(spec["landlock"], arguments[1:])
    return _outlive(child)


def set_limits(limits: Mapping[str, int]) -> None:
    """Lower each kernel limit named to its value, or to the hard limit where that is lower."""
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def become(argv: Sequence[str]) -> None:
    """Replace this program by the command; exit 127 where it cannot be started."""
    try:
        os.execvp(argv[0], list(argv))
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _confine_and_become(spec: Mapping[str, Any] | None, argv: Sequence[str]) -> None:
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if spec is not None:
            _drop_capabilities()
            restrict_files(spec["readable"], spec["writable"])
            _deny_calls()
    except (OSError, RuntimeError, ImportError) as error:
        _give_up(error)
    become(argv)


def _give_up(error: Exception) -> NoReturn:
    print(f"signals: cannot confine: {error}", file=sys.stderr, flush=True)
    os._exit(126)


def _filtered(argv: Sequence[str]) -> list[str]:
    """Bubblewrap's command line with the filter that it loads last of all."""
    try:
        import pyseccomp

        calls = _denying(_DENIED)
        for family in range(_HARMLESS_FAMILIES_END):
            if family not in _HARMLESS_FAMILIES:
                is_it = pyseccomp.Arg(0, pyseccomp.EQ, family)
                calls.add_rule(pyseccomp.ERRNO(errno.EPERM), "socket", is_it)
        beyond = pyseccomp.Arg(0, pyseccomp.GE, _HARMLESS_FAMILIES_END)
        calls.add_rule(pyseccomp.ERRNO(errno.EPERM), "socket", beyond)
        descriptor = os.memfd_create("filter", 0)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            calls.export_bpf(file)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.set_inheritable(descriptor, True)
    except (OSError, RuntimeError, ImportError) as error:
        _give_up(error)
    return [argv[0], "--seccomp", str(descriptor), *argv[1:]]


def restrict_files(readable: Sequence[str], writable: Sequence[str]) -> None:
    """Let this process and its children reach these paths only. Raises OSError."""
    abi = _libc.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < _LEAST_ABI:
        raise OSError(errno.ENOSYS, f"Landlock ABI {_LEAST_ABI} needed, this kernel has {abi}")
    handled = (1 << (16 if abi >= 5 else 15)) - 1
    # struct landlock_ruleset_attr: files, network (from ABI 4), scopes (from ABI 6).
    attribute = (ctypes.c_uint64 * 3)(handled, 3 if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(attribute), size, 0))
    for path in readable:
        _allow(ruleset, path, _READ & handled)
    for path in writable:
        _allow(ruleset, path, handled)
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rights = access if Path(path).is_dir() else access & _ON_FILES
        rule = _PathBeneath(rights, opened)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
        os.close(opened)


def _deny_calls() -> None:
    import pyseccomp

    calls = _denying((*_DENIED, *_DENIED_UNCONFINED))
    for name, position in _OF_A_PROCESS.items():
        other = pyseccomp.Arg(position, pyseccomp.NE, 0)
        calls.add_rule(pyseccomp.ERRNO(errno.EPERM), name, other)
    calls.load()


def _denying(denied: Sequence[str | int]) -> Any:
    """A filter that lets everything pass but these calls."""
    import pyseccomp

    calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for call in denied:
        calls.add_rule(pyseccomp.ERRNO(errno.EPERM), call)
    for name in _ABSENT:
        calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), name)
    return calls


def _drop_capabilities() -> None:
    """Leave root nothing but its name: what is not in the bounding set is gone after exec."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            return


def _outlive(child: int) -> int:
    code = 1
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            break
    _kill_descendants()
    return code if code >= 0 else 128 - code


def _end_family() -> None:
    _kill_descendants()
    os._exit(128 + signal.SIGKILL)


def _kill_descendants() -> None:
    """Stop all before any is killed: what runs on could fork faster than it is killed."""
    stopped: set[int] = {os.getpid()}
    while found := _unknown_children(stopped):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= found
    for pid in stopped - {os.getpid()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _unknown_children(family: set[int]) -> set[int]:
    """Children of a family's members that are not in it; who is in it is not looked at again."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) not in family:
            with suppress(OSError, IndexError):
                stat = Path(entry.path, "stat").read_text(errors="replace")
                if int(stat.rpartition(")")[2].split()[1]) in family:
                    found.add(int(entry.name))
    return found


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, value, 0, 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
