"""The sensor over real files, a real home and a real Dagster instance."""

import json
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.definitions import JOB_NAME
from pipelines.home import Home
from pipelines.warehouse import open_warehouse, query
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.sensor_daemon import daemon_of

pytestmark = pytest.mark.filterwarnings(
    # Of Dagster and what it builds on, none of ours.
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
)
_SENSOR = "new_logs"
_RUN = (JOB_NAME, "ingest", "sessions")
"""The first assets of the run that the sensor asks for."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose configuration names the folder `logs` beside it, which has one log."""
    home = Home(tmp_path / "home").prepare()
    home.config.write_text(f"[sources]\npaths = [{json.dumps(str(tmp_path / 'logs'))}]\n")
    write_log(tmp_path / "logs" / "a.jsonl", *_RECORDS[:2])
    return home


_RECORDS = [
    said("s1", "u1", 0, "Add a test for the parser."),
    answered("s1", "u2", 1, "Done."),
    said("s1", "u3", 2, "No, that is wrong, it still fails."),
    answered("s1", "u4", 3, "Mended."),
]


def _steps(home: Home) -> list[tuple[Any, ...]]:
    with open_warehouse(home.warehouse) as connection:
        return query(connection, "SELECT source_ref FROM steps ORDER BY 1").rows()


@pytest.mark.slow
def test_a_growing_log_is_read_when_it_has_grown_and_a_torn_line_when_it_is_whole(
    home: Home, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "a.jsonl"
    with daemon_of(home, _SENSOR) as daemon:
        assert daemon.tick() is None
        assert daemon.launch(*_RUN)
        assert daemon.tick() == "nothing new in 1 files"
        rest = json.dumps(_RECORDS[2])
        with log.open("a") as file:
            file.write(rest[:40])
        assert daemon.tick() is None
        assert daemon.launch(*_RUN)
        assert _steps(home) == [("u1",), ("u2",)]
        with log.open("a") as file:
            file.write(rest[40:] + "\n")
        assert daemon.tick() is None
        assert daemon.launch(*_RUN)
        assert _steps(home) == [("u1",), ("u2",), ("u3",)]
        assert daemon.tick() == "nothing new in 1 files"


def test_it_neither_waits_for_the_warehouse_nor_opens_it(home: Home) -> None:
    home.warehouse.write_bytes(b"no warehouse")
    with daemon_of(home, _SENSOR) as daemon, home.locked("this test"):
        started = time.monotonic()
        assert daemon.tick() is None
        assert time.monotonic() - started < 10
    assert home.warehouse.read_bytes() == b"no warehouse"


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED], ids=lambda s: s.value
)
def test_runs_do_not_pile_up(home: Home, tmp_path: Path, status: dg.DagsterRunStatus) -> None:
    with daemon_of(home, _SENSOR) as daemon:
        assert daemon.tick() is None
        queued = daemon.queue(JOB_NAME, status)
        write_log(tmp_path / "logs" / "b.jsonl", said("s2", "w1", 0, "Hello."))
        assert daemon.tick() == f"run {queued.run_id} has not ended yet"
        daemon.instance.report_run_canceled(queued)
        assert daemon.tick() is None


@pytest.mark.slow
def test_a_run_that_failed_is_asked_for_three_times(home: Home) -> None:
    home.warehouse.write_bytes(b"no warehouse" * 999)
    with daemon_of(home, _SENSOR) as daemon:
        for _ in range(3):
            assert daemon.tick() is None
            assert not daemon.launch(*_RUN)
        assert daemon.tick() == "3 runs on these files failed; see their logs"
        home.warehouse.unlink()
        with (home.config.parent.parent / "logs" / "a.jsonl").open("a") as file:
            file.write(json.dumps(_RECORDS[2]) + "\n")
        assert daemon.tick() is None
        assert daemon.launch(*_RUN)
    assert _steps(home) == [("u1",), ("u2",), ("u3",)]


def test_a_folder_that_is_missing_is_the_reason_to_skip(home: Home, tmp_path: Path) -> None:
    (tmp_path / "logs").rename(tmp_path / "away")
    with daemon_of(home, _SENSOR) as daemon:
        told = daemon.tick()
    assert told == f"no such file or folder: {tmp_path / 'logs'}; check the path"


@pytest.mark.slow
def test_a_hundred_thousand_files_take_a_fraction_of_dagsters_minute(
    home: Home, tmp_path: Path
) -> None:
    for folder in range(100):
        (tmp_path / "logs" / str(folder)).mkdir()
        for number in range(1000):
            (tmp_path / "logs" / str(folder) / f"{number}.jsonl").touch()
    with daemon_of(home, _SENSOR) as daemon:
        started = time.monotonic()
        assert daemon.tick() is None
        assert daemon.tick() == "nothing new in 100001 files"
        seconds = time.monotonic() - started
    print(f"two evaluations: {seconds:.1f} s")
    assert seconds < 30
