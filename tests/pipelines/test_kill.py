"""Killed at any moment, the next run gives the tables of an undisturbed one."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.home import Home
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.sources.all_cases import ALL_CASES
from tests.pipelines.warehouse_tables import INGESTED, table_hashes, table_rows

pytestmark = pytest.mark.slow

_KILLS = 30
_INGEST_KILLS = 50
_SESSIONS = 400
# Times of judging differ between any two runs.
_JUDGED = {**INGESTED, "judgements": "judged_at", "moments": ""}
# Many small transactions and tasks, so that a kill falls between them as well as into them.
_IN_SMALL_STEPS = """
import sys
from pipelines.cli import main
from pipelines.stages import ingest, reading
if __name__ == "__main__":
    ingest._TRANSACTION_BYTES = 1_000_000
    reading._TASK_BYTES, reading._PARALLEL_BYTES = 300_000, 0
    sys.exit(main())
"""


def _write_logs(folder: Path) -> None:
    for number in range(_SESSIONS):
        name = f"s{number}"
        write_log(
            folder / f"{name}.jsonl",
            *(
                record
                for turn in range(20)
                for record in (
                    said(name, f"{name}-u{turn}", turn, f"No, that is wrong, take {turn} again."),
                    answered(name, f"{name}-a{turn}", turn, "Done, all tests pass. " * 40),
                )
            ),
            "{ torn",
        )


def _command(home: Path, *arguments: str | Path) -> Sequence[str]:
    return [sys.executable, "-m", "pipelines", "--home", str(home), *map(str, arguments)]


def _run_whole(home: Path, logs: Path) -> float:
    started = time.monotonic()
    for arguments in (("ingest", logs), ("judge",)):
        subprocess.run(_command(home, *arguments), check=True, capture_output=True)
    return time.monotonic() - started


def test_killed_at_random_moments_the_next_run_goes_on(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    _write_logs(logs)
    seconds = _run_whole(tmp_path / "undisturbed", logs)
    killed = 0
    chance = random.Random(7)
    for number in range(_KILLS):
        arguments: tuple[str | Path, ...] = ("ingest", logs) if number % 2 else ("judge",)
        with subprocess.Popen(
            _command(tmp_path / "killed", *arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                process.wait(timeout=chance.uniform(0.1, seconds / 2))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
    assert killed > _KILLS / 4
    _run_whole(tmp_path / "killed", logs)
    tables = [
        table_rows(tmp_path / name / "signals.duckdb", _JUDGED)
        for name in ("killed", "undisturbed")
    ]
    assert tables[0] == tables[1]


@pytest.mark.timeout(1800)
def test_an_ingest_killed_at_random_moments_goes_on(tmp_path: Path) -> None:
    """Fifty homes, each killed once somewhere in its ingest and then left to finish."""
    logs = tmp_path / "logs"
    _write_logs(logs)
    for name, case_id, case in ALL_CASES:
        for path, content in case.files.items():
            (logs / name / case_id / path).parent.mkdir(parents=True, exist_ok=True)
            (logs / name / case_id / path).write_bytes(content)
    started = time.monotonic()
    subprocess.run(_in_small_steps(tmp_path / "whole", logs), check=True, capture_output=True)
    seconds = time.monotonic() - started
    expected = table_hashes(tmp_path / "whole" / "signals.duckdb")
    salt = Home(tmp_path / "whole").salt()
    chance = random.Random(11)
    amid = 0
    for number in range(_INGEST_KILLS):
        home = tmp_path / f"killed-{number}"
        # Names that logs give are hashed with the home's salt: one salt, or no two homes agree.
        (Home(home).prepare().state / "salt").write_bytes(salt)
        _kill_after(chance.uniform(0, seconds), _in_small_steps(home, logs))
        amid += 0 < _files_known(home) < len(list(logs.rglob("*.*")))
        subprocess.run(_command(home, "ingest", logs), check=True, capture_output=True)
        assert table_hashes(home / "signals.duckdb") == expected
        assert not list((home / "spool").iterdir())
        shutil.rmtree(home)
    assert amid >= _INGEST_KILLS // 10


def _in_small_steps(home: Path, logs: Path) -> Sequence[str]:
    script = home.parent / "in_small_steps.py"
    script.write_text(_IN_SMALL_STEPS)
    return [sys.executable, str(script), "--home", str(home), "ingest", str(logs)]


def _kill_after(seconds: float, command: Sequence[str]) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def _files_known(home: Path) -> int:
    warehouse = home / "signals.duckdb"
    return len(table_rows(warehouse, INGESTED)["source_files"]) if warehouse.exists() else 0
