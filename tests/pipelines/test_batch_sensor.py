"""The sensor for batches, over HTTP, with a real home and a real Dagster instance."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.batch_polling import poll_batches
from pipelines.definitions import BATCHES_JOB_NAME, JOB_NAME
from pipelines.home import Home
from pipelines.warehouse import open_warehouse, query
from tests.fake_openai import failure
from tests.fake_openai_batches import FakeBatches, Planned
from tests.judges.answers import find, moment, verify
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.sensor_daemon import daemon_of

pytestmark = pytest.mark.filterwarnings(
    # Of Dagster and what it builds on, none of ours.
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
)
_SENSOR = "batches_done"
_VERDICTS = ("judgements", "moments")
"""The assets that are executed of a run."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with one log; its configuration comes with the endpoint."""
    write_log(
        tmp_path / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Please sum the invoices."),
        answered("s1", "u2", 1, "Done, the sum is there."),
        said("s1", "u3", 2, "No, the total is still wrong."),
    )
    return Home(tmp_path / "home").prepare()


def _configure(home: Home, base_url: str, **changed: Any) -> None:
    logs = json.dumps(str(home.root.parent / "logs"))
    judge = {"judge": "llm", "batch": True, "consent": True, "base_url": base_url, "model": "m",
             "max_retries": 0} | changed  # fmt: skip
    lines = [f"{name} = {json.dumps(value)}" for name, value in judge.items()]
    home.config.write_text("\n".join([f"[sources]\npaths = [{logs}]", "[judge]", *lines, ""]))


def _open(home: Home, *ids: str, base_url: str) -> None:
    """A state file as a pass leaves it."""
    batches = [
        {"batch_id": name, "base_url": base_url, "given_up_at": "2099-01-01T00:00:00Z"}
        for name in ids
    ]
    (home.state / "batches.json").write_text(json.dumps({"batches": batches}))


def _verdicts(home: Home) -> list[tuple[Any, ...]]:
    with open_warehouse(home.warehouse) as connection:
        sql = "SELECT judge, status, current FROM judgements ORDER BY judge"
        return query(connection, sql).rows()


@pytest.mark.slow
def test_from_the_first_batch_to_the_verdict(home: Home) -> None:
    plan = [Planned([find(moment())]), Planned([verify((True, "medium", 0.9))])]
    with FakeBatches(plan) as endpoint, daemon_of(home, _SENSOR) as daemon:
        _configure(home, endpoint.base_url)
        assert daemon.tick() == "no batch is open"
        assert daemon.launch(JOB_NAME, "ingest", "sessions", *_VERDICTS)
        for _ in plan:
            assert _verdicts(home) == [("llm", "pending", False), ("rules", "judged", True)]
            assert daemon.tick() == "1 of 1 batches have not ended"
            endpoint.end()
            assert daemon.tick() is None
            assert daemon.tick() == "a run was asked for"
            assert daemon.launch(BATCHES_JOB_NAME, *_VERDICTS)
        assert _verdicts(home) == [("llm", "judged", True), ("rules", "judged", False)]
        assert daemon.tick() == "no batch is open"
    assert len(set(daemon.run_keys)) == 2


@pytest.mark.slow
def test_a_batch_that_runs_leave_open_is_asked_for_three_times(home: Home) -> None:
    with FakeBatches([Planned([None])]) as endpoint, daemon_of(home, _SENSOR) as daemon:
        _configure(home, endpoint.base_url)
        _hand_in(endpoint)
        _open(home, "batch-1", base_url=endpoint.base_url)
        home.warehouse.write_bytes(b"no warehouse" * 999)
        for _ in range(3):
            assert daemon.tick() is None
            assert not daemon.launch(BATCHES_JOB_NAME, *_VERDICTS)
        assert daemon.tick() == "3 runs on these batches failed; see their logs"
    assert len(set(daemon.run_keys)) == 3


