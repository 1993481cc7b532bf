"""`signals review` in a process of its own, answered by a script and at a terminal."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import Config
from pipelines.context import Context
from pipelines.home import Home
from pipelines.review_dialogue import Dialogue
from pipelines.reviewing import review_turns
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals
from tests.pipelines.warehouse_rows import add, new_warehouse

_SECRET = "The parser of Maria Lopez drops the last line."


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one judged session of four turns, the second of them a correction."""
    home = tmp_path_factory.mktemp("judged") / "home"
    log = write_log(
        home.parent / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Add a test for the parser."),
        answered("s1", "a1", 1, "Done, it passes."),
        said("s1", "u2", 2, f"No, that is wrong, it still fails.\x1b[31m {_SECRET}"),
        answered("s1", "a2", 3, "Mended."),
        said("s1", "u3", 4, "Now add a page about it."),
        answered("s1", "a3", 5, "Here it is."),
        said("s1", "u4", 6, "Next, list the open tasks."),
    )
    for arguments in (("ingest", log), ("judge",)):
        done = signals(*arguments, home=home)
        assert (done.returncode, done.stderr) == (0, "")
    return home


@pytest.fixture
def home(judged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged, tmp_path / "home"))


def _review(home: Path, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines", "--home", str(home), "review", *map(str, arguments)],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )


def _rows(home: Path) -> dict[str, dict[str, Any]]:
    file = home / "labels" / "review.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {row["source_ref"]: row for row in rows}


@pytest.mark.slow
def test_answers_become_label_rows_that_calibrate_reads(home: Path) -> None:
    """The correction first, then clean turns: right, wrong, right."""
    done = _review(home, "y\nn\n4\n2\nbacktracking rage\n6, correction\n1\n1\ny\ny\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "'4' is none of 0, 1, 2, 3" in done.stdout
    assert "'rage' is no friction type" in done.stdout
    assert _SECRET not in done.stdout
    rows = _rows(home)
    assert set(rows) == {"u1", "u2", "u3", "u4"}
    correction = rows.pop("u2")
    assert (correction["right"], correction["drawn"]) == (True, "moment")
    assert "correction" in correction["friction_types"]
    (wrong,) = (row for row in rows.values() if not row["right"])
    labelled = {n: wrong[n] for n in ("friction", "friction_types", "delight", "delight_types")}
    assert labelled == {
        "friction": 2,
        "friction_types": ["backtracking", "correction"],
        "delight": 1,
        "delight_types": ["praise"],
    }
    assert wrong["judged"] == []
    assert sum(correction["drawn_from"].values()) == 4
    assert Counter(row["drawn"] for row in rows.values())["moment"] == 0
    file = home / "labels" / "review.jsonl"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert _SECRET not in file.read_text(encoding="utf-8")
    told = json.loads(signals("--json", "calibrate", home=home).stdout)
    (rules,) = told["judges"]
    assert (told["rows"]["judged"], rules["weighted"], rules["never_drawn"]) == (4, True, [])
    friction = rules["friction"]["any"]
    assert (friction["positives"], friction["true_positives"]) == (2, 1)


@pytest.mark.slow
def test_nothing_is_asked_twice(home: Path) -> None:
    first = _review(home, "y\ns\nq\n")
    assert "answered                                   1" in first.stdout
    second = _review(home, "y\ny\ny\n")
    assert "1 of 3: " in second.stdout
    third = _review(home, "")
    assert third.returncode == 0
    assert "waiting                                    0" in third.stdout
    assert len(_rows(home)) == 4


def test_a_limit_and_a_file_of_ones_own(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "mine.jsonl"
    done = _review(home, "y\ny\n", "--limit", "1", "--out", out)
    assert "1 of 1: " in done.stdout
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1
    assert not (home / "labels").exists()


def test_nobody_to_answer_is_one_line(home: Path) -> None:
    done = _review(home, "")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "in a terminal" in done.stderr


def test_a_team_is_refused(home: Path) -> None:
    (home / "signals.toml").write_text('mode = "team"\n')
    done = _review(home, "y\n")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert 'mode = "team"' in done.stderr


def test_a_damaged_label_file_is_named_by_line(home: Path) -> None:
    file = home / "labels" / "review.jsonl"
    file.parent.mkdir()
    file.write_text('{"path": "a.js')
    done = _review(home, "y\n")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "review.jsonl line 1: not valid JSON" in done.stderr


def _until(terminal: int, words: str) -> str:
    """What the terminal shows up to `words`."""
    shown = ""
    deadline = time.monotonic() + 120
    while words not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{words!r} did not come: {shown}"
        shown += os.read(terminal, 4096).decode()
    return shown


def test_at_a_terminal_the_text_is_shown_on_demand_and_ctrl_c_keeps_all(home: Path) -> None:
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "review"]
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # Tests that run in the background are started with it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert _SECRET not in _until(terminal, "q (quit):")
            os.write(terminal, b"t\n")
            text = _until(terminal, "q (quit):")
            assert _SECRET in text
            assert "Done, it passes." in text
            assert "\x1b[31m" not in text
            os.write(terminal, b"y\n")
            _until(terminal, "2 of 4")
            process.send_signal(signal.SIGINT)
            assert "what was done is kept" in _until(terminal, "run again")
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()  # one that still waits for an answer would be waited for
    os.close(theirs)
    os.close(terminal)
    assert list(_rows(home)) == ["u2"]


def _changed(home: Path, file: Path, script: str) -> dict[str, int]:
    answers = home.parent / "script.txt"
    answers.write_text(script)
    context = Context(Home(home).prepare(), Config(), "run-1", "test")
    with answers.open() as lines:
        return review_turns(context, file, Dialogue(answers=lines))


def test_turns_of_each_kind_come_in_turn_and_a_changed_verdict_is_asked_again(
    tmp_path: Path,
) -> None:
    home, file = tmp_path / "home", tmp_path / "labels.jsonl"
    connection = new_warehouse(Home(home).prepare().warehouse)
    add(connection, "sessions", session_key="s", source_path="logs/a.json")
    scores = [0.9] * 6 + [0.45] * 3 + [0.05] * 6
    turns = [
        {"source_ref": f"u{n}", "turn": n, "friction_score": score, "delight_score": 0.0}
        for n, score in enumerate(scores)
    ]
    moments = [
        {"polarity": "friction", "type": "correction", "severity": "medium", "turn_ref": f"u{n}",
         "source_ref": f"u{n}", "citation": "The person redirected the agent."}
        for n in range(6)
    ]  # fmt: skip
    for turn in turns:
        add(connection, "steps", session_key="s", source_ref=turn["source_ref"],
            position=turn["turn"], source="user", is_person=True, text="t")  # fmt: skip
    add(connection, "judgements", judgement_id="j", session_key="s", turns=turns, moments=moments)
    assert _changed(home, file, "y\n" * 8) == {
        "answered": 8, "skipped": 0, "waiting": 7, "labelled": 8,
    }  # fmt: skip
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["drawn"] for row in rows] == ["moment", "random", "moment", "borderline"] * 2
    assert {json.dumps(row["drawn_from"]) for row in rows} == {
        '{"borderline": 3, "moment": 6, "random": 6}'
    }
    connection.execute("UPDATE judgements SET moments = replace(moments, 'medium', 'high')")
    connection.close()
    changed = _changed(home, file, "q\n")
    assert changed["waiting"] == 7 + 4
