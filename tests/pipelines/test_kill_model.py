"""A run of the model judge is killed at any moment; the next pays for no answer twice."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fake_openai import Answer, FakeOpenAI, json_text
from tests.judges.answers import find, moment, task_of, verify
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals
from tests.pipelines.warehouse_tables import table_rows

pytestmark = pytest.mark.slow

_KILLS = 3
_CALLS_BETWEEN = 7
"""More than may be on their way at a kill, so that answers thrown away would show."""
_SESSIONS = 12
_AT_ONCE = 4
# The process ends itself, as SIGKILL would at this moment: an answer is kept, no more is done.
_KILLED_AFTER_AN_ANSWER = """
import os, signal, sys
from pipelines.cli import main
from pipelines.stages import model_judgements
keep = model_judgements.keep_replies
def keep_and_die(*arguments):
    keep(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
model_judgements.keep_replies = keep_and_die
if __name__ == "__main__":
    sys.exit(main())
"""
_TABLES = {"judgements": "judged_at", "moments": "", "model_replies": ""}


def _home(folder: Path, endpoint: FakeOpenAI, sessions: int) -> Path:
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "signals.toml").write_text(
        f'[judge]\nbase_url = "{endpoint.base_url}"\nmodel = "scripted"\nidle_hours = 0\n'
        f"consent = true\nconcurrency = {_AT_ONCE}\n"
    )
    for name in (f"s{number}" for number in range(sessions)):
        write_log(folder / "logs" / f"{name}.jsonl", said(name, f"{name}-1", 0, "Mend the part."),
                  answered(name, f"{name}-2", 1, "Done."))  # fmt: skip
    assert signals("ingest", folder / "logs", home=home).returncode == 0
    return home


def _command(home: Path, *program: str) -> Sequence[str]:
    return [sys.executable, *program, "--home", str(home), "judge", "--judge", "llm"]


def test_killed_after_each_answer_every_request_is_made_once(tmp_path: Path) -> None:
    """Find, verify and rewrite of one session in three runs, its verdict in a fourth."""
    script = tmp_path / "killed.py"
    script.write_text(_KILLED_AFTER_AN_ANSWER)
    found = find(moment(step=1, citation="Mend the part."), summary="Mend the part.")
    texts = json_text({"texts": ["The person asked for a change.", "The person objected."]})
    with FakeOpenAI([found, verify((True, "low", 0.9)), texts]) as endpoint:
        home = _home(tmp_path, endpoint, 1)
        for made in (1, 2, 3):
            killed = subprocess.run(_command(home, str(script)), capture_output=True, check=False)
            assert (killed.returncode, len(endpoint.requests)) == (-signal.SIGKILL, made)
        done = subprocess.run(_command(home, "-m", "pipelines"), capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert [task_of(request) for request in endpoint.requests] == ["find", "verify", "rewrite"]
    tables = table_rows(home / "signals.duckdb", _TABLES)
    assert [len(tables[name]) for name in _TABLES] == [1, 1, 0]


def test_killed_amid_its_calls_only_those_on_their_way_are_made_again(tmp_path: Path) -> None:
    tables = {}
    for name, kills in (("undisturbed", 0), ("killed", _KILLS)):
        with _Endless() as endpoint:
            home = _home(tmp_path / name, endpoint, _SESSIONS)
            for number in range(1, kills + 1):
                _kill_at(home, endpoint, number * _CALLS_BETWEEN)
            subprocess.run(_command(home, "-m", "pipelines"), capture_output=True, check=True)
        asked = Counter(json.dumps(request) for request in endpoint.requests)
        assert len(asked) == 2 * _SESSIONS
        assert asked.total() <= 2 * _SESSIONS + kills * _AT_ONCE
        tables[name] = table_rows(home / "signals.duckdb", _TABLES)
    assert tables["killed"] == tables["undisturbed"]
    assert [len(rows) for rows in tables["killed"].values()] == [_SESSIONS, _SESSIONS, 0]


class _Endless(FakeOpenAI):
    """Answers each request by its task after a while, however often it comes."""

    def _answers_for(self, request: Mapping[str, Any]) -> list[Answer]:
        found = task_of(request) == "find"
        answer = find(moment(step=1)) if found else verify((True, "low", 0.9))
        return [replace(answer, delay_seconds=0.2)]


def _kill_at(home: Path, endpoint: FakeOpenAI, calls: int) -> None:
    """Start a run and end it once so many calls have come, those of earlier runs included."""
    with subprocess.Popen(
        _command(home, "-m", "pipelines"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while len(endpoint.requests) < calls:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