def test_it_neither_waits_for_the_warehouse_nor_opens_it(home: Home) -> None:
    home.warehouse.write_bytes(b"no warehouse")
    with (
        FakeBatches([Planned([None])]) as endpoint,
        daemon_of(home, _SENSOR) as daemon,
        home.locked("this test"),
    ):
        _configure(home, endpoint.base_url)
        _hand_in(endpoint)
        _open(home, "batch-1", base_url=endpoint.base_url)
        assert daemon.tick() is None
    assert home.warehouse.read_bytes() == b"no warehouse"
    assert endpoint.calls[-1:] == ["GET batches/batch-1"], "one request a batch"


def _hand_in(endpoint: FakeBatches) -> None:
    """A batch that is over at once."""
    from agent_core.batch import OpenAIBatches

    with OpenAIBatches(endpoint.base_url, "m", "k", max_retries=0) as client:
        client.create("mark", client.upload("mark", [client.line("id", [], None)]))
    endpoint.end()


@pytest.mark.parametrize(
    ("ids", "changed", "words"),
    [
        ([], {}, "no batch is open"),
        (["a"], {"judge": "rules"}, "1 batches are open: signals judge --batch collects them"),
        (["a"], {"consent": False}, "1 batches are open: signals judge --batch collects them"),
        (["a"], {"batch": False}, "1 of 1 batches have not ended; model endpoint "
                                  "http://127.0.0.1:9/v1 cannot be reached"),
        (["a"], {"base_url": "http://127.0.0.1:9/v2"}, "1 of 1 batches have not ended"),
        (["a", "b"], {}, "2 of 2 batches have not ended; model endpoint http://127.0.0.1:9/v1 "
                         "cannot be reached"),
    ],
    ids=["none", "rules", "no consent", "no batch", "elsewhere", "unreachable"],
)  # fmt: skip
def test_it_says_why_it_asks_for_no_run(
    home: Home, ids: Sequence[str], changed: dict[str, Any], words: str
) -> None:
    _configure(home, **{"base_url": "http://127.0.0.1:9/v1"} | changed)
    _open(home, *ids, base_url="http://127.0.0.1:9/v1")
    polled = poll_batches(home)
    assert polled.ended == ()
    assert polled.words.startswith(words)


def test_a_key_that_is_missing_or_a_torn_file_is_a_line(home: Home) -> None:
    _configure(home, "https://models.example/v1", api_key_env="SIGNALS_NO_SUCH_KEY")
    _open(home, "a", base_url="https://models.example/v1")
    assert "set SIGNALS_NO_SUCH_KEY" in poll_batches(home).words
    (home.state / "batches.json").write_text('{"batches": [')
    assert "batches.json: cannot be read; delete it" in poll_batches(home).words


def test_what_fails_to_be_polled_hides_nothing_of_the_rest(home: Home) -> None:
    faults = {"GET batches/a": [failure(500)]}
    with FakeBatches([Planned([None])], faults=faults) as endpoint:
        _configure(home, endpoint.base_url)
        _hand_in(endpoint)
        _open(home, "a", "batch-1", "b", base_url=endpoint.base_url)
        polled = poll_batches(home)
        assert polled.ended == ("batch-1 completed",)
        assert "2 of 3 batches have not ended" in polled.words
        assert "the endpoint does not know b, which is waited for" in polled.words
        assert "failed (500)" in polled.words


def test_a_slow_endpoint_is_asked_no_longer_than_a_sensor_may_take(home: Home) -> None:
    from datetime import UTC, datetime, timedelta

    times = iter(range(0, 1000, 20))

    def clock() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(times))

    with FakeBatches([Planned([None])]) as endpoint:
        _configure(home, endpoint.base_url)
        _hand_in(endpoint)
        _open(home, "batch-1", "batch-2", base_url=endpoint.base_url)
        polled = poll_batches(home, clock)
    assert polled.ended == ("batch-1 completed",)
    assert polled.words == "1 of 2 batches have not ended; the endpoint is slow"
