"""Reading in several processes, of which some die."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from pipelines.config import SourcesConfig
from pipelines.stages import reading
from pipelines.stages.file_state import Wanted
from pipelines.stages.provenance import CoreLogs
from tests.pipelines.claude_log import said, write_log

_CORE = CoreLogs(Path("/nowhere"), frozenset(), b"salt")


def _logs(folder: Path, count: int) -> list[Wanted]:
    return [
        Wanted(write_log(folder / f"{n}.jsonl", said(f"s{n}", f"u{n}", 0, f"Take {n}.")))
        for n in range(count)
    ]


@pytest.mark.slow
def test_what_a_killed_reader_had_to_do_is_done_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PARALLEL_BYTES", 0)
    monkeypatch.setattr(reading, "_TASK_FILES", 2)
    spool = tmp_path / "spool"
    spool.mkdir()
    read = {}
    batches = reading.read_batches(_logs(tmp_path, 60), SourcesConfig(), _CORE, spool)
    for number, batch in enumerate(batches):
        if number == 2:
            for reader in multiprocessing.active_children():
                os.kill(reader.pid or 0, signal.SIGKILL)
        read.update({Path(rows.path).name: rows.status for rows in batch.files})
    assert read == {f"{n}.jsonl": "read" for n in range(60)}


@pytest.mark.slow
def test_a_file_that_kills_every_reader_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    files = tuple(_logs(tmp_path, 3))
    task = reading._Task(files, 1, tmp_path / "steps.arrow")
    batches = list(reading._read_alone(_die_of_the_second, task))
    assert [(Path(r.path).name, r.status, r.reading.detail) for b in batches for r in b.files] == [
        ("0.jsonl", "read", None),
        ("1.jsonl", "unreadable", "its reader was killed, perhaps for want of memory"),
        ("2.jsonl", "read", None),
    ]


def _die_of_the_second(task: reading._Task) -> reading.Batch:
    if any(wanted.path.name == "1.jsonl" for wanted in task.files):
        os.kill(os.getpid(), signal.SIGKILL)
    return reading._read_task(task, SourcesConfig(), _CORE)
