"""`signals judge --batch`, over real HTTP to a scripted endpoint."""

import json
from pathlib import Path

import pytest

from tests.fake_openai_batches import FakeBatches, Planned
from tests.judges.answers import find, moment, verify
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals

UNTIL = "2033-05-18 03:33 UTC"
TEXT = "the text of 1 session: about 4,500 tokens, at a price unknown to the price table"
NEW = f"Sending {TEXT}, secrets redacted, to "
GOING_ON = (
    "Collecting, and sending what is asked further where a batch has ended, at most "
    f"{TEXT}, secrets redacted, to "
)


def _home(tmp_path: Path, endpoint: FakeBatches) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "signals.toml").write_text(
        f'[judge]\nbase_url = "{endpoint.base_url}"\nmodel = "scripted"\nmax_retries = 0\n'
    )
    log = write_log(
        tmp_path / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Please sum the invoices."),
        answered("s1", "u2", 1, "Done."),
        said("s1", "u3", 2, "No, the total is still wrong."),
    )
    assert signals("ingest", log, home=home).returncode == 0
    return home


@pytest.mark.slow
def test_each_call_goes_a_round_further_and_says_what_is_pending(tmp_path: Path) -> None:
    plan = [Planned([find(moment())]), Planned([verify((True, "medium", 0.9))])]
    with FakeBatches(plan) as endpoint:
        home = _home(tmp_path, endpoint)
        for number in (1, 2):
            asked = signals("judge", "--judge", "llm", "--batch", home=home)
            assert (asked.returncode, "agree with --yes" in asked.stderr) == (2, True)
            assert len(endpoint.batches) == number - 1, "not even the second round without consent"
            done = signals("judge", "--judge", "llm", "--batch", "--yes", home=home)
            assert (done.returncode, done.stderr) == (0, "")
            said_first = (NEW, GOING_ON)[number - 1] + endpoint.base_url
            assert done.stdout.splitlines()[0] == said_first
            line = f"batch batch-{number}: 1 request, in_progress, until {UNTIL}"
            assert line in done.stdout.splitlines()
            (row,) = map(json.loads, signals("export", "judgements", home=home).stdout.splitlines())
            assert (row["status"], row["reason"]) == ("pending", f"in a batch until {UNTIL}")
            endpoint.end()
        last = signals("--json", "judge", "--judge", "llm", "--batch", "--yes", home=home)
        counts = json.loads(last.stdout)
        assert (counts["judged"], counts["pending"], counts["batches_open"]) == (1, 0, 0)
    (row,) = map(json.loads, signals("export", "judgements", home=home).stdout.splitlines())
    assert (row["status"], row["current"]) == ("judged", True)


def test_the_rules_need_no_batch(tmp_path: Path) -> None:
    done = signals("judge", "--batch", home=tmp_path / "home")
    assert done.returncode == 2
    assert "--batch: the rules send nothing; use it with --judge llm or cascade" in done.stderr
