"""Verbs that use a model, over real HTTP to a scripted endpoint."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fake_openai import FakeOpenAI, failure, json_text, refusal, text, tool_calls
from tests.judges.answers import find, moment, verify
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals

_TEXT = "No, that is wrong, the parser still drops the last line of Maria Lopez."


def _home(tmp_path: Path, endpoint: FakeOpenAI, *, agree: bool = True) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "signals.toml").write_text(
        f'[judge]\nbase_url = "{endpoint.base_url}"\nmodel = "scripted"\nidle_hours = 0\n'
        f"max_retries = 0\nconsent = {str(agree).lower()}\n"
    )
    log = write_log(
        tmp_path / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Add a parser."),
        answered("s1", "u2", 1, "Done."),
        said("s1", "u3", 2, _TEXT),
    )
    assert signals("ingest", log, home=home).returncode == 0
    return home


def _rows(what: str, home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in signals("export", what, home=home).stdout.splitlines()]


_FOUND = find(
    moment(citation="Maria Lopez said that the parser still drops the last line."),
    summary="The agent was asked for a parser and the person objected.",
)
_HOLDS = verify((True, "medium", 0.9))


@pytest.mark.slow
def test_a_models_verdict_is_kept_and_its_quotation_is_not(tmp_path: Path) -> None:
    """The citation quotes the person; asked to rewrite it the model quotes again."""
    again = json_text({"texts": ["Maria Lopez was unhappy with the parser."]})
    with FakeOpenAI([_FOUND, _HOLDS, again]) as endpoint:
        home = _home(tmp_path, endpoint)
        done = signals("judge", "--judge", "llm", home=home)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0] == (
            "Sending the text of 1 session: about 4,500 tokens, at a price unknown to the price "
            f"table, secrets redacted, to {endpoint.base_url}"
        )
    (moment,) = _rows("moments", home)
    assert (moment["judge"], moment["source_ref"], moment["type"]) == ("llm", "u3", "correction")
    assert "Maria" not in json.dumps(_rows("moments", home) + _rows("judgements", home))
    assert "Maria" in json.dumps(endpoint.requests)


@pytest.mark.slow
def test_a_run_publishes_and_then_fails_where_the_model_cannot_be_had(tmp_path: Path) -> None:
    with FakeOpenAI([]) as endpoint:
        home = _home(tmp_path, endpoint)
    (home / "signals.toml").write_text(
        '[judge]\njudge = "cascade"\nbase_url = "http://me:pw@models.example/v1"\n'
        'api_key_env = "NO_SUCH_KEY"\nconsent = true\n'
    )
    done = signals("run", tmp_path / "logs", home=home)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "signals: the model did not judge: no key for http://models.example/v1: set NO_SUCH_KEY, "
        "or name another variable with [judge] api_key_env"
    )
    assert "1 session" in done.stdout
    assert (home / "snapshots" / "current").exists()
    assert [row["judge"] for row in _rows("judgements", home)] == ["rules"]


@pytest.mark.slow
def test_a_refusal_is_unscored_and_not_asked_again_today(tmp_path: Path) -> None:
    with FakeOpenAI([refusal(), refusal()]) as endpoint:
        home = _home(tmp_path, endpoint)
        first, second = (signals("judge", "--judge", "llm", home=home) for _ in range(2))
    assert (first.returncode, first.stderr.count("\n")) == (1, 1)
    assert "1 sessions could not be judged" in first.stderr
    assert second.returncode == 0
    (row,) = _rows("judgements", home)
    assert (row["status"], row["friction_score"]) == ("unscored", None)
    assert "refus" in row["reason"]


@pytest.mark.slow
def test_nothing_is_sent_without_consent(tmp_path: Path) -> None:
    with FakeOpenAI([]) as endpoint:
        home = _home(tmp_path, endpoint, agree=False)
        done = signals(
            "judge", "--judge", "llm", home=home, environment={"OPENAI_API_KEY": "sk-there"}
        )
        assert (done.returncode, done.stderr) == (
            2,
            "signals: Send the text of 1 session: about 4,500 tokens, at a price unknown to the "
            f"price table, secrets redacted, to {endpoint.base_url}? "
            "Nobody to ask here: agree with --yes\n",
        )
        assert endpoint.requests == []


@pytest.mark.slow
def test_a_wrong_key_is_one_line_and_judges_nothing(tmp_path: Path) -> None:
    with FakeOpenAI([failure(401)]) as endpoint:
        home = _home(tmp_path, endpoint)
        done = signals("judge", "--judge", "llm", home=home)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert endpoint.base_url in done.stderr
    assert _rows("judgements", home) == []


@pytest.mark.slow
def test_the_agent_works_on_a_task_and_its_session_is_analysed(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "greeting.txt").write_text("hello wrold\n")
    edit = json.dumps({"path": "greeting.txt", "old_text": "wrold", "new_text": "world"})
    script = [
        tool_calls(("read_file", '{"path": "greeting.txt"}')),
        tool_calls(("edit_file", edit)),
        tool_calls(("submit", '{"summary": "The word is spelled right now."}')),
    ]
    with FakeOpenAI(script) as endpoint:
        home = _home(tmp_path, endpoint)
        done = signals("agent", "Mend the spelling.", "--repo", repo, home=home)
        assert (done.returncode, done.stderr) == (0, "")
    assert (repo / "greeting.txt").read_text() == "hello world\n"
    assert "The word is spelled right now." in done.stdout
    told = json.loads(signals("--json", "ingest", home / "sessions", home=home).stdout)
    assert (told["files"]["read"], told["new"]["sessions"]) == (1, 1)
    assert {row["format"] for row in _rows("sessions", home)} == {"atif", "claude_code"}


@pytest.mark.parametrize("answer", [text("I would rather talk."), refusal()], ids=["talk", "no"])
@pytest.mark.slow
def test_an_agent_that_only_talks_ends_with_its_words(tmp_path: Path, answer: Any) -> None:
    with FakeOpenAI([answer]) as endpoint:
        home = _home(tmp_path, endpoint)
        done = signals("agent", "Mend it.", "--repo", tmp_path, home=home)
    assert "Traceback" not in done.stderr
    assert list((home / "sessions").glob("*.json"))
