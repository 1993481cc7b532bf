"""Steps on their way from the readers to the warehouse: Arrow streams in a folder of the home.

They hold raw text, so the folder is the run's own, for the owner's eyes only, and goes away with
the run; what a killed run left is taken away by the next one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from agent_core.session import Session
from pipelines.warehouse.session_rows import EMPTY_STEPS, step_frames


@contextmanager
def spool_folder(parent: Path) -> Iterator[Path]:
    """A new folder below `parent`, empty again at the end."""
    parent.mkdir(mode=0o700, exist_ok=True)
    for left in parent.iterdir():
        if not _is_running(left.name.partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=parent) as folder:
        yield Path(folder)


def write_steps(path: Path, sessions: Iterable[Session]) -> None:
    """Write the steps of the sessions, a few megabytes at a time."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as stream:
        for frame in step_frames(sessions):
            stream.write_table(frame.to_arrow())


def read_steps(paths: Sequence[Path]) -> pa.Table:
    """The steps of several streams, which stay on disk until they are looked at."""
    batches = [batch for path in paths for batch in pa.ipc.open_stream(pa.memory_map(str(path)))]
    return pa.Table.from_batches(batches, _SCHEMA)


def _is_running(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


_SCHEMA = EMPTY_STEPS.to_arrow().schema
