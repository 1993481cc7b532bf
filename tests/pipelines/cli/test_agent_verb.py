"""`signals agent` on a repository, with a model over real HTTP: a repair, a question, a budget."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.warehouse import open_warehouse
from tests.agent_core.workbench import a_sandbox
from tests.fake_openai import Answer, FakeOpenAI, tool_calls
from tests.pipelines.cli.command import signals

_BUGGY = "def total(prices):\n    return sum(prices[1:])\n"
_TEST = """\
import unittest
from shop import total


class TotalTest(unittest.TestCase):
    def test_sums_all(self):
        self.assertEqual(total([1, 2, 3]), 6)
"""
_NOISY = (
    "seq 1 100000 | sed 's/^/building the part with the number /'; python3 -m unittest 2>&1; "
    "code=$?; seq 1 100 | sed 's/^/cleaning up after the tests, step /'; exit $code"
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(_BUGGY)
    (folder / "test_shop.py").write_text(_TEST)
    for name in ("notes", "history"):
        (folder / f"{name}.txt").write_text("what was once said about the shop\n" * 900)
    return folder


def _home(tmp_path: Path, endpoint: FakeOpenAI, agent: str = "") -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "signals.toml").write_text(
        f'[judge]\nbase_url = "{endpoint.base_url}"\nmodel = "scripted"\nmax_retries = 0\n'
        f"consent = true\n[agent]\n{agent}"
    )
    return home


def _call(tool: str, **arguments: Any) -> Answer:
    """An endpoint that reports no tokens: they are estimated."""
    answer = tool_calls((tool, json.dumps(arguments)))
    body = json.loads(answer.body) | {"usage": None}
    return Answer(json.dumps(body).encode())


@pytest.mark.slow
@pytest.mark.skipif(a_sandbox() is None, reason="no sandbox works here")
def test_repairs_a_failing_project(shop: Path, tmp_path: Path) -> None:
    plan = [
        {"text": "find out why the test fails", "status": "done"},
        {"text": "sum all prices", "tools": ["edit_file"]},
        {"text": "run the tests", "tools": ["run_command"]},
    ]
    script = [
        _call("run_command", cmdline="python3 -m unittest"),
        _call("run_command", command=_NOISY),
        _call("read_file", path="shop.py"),
        _call("update_plan", subtasks=plan),
        _call("read_file", path="notes.txt"),
        _call("read_file", path="history.txt"),
        _call("edit_file", path="shop.py", old_text="prices[1:]", new_text="prices"),
        _call("run_command", command="python3 -m unittest"),
        _call("submit", summary="total() left out the first price; its test passes now."),
    ]
    with FakeOpenAI(script) as endpoint:
        home = _home(tmp_path, endpoint, "context_tokens = 16_000\n")
        done = signals("agent", "The test fails. Mend it.", "--repo", shop, home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "its test passes now." in done.stdout
    assert (shop / "shop.py").read_text() == "def total(prices):\n    return sum(prices)\n"

    sent = [request["messages"] for request in endpoint.requests]
    assert sent[1][-1]["content"].startswith("invalid argument: no argument is called cmdline")
    noisy = sent[2][-1]["content"]
    assert noisy.startswith("exit code 1\nbuilding the part with the number 1\n")
    assert len(noisy.splitlines()) < 170
    assert "AssertionError: 5 != 6\n" in noisy
    assert "[ ] sum all prices" in sent[4][0]["content"]
    assert "[x] sum all prices\n[x] run the tests" in sent[-1][0]["content"]
    assert max(len(json.dumps(messages)) for messages in sent) < 16_000 * 4
    assert all(messages[1]["content"] == "The test fails. Mend it." for messages in sent)

    assert signals("ingest", home / "sessions", home=home).returncode == 0
    with open_warehouse(home / "signals.duckdb") as connection:
        steps = connection.execute(
            "SELECT source, coalesce(event, ''), tool_calls->>'$[0].name', "
            "observations->>'$[0].error_class' FROM steps ORDER BY position"
        ).fetchall()
    assert [step[1:] for step in steps if step[0] == "system"] == [("compaction", None, None)]
    assert [step[2:] for step in steps if step[0] == "agent"] == [
        ("run_command", "invalid_arguments"),
        ("run_command", "test_failure"),
        ("read_file", None),
        ("update_plan", None),
        *[("read_file", None)] * 2,
        ("edit_file", None),
        ("run_command", None),
        ("submit", None),
    ]


_QUESTION = "Should the first price be left out on purpose?"


@pytest.mark.slow
def test_where_nobody_can_answer_the_question_is_printed(shop: Path, tmp_path: Path) -> None:
    with FakeOpenAI([_call("request_user_input", question=_QUESTION)]) as endpoint:
        home = _home(tmp_path, endpoint)
        done = signals("--json", "agent", "Mend total.", "--repo", shop, home=home)
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["text"]) == (1, "asked", _QUESTION)


@contextmanager
def _terminal(typed: str) -> Iterator[int]:
    """The end of a terminal at which somebody has typed so much."""
    master, slave = pty.openpty()
    try:
        os.write(master, typed.encode())
        yield slave
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.slow
def test_at_a_terminal_the_person_answers(shop: Path, tmp_path: Path) -> None:
    script = [
        _call("request_user_input", question=_QUESTION),
        _call("submit", summary="Nothing to mend then."),
    ]
    with FakeOpenAI(script) as endpoint, _terminal("Yes, on purpose.\n") as terminal:
        home = _home(tmp_path, endpoint)
        command = [sys.executable, "-m", "pipelines", "--home", str(home)]
        done = subprocess.run(
            [*command, "agent", "Mend total.", "--repo", str(shop)],
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.index(_QUESTION) < done.stdout.index("Nothing to mend then.")
    assert endpoint.requests[1]["messages"][-1] == {"role": "user", "content": "Yes, on purpose."}


@pytest.mark.slow
def test_a_task_that_costs_too_much_is_ended(shop: Path, tmp_path: Path) -> None:
    with FakeOpenAI([_call("list_files")]) as endpoint:
        home = _home(tmp_path, endpoint, "task_tokens = 3_000\n")
        done = signals("agent", "Mend total.", "--repo", shop, home=home)
    assert done.returncode == 1
    assert "would exceed the budget of 3000" in done.stdout
