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

import duckdb
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


def write_steps(path: Path, sessions: Iterable[Session]) -> int:
    """Write the steps of the sessions, a few megabytes at a time, and return how many."""
    count = 0
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as stream:
        for frame in step_frames(sessions):
            stream.write_table(frame.to_arrow())
            count += frame.height
    return count


class SpooledSteps:
    """The steps of several streams, to be looked at by one query after the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Let the next query on the connection, and that one alone, read them under the name.

        They come a few megabytes at a time: memory does not grow with them.
        """
        connection.register(name, pa.RecordBatchReader.from_batches(_SCHEMA, self._batches()))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for path in self._paths:
            with pa.OSFile(str(path)) as file:
                yield from pa.ipc.open_stream(file)


def _is_running(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


_SCHEMA = EMPTY_STEPS.to_arrow().schema
