"""The report over a published snapshot: its text as people see it, its data as programs do."""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from agent_core.errors import HomeError
from pipelines.report import (
    Example,
    Rate,
    read_report,
    render_report,
    report_as_dict,
    report_as_text,
)
from pipelines.report_layout import WIDTH
from pipelines.stages.snapshot import publish_snapshot
from pipelines.stages.snapshot_tables import Mode
from tests.pipelines.warehouse_rows import NOON, add, new_warehouse
from tests.pipelines.warehouse_sample import fill_warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = new_warehouse(tmp_path / "warehouse.duckdb")
    yield connection
    connection.close()


def _publish(connection: duckdb.DuckDBPyConnection, snapshots: Path, mode: Mode = "owner") -> Path:
    floor = {"owner": 1, "team": 3}[mode]
    publish_snapshot(
        connection, snapshots, run_id="run-1", mode=mode, now=NOON, min_sessions=5, min_users=floor
    )
    return snapshots


OWNER_TEXT = """\
Signals report of 2026-03-02 12:00 (run run-1)

Coverage
      42 sessions seen in 43 files (1 not read: 1 unknown: not a known format)
       1 left out (no turn of a person: 1)
      41 selected, of which
        40 judged by rules 1
         1 could not be judged (the log is cut off: 1)

How sessions felt
  friction   48 % (95 % interval 33 to 63 %)   19 of 40 judged sessions
      judge: kappa 0.67 [0.60, 0.73] on 609 labelled turns
      severity: weighted kappa 0.60 [0.53, 0.66] on 620 labelled turns
  delight    50 % (95 % interval 35 to 65 %)   20 of 40 judged sessions
      judge: not measured: 17 labelled turns with it, 20 needed
  judge measured against labels of your own
  audit     what the rules miss is not measured: nothing was audited

Top friction
  error_event             30 % (95 % interval 18 to 45 %)   12 of 40 sessions, 12 high
      judge: not measured: 9 labelled turns with it, 20 needed
      - The agent's edit failed because the text to replace was not found.
        high, see atif:session-01 at #/steps/5; 12 sessions like it
  correction              18 % (95 % interval 9 to 32 %)    7 of 40 sessions
      judge: kappa 0.54 [0.45, 0.64] on 605 labelled turns
      - The user corrected the agent's choice of approach.
        medium, see atif:session-00 at #/steps/6; 7 sessions like it
  repeated_rephrasing     10 % (95 % interval 4 to 23 %)    4 of 40 sessions
      judge: kappa 0.42 [0.22, 0.59] on 614 labelled turns; of another version: rules 0.9, rubric 1
      - The user restated the same request for the third time.
        low, see atif:session-03 at #/steps/6; 4 sessions like it

Delight
  praise                  32 % (95 % interval 20 to 48 %)   13 of 40 sessions
      judge: not measured: 5 labelled turns with it, 20 needed
      - The user thanked the agent after the tests passed.
        medium, see atif:session-00 at #/steps/9; 13 sessions like it
  first_attempt_success   22 % (95 % interval 12 to 38 %)   9 of 40 sessions, 9 high
      judge: not measured: 1 labelled turn with it, 20 needed
      - The agent's first attempt passed all tests.
        high, see atif:session-02 at #/steps/8; 9 sessions like it

What changed
  friction correction grows: 12 of 20 sessions since 2026-03-01, before that 4 of 40 since
      2026-02-01 (+24 to +70 points, q = 0.0007)

Asked for and not served
  refund: in 6 of 8 sessions that asked for it; mostly handed over

Schema proposals
  p-4f1c: new type `specification_drift` for friction
      The goal of the session changes while the agent works.
      9 items in 7 sessions of 3 users; stability 0.86; gain 0.21
  signals schema accept ID, or reject ID

Breaches
  error_event / edit_file / no_match, core 0.2.0+b7e1
      9 of 17 sessions (53 %), before 3 of 23 (13 %); rise +6 to +58 points, q = 0.0004;
        task-19c2e0aa
      judge: not measured: 9 labelled turns with it, 20 needed

Patch tasks
  task-19c2e0aa [proposed] Say what to do when an edit finds no match
      proposed: all gates passed
      gates: scope passed, style passed, tests passed, replay passed, scenarios unscored (none
        covers this tool)
      pull request: pull-requests/1.md
  task-0b7d1f03 [failed] Ask before choosing another approach

Effect of merged patches
  no patch is merged yet
  time to pull request: 14.0 days, 1 task"""


