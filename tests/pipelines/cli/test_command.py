"""The command as a person meets it: verbs, exit codes, one line an error."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.cli.app import _ended_by
from pipelines.home import Home
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals

_VERBS = {
    "demo", "run", "ingest", "ingest-errors", "judge", "evolve", "cluster", "breaches", "tasks",
    "schema", "agent", "report", "export", "calibrate", "review", "watch", "dashboard", "dagster",
    "doctor", "purge", "config",
}  # fmt: skip


@pytest.fixture(scope="module")
def judged_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after `signals ingest` and `signals judge` on one session."""
    home = tmp_path_factory.mktemp("home")
    log = write_log(
        home.parent / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Add a test for the parser."),
        answered("s1", "u2", 1, "Done, it passes."),
        said("s1", "u3", 2, "No, that is wrong, it still fails."),
        answered("s1", "u4", 3, "Sorry, mended."),
    )
    for arguments in (("ingest", log.parent), ("judge",)):
        done = signals(*arguments, home=home)
        assert (done.returncode, done.stderr) == (0, "")
    return home


def test_help_names_every_verb(tmp_path: Path) -> None:
    shown = signals("--help", home=tmp_path)
    assert shown.returncode == 0
    words = {line.strip(" │").split(" ")[0] for line in shown.stdout.splitlines()}
    assert words >= _VERBS


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["ingest", "/no/such/place"], 2, "/no/such/place", id="missing path"),
        pytest.param(["run", "/no/such/place"], 2, "/no/such/place", id="run on a missing path"),
        pytest.param(["ingest", ".", "--format", "odt"], 2, "odt: not one of", id="format"),
        pytest.param(["tasks", "show", "task-9"], 2, "no such task", id="task"),
        pytest.param(["schema", "accept", "p9"], 2, "no open proposal", id="proposal"),
        pytest.param(["report"], 1, "signals run", id="nothing published"),
        pytest.param(["cluster", "/no/such.jsonl"], 2, "/no/such.jsonl", id="texts"),
        pytest.param(["judge", "--judge", "llm"], 1, "OPENAI_API_KEY", id="neither key nor yes"),
        pytest.param(["run", ""], 2, "an argument is empty", id="empty argument"),
        pytest.param(["judge", "--judge", "llm", "--yes"], 1, "OPENAI_API_KEY", id="no key"),
        pytest.param(["judge", "--judge", "cascade"], 1, "OPENAI_API_KEY", id="cascade, no key"),
        pytest.param(["purge"], 1, "nothing was removed", id="purge"),
        pytest.param(["calibrate", "/no/x"], 2, "/no/x: cannot be read", id="labels"),
        pytest.param(["calibrate"], 2, "signals review", id="no labels yet"),
        pytest.param(["review"], 1, "signals run", id="nothing to review"),
        pytest.param(["ingest-errors", "/no/x"], 2, "/no/x: no such file", id="ingest-errors"),
        pytest.param(["report", "--digest"], 1, "not built yet", id="digest"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    done = signals(*arguments, home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("signals: ")
    assert told in done.stderr


def test_bad_usage_exits_with_2(tmp_path: Path) -> None:
    done = signals("no-such-verb", home=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_damaged_warehouse_is_one_line_and_stays(judged_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    signals("config", "show", home=home)
    home.mkdir(exist_ok=True)
    (home / "signals.duckdb").write_bytes(b"garbage" * 4096)
    for verb in (["run", judged_home.parent / "logs"], ["judge"], ["export", "coverage"]):
        done = signals(*verb, home=home)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(f"signals: {home / 'signals.duckdb'}: ")
        assert "Traceback" not in done.stderr
    assert (home / "signals.duckdb").read_bytes() == b"garbage" * 4096


def test_a_wrong_configuration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "signals.toml").write_text("[judge]\njugde = 1\n")
    done = signals("judge", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"signals: {tmp_path / 'signals.toml'}: unknown key judge.jugde; "
        "did you mean judge.judge?\n"
    )


@pytest.mark.slow
def test_an_unreachable_endpoint_is_one_line(judged_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "signals.toml").write_text(
        '[judge]\nbase_url = "http://127.0.0.1:9/v1"\nidle_hours = 0\nmax_retries = 0\n'
    )
    signals("ingest", judged_home.parent / "logs", home=home)
    done = signals("judge", "--judge", "llm", "--yes", home=home)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "http://127.0.0.1:9/v1" in done.stderr
    assert _rows("judgements", home) == []


@pytest.mark.slow
def test_files_without_a_session_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "empty.jsonl").touch()
    (tmp_path / "logs" / "poem.txt").write_text("roses are red")
    for verb in ("ingest", "run"):
        done = signals("--json", verb, tmp_path / "logs", home=tmp_path / "home")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "empty.jsonl: empty" in done.stderr
        assert "poem.txt: unknown" in done.stderr
        assert "roses" not in done.stderr
        if verb == "ingest":
            files = json.loads(done.stdout)["files"]
            assert files == {"found": 2, "unchanged": 0, "empty": 1, "unknown": 1}


@pytest.mark.slow
def test_a_relative_path_is_the_same_file_from_wherever_it_is_named(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write_log(logs / "a.jsonl", said("s1", "u1", 0, "Go."), answered("s1", "u2", 1, "Ok."))
    home = tmp_path / "home"
    first = signals("run", "logs", home=home, cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    again = signals("--json", "ingest", ".", home=home, cwd=logs)
    assert again.returncode == 0
    assert json.loads(again.stdout)["files"] == {"found": 1, "unchanged": 1}


@pytest.mark.slow
def test_an_interrupt_is_one_line_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """Ctrl-C while the run waits for the home, so that it meets our code and no library's."""
    log = write_log(
        tmp_path / "a.jsonl", said("s1", "u1", 0, "Go."), answered("s1", "u2", 1, "Ok.")
    )
    home = Home(tmp_path / "home").prepare()
    with (
        home.locked("this test"),
        subprocess.Popen(
            [sys.executable, "-m", "pipelines", "--home", str(home.root), "run", str(log)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        _wait_for(home.dagster / "history" / "runs.db")
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert told.startswith("signals: interrupted")
    assert told.count("\n") == 1
    done = signals("--json", "run", log, home=home.root)
    assert (done.returncode, len(_rows("sessions", home.root))) == (0, 1)


def _wait_for(path: Path, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} was not made"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "error",
    [duckdb.InterruptException("Query interrupted"), RuntimeError("Query interrupted")],
    ids=lambda error: type(error).__name__,
)
def test_an_interrupt_in_a_query_is_no_fault(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """DuckDB tells of Ctrl-C by either error, whichever part of it was at work."""
    assert _ended_by(error) == 130
    assert capsys.readouterr().err.startswith("signals: interrupted")


@pytest.mark.slow
def test_the_dashboard_ends_with_the_signal_that_ends_the_command(judged_home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines", "--home", str(judged_home), "dashboard",
         "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        until = time.monotonic() + 60
        while not _answers(port):
            assert time.monotonic() < until
            time.sleep(0.1)
        process.terminate()
        process.wait(timeout=30)
    assert not _answers(port)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _rows(what: str, home: Path) -> list[dict[str, Any]]:
    done = signals("export", what, home=home)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_exports_have_the_columns_of_the_contract(judged_home: Path) -> None:
    columns = {what: list(_rows(what, judged_home)[0]) for what in ("moments", "turns", "sessions")}
    assert columns == {
        "moments": [
            "session_id", "source_path", "source_ref", "turn_ref", "polarity", "type", "severity",
            "confidence", "descriptor", "citation", "judge",
        ],
        "turns": [
            "session_id", "source_path", "source_ref", "turn", "friction_score", "delight_score",
        ],
        "sessions": [
            "format", "session_id", "source_path", "user_id", "release", "status",
            "friction_score", "delight_score", "outcome",
        ],
    }  # fmt: skip


def test_the_correction_is_found_at_its_turn(judged_home: Path) -> None:
    found = {(row["polarity"], row["source_ref"]) for row in _rows("moments", judged_home)}
    assert ("friction", "u3") in found
    assert [row["source_ref"] for row in _rows("turns", judged_home)] == ["u1", "u3"]


def test_team_mode_exports_coverage_alone(judged_home: Path) -> None:
    config = judged_home / "signals.toml"
    config.write_text('mode = "team"\n')
    try:
        refused = signals("export", "moments", home=judged_home)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert {row["unit"] for row in _rows("coverage", judged_home)} == {"files", "sessions"}
    finally:
        config.unlink()


def test_global_options_may_stand_behind_the_verb(judged_home: Path, tmp_path: Path) -> None:
    done = signals("tasks", "list", "--json", "--home", judged_home, home=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_tasks_run_without_a_target_says_so(tmp_path: Path) -> None:
    (tmp_path / "signals.toml").write_text(f'[target]\nrepo = "{tmp_path}"\n')
    done = signals("tasks", "run", "--all", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no git repository" in done.stderr


def test_without_git_the_demo_says_so(tmp_path: Path) -> None:
    done = signals("demo", home=tmp_path / "home", environment={"PATH": str(tmp_path)})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "git is not installed" in done.stderr


def test_the_schema_can_be_shown_and_compared(judged_home: Path) -> None:
    shown = signals("--json", "schema", "show", home=judged_home)
    schema = json.loads(shown.stdout)
    assert schema["version"] == 1
    assert {facet["name"] for facet in schema["facets"]} >= {"intent", "outcome"}
    other = signals("schema", "diff", "1", "2", home=judged_home)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)


def test_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    done = signals("--json", "doctor", home=tmp_path)
    states = {row["name"]: row["state"] for row in json.loads(done.stdout)}
    assert done.returncode == 0
    assert {states[name] for name in ("home", "config", "warehouse", "embedding", "git")} == {"ok"}
    (tmp_path / "signals.toml").write_text("nonsense = 1")
    broken = signals("--json", "doctor", home=tmp_path)
    states = {row["name"]: row["state"] for row in json.loads(broken.stdout)}
    assert (broken.returncode, states["config"]) == (1, "broken")


def test_doctor_says_which_logs_a_run_without_a_path_reads(tmp_path: Path) -> None:
    (tmp_path / "codex" / "sessions").mkdir(parents=True)
    (tmp_path / "user" / ".gemini" / "tmp").mkdir(parents=True)
    place = {"HOME": str(tmp_path / "user"), "CODEX_HOME": str(tmp_path / "codex")}
    done = signals("--json", "doctor", home=tmp_path / "home", environment=place)
    (logs,) = [row for row in json.loads(done.stdout) if row["name"] == "logs"]
    folders = f"{tmp_path}/codex/sessions, {tmp_path}/user/.gemini/tmp"
    assert (logs["state"], logs["text"]) == ("ok", f"signals run reads {folders}")
