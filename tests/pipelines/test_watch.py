"""Running sessions that are watched: a real process, real files; the hook; the bundled agent."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core.agent import Opening, run_task
from agent_core.model import OpenAIModel
from agent_core.model_policy import ModelPolicy
from agent_core.session import Step
from judges.live import LiveJudge
from pipelines.cli.app import run
from pipelines.cli.entry import hook_home, is_hook
from pipelines.home import Home
from pipelines.live_advice import LiveAdviser
from pipelines.live_hook import answer
from pipelines.live_tail import MAX_DOCUMENT_BYTES, TAIL_BYTES, Tail, TooLargeError
from pipelines.watching import FollowedLog
from tests.fake_openai import FakeOpenAI, text, tool_calls
from tests.pipelines.claude_log import answered, line, said, write_log

_NOW = datetime.now(UTC)
WISH = "please add a retry option to the download command of the tool"


def _called(number: int) -> dict[str, Any]:
    use = {
        "type": "tool_use",
        "id": f"t{number}",
        "name": "Edit",
        "input": {"file_path": f"{number}.py"},
    }
    message = {"id": f"m{number}", "role": "assistant", "model": "made-up", "content": [use]}
    return _now(line("s1", f"call-{number}", 1, type="assistant", message=message))


def _failed(number: int) -> dict[str, Any]:
    block = {
        "type": "tool_result",
        "tool_use_id": f"t{number}",
        "content": "<tool_use_error>String to replace not found in file: secret.</tool_use_error>",
        "is_error": True,
    }
    message = {"role": "user", "content": [block]}
    return _now(line("s1", f"result-{number}", 1, type="user", message=message))


def _now(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"timestamp": _NOW.isoformat()}


def _session(failures: int) -> list[dict[str, Any]]:
    records = [_now(said("s1", "ask", 0, "please look at the secret settings"))]
    for number in range(failures):
        records += [_called(number), _failed(number)]
    return records


def _append(path: Path, *records: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write("".join(f"{json.dumps(record)}\n" for record in records))


@contextmanager
def _watching(home: Path, *paths: Path) -> Iterator[subprocess.Popen[str]]:
    # The records are as old as this module, which a long run of all tests loads first.
    watch = ["watch", "--minutes", "1440", *map(str, paths)]
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "--json", *watch]
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stderr.readline().startswith("signals: watching ")
        yield process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()


def test_a_real_watcher_tells_of_a_log_that_grows(tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs" / "s1.jsonl", *_session(3))
    with _watching(tmp_path / "home", tmp_path / "logs") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        _append(log, _called(3), _failed(3), _called(4), _failed(4), _called(5), _failed(5))
        second = json.loads(process.stdout.readline())
    assert first | {"advice": ""} == {
        "at": _NOW.isoformat(),
        "path": str(log.resolve()),
        "format": "claude_code",
        "session_id": "s1",
        "source_ref": "call-2",
        "turn": 1,
        "kind": "error_run",
        "times": 3,
        "says": "Edit found no matching text 3 times in this turn",
        "advice": "",
    }
    assert (second["kind"], second["times"]) == ("error_run", 6)
    assert process.returncode == 0
    assert not (tmp_path / "home" / "signals.duckdb").exists()


def test_a_path_that_comes_later_is_watched(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with _watching(tmp_path / "home", logs) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        before = process.stderr.readline()
        write_log(logs / "s1.jsonl", *_session(3))
        told = json.loads(process.stdout.readline())
        after = process.stderr.readline()
    assert [before, after] == [
        f"signals: {logs}: not there yet; waiting for it\n",
        f"signals: {logs}: there now\n",
    ]
    assert (told["session_id"], told["kind"], told["times"]) == ("s1", "error_run", 3)
    assert process.returncode == 0


def _followed(path: Path, **options: Any) -> FollowedLog:
    return FollowedLog(path, b"salt", _NOW - timedelta(minutes=10), **options)


def _kinds(log: FollowedLog) -> list[tuple[str, int]]:
    return [(told.alarm.kind, told.alarm.times) for told in log.grown(0.0)]


def test_a_log_is_told_once_and_as_it_grows(tmp_path: Path) -> None:
    path = write_log(tmp_path / "s1.jsonl", *_session(2))
    log = _followed(path)
    assert _kinds(log) == []
    _append(path, _called(2), _failed(2))
    assert _kinds(log) == [("error_run", 3)]
    assert _kinds(log) == []


def test_a_result_on_a_line_that_is_half_written_waits(tmp_path: Path) -> None:
    path = write_log(tmp_path / "s1.jsonl", *_session(2), _called(2))
    log = _followed(path)
    whole = json.dumps(_failed(2))
    with path.open("a", encoding="utf-8") as file:
        file.write(whole[:50])
        file.flush()
        assert _kinds(log) == []
        file.write(f"{whole[50:]}\n")
    assert _kinds(log) == [("error_run", 3)]


def test_the_end_of_a_large_log_is_enough(tmp_path: Path) -> None:
    filler = answered("s1", "filler", 0, "x" * 4_000)
    many = [filler | {"uuid": f"filler-{n}"} for n in range(TAIL_BYTES // 4_000 + 40)]
    path = write_log(tmp_path / "s1.jsonl", *many, *_session(2))
    log = _followed(path)
    assert _kinds(log) == []
    _append(path, _called(2), _failed(2))
    assert _kinds(log) == [("error_run", 3)]
    (session,) = Tail(path).read().sessions
    assert sum(len(step.text) for step in session.steps) < TAIL_BYTES + 4_000


def test_what_happened_long_ago_is_not_told(tmp_path: Path) -> None:
    old = [record | {"timestamp": "2026-01-01T00:00:00Z"} for record in _session(3)]
    assert _kinds(_followed(write_log(tmp_path / "s1.jsonl", *old))) == []


def test_an_excluded_project_is_not_told(tmp_path: Path) -> None:
    path = write_log(tmp_path / "s1.jsonl", *_session(3))
    assert _kinds(_followed(path, excluded=["/home/ada/shop"])) == []


def test_a_claim_is_looked_at_when_the_agent_rests(tmp_path: Path) -> None:
    claim = _now(answered("s1", "claim", 2, "All done."))
    log = _followed(write_log(tmp_path / "s1.jsonl", *_session(1), claim))
    assert _kinds(log) == []
    assert list(log.rested(0.1)) == []
    assert [told.alarm.kind for told in log.rested(1.0)] == ["claim_over_failure"]
    assert list(log.rested(2.0)) == []


def test_records_known_by_their_line_keep_their_name(tmp_path: Path) -> None:
    """Codex has no ids: the byte at which a record begins names it while the tail moves on."""
    meta = {
        "type": "session_meta",
        "payload": {"id": "c1", "cwd": "/x"},
        "timestamp": "2026-09-01T08:00:00Z",
    }
    path = write_log(tmp_path / "rollout-c1.jsonl", meta, *(_codex(n) for n in range(3)))
    tail = Tail(path)
    refs = [step.source_ref for one in tail.read().sessions for step in one.steps]
    _append(path, *(_codex(n) for n in range(3, 400)))
    later = [step.source_ref for one in tail.read().sessions for step in one.steps]
    content = path.read_bytes()
    begins = [0, *(at + 1 for at in range(len(content) - 1) if content[at] == ord("\n"))]
    assert [int(ref.removeprefix("at:")) for ref in [*refs, *later]] == begins[1:]


def _codex(number: int) -> dict[str, Any]:
    payload = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": f"step {number} {'x' * 2_000}"}],
    }
    return {"type": "response_item", "payload": payload, "timestamp": "2026-09-01T08:00:00Z"}


@pytest.mark.parametrize(
    "begin", [b"\x1f\x8b12", b"{\n" + b" " * MAX_DOCUMENT_BYTES], ids=["gzip", "large"]
)
def test_what_cannot_be_followed_is_said(begin: bytes, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_bytes(begin)
    with pytest.raises(TooLargeError):
        Tail(tmp_path / "log.json").read()


# The hook


def _event(path: Path, name: str, **fields: Any) -> dict[str, Any]:
    return {"session_id": "s1", "transcript_path": str(path), "hook_event_name": name, **fields}


def _context(told: dict[str, Any] | None) -> str | None:
    return (
        None
        if told is None
        else str(told["hookSpecificOutput"]["additionalContext"]).partition(".")[0]
    )


def test_a_hook_tells_of_a_run_of_failures_once(tmp_path: Path) -> None:
    path = write_log(tmp_path / "s1.jsonl", *_session(2), _called(2))
    event = _event(
        path,
        "PostToolUseFailure",
        tool_name="Edit",
        tool_use_id="t2",
        tool_input={},
        error="String to replace not found in file: secret",
    )
    told = [_context(answer(event, tmp_path / "home")) for _ in range(2)]
    assert told == ["Signals: Edit found no matching text 3 times in this turn", None]


def test_a_hook_knows_a_wish_for_the_third_time(tmp_path: Path) -> None:
    home, path = (
        tmp_path / "home",
        write_log(tmp_path / "s1.jsonl", _now(said("s1", "u0", 0, "hello there you"))),
    )
    told = []
    for number, wish in enumerate((WISH, f"{WISH} now", f"hello {WISH}")):
        told.append(_context(answer(_event(path, "UserPromptSubmit", prompt=wish), home)))
        _append(
            path,
            _now(said("s1", f"w{number}", 1, wish)),
            _now(answered("s1", f"a{number}", 2, "Which one?")),
        )
        told.append(
            _context(answer(_event(path, "PostToolUse", tool_use_id="x", tool_name="Read"), home))
        )
    assert told == [*[None] * 4, "Signals: the person states the same wish for the 3", None]


def test_a_stop_is_answered_to_the_person(tmp_path: Path) -> None:
    claim = _now(answered("s1", "claim", 2, "All done."))
    path = write_log(tmp_path / "s1.jsonl", *_session(1), claim)
    told = answer(_event(path, "Stop"), tmp_path / "home")
    assert told is not None
    assert list(told) == ["systemMessage"]
    assert told["systemMessage"].startswith("Signals: the agent says that it is done")


@pytest.mark.parametrize(
    "event",
    [
        {"hook_event_name": "SessionStart"},
        {"hook_event_name": "PostToolUse", "agent_id": "sub"},
        {
            "hook_event_name": "UserPromptSubmit",
            "transcript_path": "/nowhere/x.jsonl",
            "prompt": "/compact",
        },
    ],
    ids=["another event", "a subagent", "nothing is written yet"],
)
def test_a_hook_is_silent(event: dict[str, Any], tmp_path: Path) -> None:
    assert answer(event, tmp_path / "home") is None


def test_the_state_holds_no_word_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = write_log(tmp_path / "s1.jsonl", *_session(2))
    answer(_event(path, "UserPromptSubmit", prompt=f"{WISH} secret"), tmp_path / "home")
    (state,) = (tmp_path / "home/state/live").iterdir()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    kept = state.read_text()
    words = ("retry", "option", "download", "command", "secret", "settings")
    assert [word for word in words if word in kept] == []
    assert json.loads(kept)["turn"] == 2


def test_an_excluded_project_is_no_matter_of_a_hook(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home").prepare(), write_log(tmp_path / "s1.jsonl", *_session(3))
    home.config.write_text('[sources]\nexclude = ["/home/ada/*"]\n')
    assert answer(_event(path, "PostToolUse", tool_use_id="x"), home.root) is None
    assert not (home.state / "live").exists()


@pytest.mark.parametrize("pattern", ["/home/ada/*", "*/logs"], ids=["by folder", "by log"])
def test_the_first_prompt_in_an_excluded_project_is_not_looked_at(
    pattern: str, tmp_path: Path
) -> None:
    """Nothing is written to the transcript yet, so that the event alone tells the project."""
    home = Home(tmp_path / "home").prepare()
    home.config.write_text(f'[sources]\nexclude = ["{pattern}"]\n')
    path = tmp_path / "logs" / "s1.jsonl"
    event = _event(path, "UserPromptSubmit", prompt=WISH, cwd="/home/ada/shop")
    assert answer(event, home.root) is None
    assert not (home.state / "live").exists()


@pytest.mark.parametrize("given", ["no JSON, secret", '{"hook_event_name": "Stop"}', "[]"])
def test_a_hook_that_fails_says_nothing_and_ends_well(given: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines", "watch", "--hook"]
    environment = {**os.environ, "SIGNALS_HOME": str(tmp_path)}
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (noted,) = (tmp_path / "state/live.log").read_text().splitlines()
    assert "Error at " in noted
    assert "secret" not in noted


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["watch", "--hook"], True),
        (["--home", "/x", "watch", "--hook"], True),
        (["watch", "--hook", "--home=/x"], True),
        (["watch"], False),
        (["ingest", "--hook"], False),
    ],
)
def test_a_hook_is_known_before_the_command_is_loaded(
    arguments: Sequence[str], expected: bool
) -> None:
    assert is_hook(arguments) is expected


def test_the_home_of_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALS_HOME", "/from/environment")
    given = (["watch", "--hook"], ["--home", "/x", "watch"], ["watch", "--home=/y"])
    assert [str(hook_home(one)) for one in given] == ["/from/environment", "/x", "/y"]


def test_a_hook_loads_nothing_heavy() -> None:
    heavy = ["numpy", "pydantic", "torch", "duckdb", "polars", "typer", "filelock"]
    heavy += ["importlib.resources", "tempfile", "zipfile"]
    code = f"import sys, pipelines.live_hook; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_minutes_below_zero_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["watch", "--minutes", "-1"]) == 2
    assert "minutes" in capsys.readouterr().err


# The bundled agent


def test_the_bundled_agent_corrects_its_course(tmp_path: Path) -> None:
    """A repeated failing call gets advice, which the model finds in its next request."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "a.txt").write_text("one\n")
    home = Home(tmp_path / "home").prepare()
    edit = ("edit_file", '{"path": "a.txt", "old_text": "nine", "new_text": "two"}')
    look = ("read_file", '{"path": "a.txt"}')
    script = [*[tool_calls(edit)] * 3, tool_calls(look), text("It says one.")]
    with (
        FakeOpenAI(script) as endpoint,
        OpenAIModel(endpoint.base_url, "tiny", max_retries=0) as model,
    ):
        run_task(
            "make it two",
            workspace,
            home.root,
            ModelPolicy(model),
            opening=Opening("s1", lambda: _NOW, release="r"),
            sandbox=None,
            advise=LiveAdviser(home),
        )
    systems = [request["messages"][0]["content"] for request in endpoint.requests]
    said_when = ["the same call of edit_file found no matching text 3 times" in s for s in systems]
    assert said_when == [False, False, False, True, True]
    logged = json.loads((home.sessions / "s1.json").read_text())["steps"]
    advised = [step for step in logged if step.get("extra", {}).get("event") == "advice"]
    assert len(advised) == 1
    assert "Do not make this call again" in advised[0]["message"]


def test_a_fault_of_the_adviser_never_reaches_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home").prepare()
    adviser = LiveAdviser(home)

    def fail(_judge: LiveJudge, _step: Step) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(LiveJudge, "observe", fail)
    assert adviser(Step("#/steps/0", "user", "hello", is_person=True)) is None
    assert "ValueError" in (noted := (home.state / "live.log").read_text())
    assert "secret" not in noted
