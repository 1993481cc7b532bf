"""Killed at any moment, the next run gives the tables of an undisturbed one."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.warehouse import open_warehouse, query
from tests.pipelines.claude_log import answered, said, write_log

pytestmark = pytest.mark.slow

_KILLS = 30
_SESSIONS = 400
# Times of reading and judging differ between any two runs.
_TABLES = {
    "source_files": "first_seen, last_read",
    "sessions": "first_seen",
    "steps": "",
    "quarantine": "seen_at",
    "judgements": "judged_at",
    "moments": "",
}


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


def _tables(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    with open_warehouse(home / "signals.duckdb") as connection:
        return {
            table: query(
                connection,
                f"SELECT * {f'EXCLUDE ({left_out})' if left_out else ''} FROM {table} ORDER BY ALL",
            ).rows()
            for table, left_out in _TABLES.items()
        }


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
    assert _tables(tmp_path / "killed") == _tables(tmp_path / "undisturbed")
