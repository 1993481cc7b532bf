"""Keeps a process that runs commands of others from being reached by them."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def seclude() -> None:
    """Close this process's memory, descriptors and environment to its own children.

    A command has the same user as who starts it, so /proc/PID/mem of its parent would be open to
    it: with that, a replayed command could write the result that it is judged by. On Linux only,
    as the sandboxes that need it. Raises OSError where the kernel refuses.
    """
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_DUMPABLE) failed")
