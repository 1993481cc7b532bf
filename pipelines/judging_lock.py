"""One run that pays for verdicts at a time: a second one would pay for the same again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from agent_core.errors import JudgingHeldError
from pipelines.context import Context


@contextmanager
def judging_alone(context: Context) -> Iterator[None]:
    """Hold the home's paid judging, at once or by a batch; the warehouse stays free.

    Raises JudgingHeldError, naming the holder, at once: what another run pays for takes hours.
    """
    note = context.home.state / "judging-holder"
    lock = FileLock(context.home.state / "judging.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        name = note.read_text().strip() if note.exists() else "another process"
        raise JudgingHeldError(
            f"{context.home.root}: {name or 'another process'} is judging by a model; "
            "wait for it to end, then try again"
        ) from None
    try:
        note.write_text(f"signals {context.verb} (process {os.getpid()})")
        yield
    finally:
        lock.release()