def test_text_of_the_owner(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill_warehouse(warehouse)
    report = read_report(_publish(warehouse, tmp_path / "snapshots"))
    assert report_as_text(report) == OWNER_TEXT


def test_text_of_a_team_has_no_evidence_of_single_sessions(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    fill_warehouse(warehouse)
    text = report_as_text(read_report(_publish(warehouse, tmp_path / "snapshots", "team")))
    friction = text[text.index("Top friction") : text.index("Delight")].splitlines()
    assert friction == [
        "Top friction",
        "  error_event             30 % (95 % interval 18 to 45 %)   12 of 40 sessions",
        "      judge: not measured: 9 labelled turns with it, 20 needed",
        "  correction              18 % (95 % interval 9 to 32 %)    7 of 40 sessions",
        "      judge: kappa 0.54 [0.45, 0.64] on 605 labelled turns",
        "  evidence of single sessions is not published in team mode",
        "",
    ]
    tasks = text[text.index("Patch tasks") : text.index("\n\nEffect of")].splitlines()
    assert tasks[2:] == [
        "      proposed",
        "      gates: scope passed, style passed, tests passed, replay passed, scenarios unscored",
    ]
    assert "session-0" not in text
    assert "#/steps" not in text


EMPTY_TEXT = """\
Signals report of 2026-03-02 12:00 (run run-1)

Coverage
       0 sessions seen in 0 files
       0 left out
       0 selected, of which
         0 judged
         0 could not be judged

How sessions felt
  friction  not known: no judged session to tell
  delight   not known: no judged session to tell
  audit     what the rules miss is not measured: nothing was audited

Top friction
  none found in the judged sessions

Delight
  none found in the judged sessions

What changed
  nothing that could be told from chance

Asked for and not served
  nothing that enough sessions asked for in vain

Schema proposals
  none open

Breaches
  none: no pattern rose beyond its baseline

Patch tasks
  none

Effect of merged patches
  no patch is merged yet"""


def test_text_of_an_empty_warehouse_claims_nothing(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = read_report(_publish(warehouse, tmp_path / "snapshots"))
    assert report_as_text(report) == EMPTY_TEXT


_STATED = {"cost_usd": 1.5, "cost_basis": "stated", "unpriced_calls": 0}
_COMPUTED = {"cost_usd": 10.25, "cost_basis": "computed", "unpriced_calls": 0}


@pytest.mark.parametrize(
    ("sessions", "unpriced", "line"),
    [
        pytest.param([{}], [], None, id="nothing known"),
        pytest.param([_STATED], [], " cost: 1.50 USD (1 stated)", id="stated"),
        pytest.param(
            [_STATED, _COMPUTED, _COMPUTED, {**_COMPUTED, "cost_basis": "mixed"}],
            [],
            " cost: 32.25 USD (2 computed from list prices of 2026-11-21, 1 partly stated, partly"
            " computed, 1 stated)",
            id="of all kinds",
        ),
        pytest.param(
            [_STATED, {"unpriced_calls": 5}],
            [("b", 2), ("a", 3)],
            " cost: 1.50 USD (1 stated), 5 calls of 2 models without a price: a, b",
            id="some without a price",
        ),
        pytest.param(
            [{"unpriced_calls": 1}],
            [("a", 1)],
            " cost: unknown, 1 call of 1 model without a price: a",
            id="all without a price",
        ),
        pytest.param(
            [{"unpriced_calls": 15}],
            [("a", 5), ("b", 4), ("c", 3), ("d", 2), ("e", 1)],
            " cost: unknown, 15 calls of 5 models without a price: a, b, c, d, 1 more",
            id="many models",
        ),
    ],
)
def test_what_sessions_cost_and_what_nobody_knows(
    warehouse: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    sessions: list[dict[str, object]],
    unpriced: list[tuple[str, int]],
    line: str | None,
) -> None:
    for number, values in enumerate(sessions):
        add(warehouse, "sessions", session_key=str(number), **values)
    for model, calls in unpriced:
        key = str(len(sessions) - 1)
        add(warehouse, "unpriced_models", session_key=key, model=model, calls=calls)
    add(warehouse, "price_tables", sha256="x", as_of=date(2026, 11, 21))
    report = read_report(_publish(warehouse, tmp_path / "snapshots"))
    coverage = report_as_text(report).split("\n\n")[1]
    said = re.search(r"(?s)  ( cost: .*)$", coverage)
    assert (said and re.sub(r"\s+", " ", said[1])) == line
    assert json.loads(json.dumps(report_as_dict(report)))["costs"][-1]["prices_as_of"] == (
        "2026-11-21"
    )


def test_a_team_is_told_no_model_that_few_use(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for number in range(6):
        add(warehouse, "sessions", session_key=str(number), user_id=str(number % 3),
            unpriced_calls=2)  # fmt: skip
        add(warehouse, "unpriced_models", session_key=str(number), model="common", calls=1)
    add(warehouse, "unpriced_models", session_key="0", model="rare", calls=6)
    text = report_as_text(read_report(_publish(warehouse, tmp_path / "snapshots", "team")))
    assert "cost: unknown, 12 calls of 1 model without a price: common" in text
    assert "rare" not in text.split("\n\n")[1]


def test_examples_show_the_commonest_descriptors_at_their_gravest_moment(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = [
        ("a", "low", "rare thing"),
        ("b", "low", "common thing"),
        ("c", "high", "common thing"),
        ("d", "low", "other common thing"),
        ("e", "medium", "other common thing"),
    ]
    for key, severity, descriptor in rows:
        add(warehouse, "sessions", session_key=key)
        add(warehouse, "judgements", judgement_id=key, session_key=key)
        add(warehouse, "moments", moment_id=key, judgement_id=key, session_key=key, citation=key,
            source_ref="line:7", severity=severity, descriptor=descriptor)  # fmt: skip
    report = read_report(_publish(warehouse, tmp_path / "snapshots"))
    (friction,) = report.friction_types
    assert (friction.type, friction.high) == ("error_event", 1)
    assert friction.examples == (
        Example("common thing", 2, "c", "high", "c", "line:7"),
        Example("other common thing", 2, "e", "medium", "e", "line:7"),
    )
    assert friction.rate == report.friction
    assert report.delight == Rate(0, 5, 0.0, 0.0, report.delight.rate_high)


def test_the_text_fits_and_carries_no_control_character_of_a_log(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    key = "codex:" + "long-session-name " * 12 + "\x1b[31m\u202e\nforged line"
    add(warehouse, "sessions", session_key=key)
    add(warehouse, "judgements", judgement_id="j", session_key=key)
    add(warehouse, "moments", moment_id="m", judgement_id="j", session_key=key, source_ref="\x07")
    text = report_as_text(read_report(_publish(warehouse, tmp_path / "snapshots")))
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert all(line.isprintable() for line in lines)
    assert "forged line" not in lines


def test_the_report_is_json(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill_warehouse(warehouse)
    snapshots = _publish(warehouse, tmp_path / "snapshots")
    report = read_report(snapshots)
    assert render_report(snapshots / "run-1") == report
    read_back = json.loads(json.dumps(report_as_dict(report)))
    (task, failed) = read_back["tasks"]
    assert (task["state"], task["pr_path"]) == ("proposed", "pull-requests/1.md")
    assert [(gate["gate"], gate["status"]) for gate in task["gates"]] == [
        ("scope", "passed"),
        ("style", "passed"),
        ("tests", "passed"),
        ("replay", "passed"),
        ("scenarios", "unscored"),
    ]
    assert failed["attempt"] is None
    assert sum(row["count"] for row in read_back["coverage"] if row["area"] == "sessions") == 42


@pytest.mark.parametrize(
    ("file", "size"),
    [
        ("coverage.parquet", None),
        ("moments.parquet", 600),
        ("tasks.parquet", 0),
        ("schema.json", 40),
        ("schema.json", 0),
    ],
)
def test_a_damaged_snapshot_is_one_line(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, file: str, size: int | None
) -> None:
    fill_warehouse(warehouse)
    snapshots = _publish(warehouse, tmp_path / "snapshots")
    damaged = snapshots / "run-1" / file
    if size is None:
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:size])
    remedy = re.escape(f"snapshot {snapshots / 'run-1'} is damaged (")
    with pytest.raises(HomeError, match=rf"^{remedy}\w+\): run `signals run` again$"):
        read_report(snapshots)


def test_sessions_not_judged_yet_and_records_set_aside_are_named(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for key in ("batch", "new", "newer"):
        add(warehouse, "sessions", session_key=key)
    add(warehouse, "judgements", judgement_id="j", session_key="batch", status="pending",
        reason="in a batch", current=False)  # fmt: skip
    add(warehouse, "source_files", path="a", format="codex", records=1, quarantined=3)
    text = report_as_text(read_report(_publish(warehouse, tmp_path / "snapshots")))
    assert text.split("\n\n")[1].splitlines() == [
        "Coverage",
        "       3 sessions seen in 1 file",
        "       0 left out",
        "       3 selected, of which",
        "         0 judged",
        "         1 pending (in a batch: 1)",
        "         0 could not be judged",
        "         2 not judged yet",
        "       3 broken records set aside",
    ]


def test_before_the_first_publication_it_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"nothing is published .* run `signals run` first"):
        read_report(tmp_path)
